"""The live gateway of the matrix, its providers behind the one scripted server, and where its spans end."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from gatewayz.wires.base import Wire
from tests.contract.matrix.caller import Caller
from tests.contract.matrix.chat_caller import ChatCaller
from tests.contract.matrix.completions_caller import CompletionsCaller
from tests.contract.matrix.messages_caller import MessagesCaller
from tests.contract.matrix.responses_caller import ResponsesCaller
from tests.contract.matrix.scenario import PROVIDER_WIRES, Json
from tests.contract.matrix.scripted import Upstream, scripted_upstream
from tests.fakes.gateway import LiveGateway, running_gateway
from tests.fakes.otlp import HttpSink, attributes
from tests.polling import eventually

PROVIDER_KEY = "key-of-the-matrix"
OTEL_NAMES: Mapping[Wire, str] = {
    "openai_chat": "openai",
    "openai_completions": "vllm",
    "openai_responses": "azure.ai.openai",
    "anthropic_messages": "anthropic",
    "gemini": "gcp.gemini",
}
_AUTH = {"anthropic_messages": "x-api-key", "gemini": "x-goog-api-key"}


@dataclass(frozen=True, slots=True)
class Spans:
    """Of one model: the requests' and the attempts', each in the order in which they began."""

    servers: list[tuple[Span, Json]]
    attempts: list[tuple[Span, Json]]


class SpanIndex:
    """Spans by the model that they are about, each read once: there are thousands."""

    def __init__(self, sink: HttpSink) -> None:
        self._sink = sink
        self._read = 0
        self._by_model: dict[str, list[tuple[Span, Json]]] = {}

    def of(self, *models: str) -> list[tuple[Span, Json]]:
        arrived = self._sink.received.traces
        while self._read < len(arrived):
            request = arrived[self._read]
            self._read += 1
            for span in [one for of in request.resource_spans for scope in of.scope_spans for one in scope.spans]:
                told = attributes(span.attributes)
                if model := told.get("gen_ai.request.model"):
                    self._by_model.setdefault(model, []).append((span, told))
        found = [one for model in models for one in self._by_model.get(model, [])]
        return sorted(found, key=lambda one: one[0].start_time_unix_nano)


@dataclass(frozen=True, slots=True)
class Rig:
    live: LiveGateway
    upstream: Upstream
    callers: Mapping[Wire, Caller]
    index: SpanIndex

    def spans(self, model: str, provider: Wire, requests: int) -> Spans:
        """Those of a cell, once all its requests have ended: a request's span ends after its attempts'."""

        def look() -> Spans | None:
            mine = self.index.of(model, f"{provider}/{model}")
            servers = [one for one in mine if one[0].kind == Span.SPAN_KIND_SERVER]
            attempts = [one for one in mine if one[0].kind == Span.SPAN_KIND_CLIENT]
            return Spans(servers, attempts) if len(servers) >= requests else None

        return eventually(look, every_s=0.005)


def callers_of(url: Mapping[Wire, str], key: str, stack: ExitStack) -> dict[Wire, Caller]:
    kinds: Any = (ChatCaller, CompletionsCaller, ResponsesCaller, MessagesCaller)
    callers: dict[Wire, Caller] = {kind.wire: kind(url[kind.wire], key) for kind in kinds}
    for caller in callers.values():
        stack.callback(caller.close)
    return callers


@contextmanager
def running_matrix(directory: Path) -> Generator[Rig]:
    with ExitStack() as stack:
        upstream = stack.enter_context(scripted_upstream())
        sink = HttpSink()
        stack.callback(sink.stop)
        providers: Json = {}
        for wire in PROVIDER_WIRES:
            providers[wire] = {
                "base_url": f"{upstream.url(wire)}/v1",
                "wires": [wire],
                "keys": ["MATRIX_KEY"],
                "keyless": True,  # so that it may be called over plain http
                "auth": _AUTH.get(wire, "bearer"),
                "otel_name": OTEL_NAMES[wire],
                "max_tokens_name": "max_completion_tokens",
                "list_models": False,
                "embeddings": wire in ("openai_chat", "gemini"),
            }
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "gatewayz.yaml"
        config.write_bytes(orjson.dumps({"providers": providers}))  # JSON is YAML
        environment = {
            "GATEWAYZ_CONFIG_FILE": str(config),
            "MATRIX_KEY": PROVIDER_KEY,
            # What one cell does to a provider must not decide how the next is answered.
            "GATEWAYZ_BREAKER_FAILURES": "1000000",
            "GATEWAYZ_BREAKER_MIN_ATTEMPTS": "1000000",
            "OTEL_BSP_SCHEDULE_DELAY": "5",
            **sink.environment,
        }
        live = stack.enter_context(running_gateway(directory, environment))
        urls: dict[Wire, str] = dict.fromkeys(PROVIDER_WIRES, live.url)
        yield Rig(live, upstream, callers_of(urls, live.api_key, stack), SpanIndex(sink))
