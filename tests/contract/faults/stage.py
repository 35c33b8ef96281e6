"""A live gateway between scripted providers and a receiver of its telemetry, and what can be asked of the three."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal

import aiohttp
import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fakes.clients import http_client
from tests.fakes.gateway import LiveGateway, running_gateway
from tests.fakes.otlp import HttpSink, attributes
from tests.fakes.provider.server import FakeLLM
from tests.fakes.provider.wires import ANTHROPIC, CHAT, GEMINI, FakeWire
from tests.polling import eventually

HELLO = [{"role": "user", "content": "Hello"}]
FALLBACK = ["groq/ok-7-tokens"]
WIRES: Mapping[str, FakeWire] = {
    "openai": CHAT,
    "groq": CHAT,
    "together": CHAT,
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
}
ROOTS = {"gemini": "/v1beta"}

# The defaults in small: nobody waits half a minute for silence to end, and a busy machine still has time for an answer.
CONNECT_S = 3.0
FIRST_BYTE_S = 4.0
FIRST_CHUNK_S = 3.0
IDLE_S = 3.0
TOTAL_S = 9.0
BREAKER_OPEN_S = 0.7
BREAKER_MAX_OPEN_S = 2.0
LIMIT_BYTES = 2_000_000

Tried = tuple[str, str, str | None]
"""Provider, reason, error type of one attempt."""
Caller = Literal["chat", "messages"]

_ERRORS_THAT_ARE_NONE = (None, "caller_cancelled")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came over the wire."""

    status: int
    headers: httpx.Headers
    body: bytes
    seconds: float
    last_byte_s: float
    """Monotonic."""

    @property
    def request_id(self) -> str:
        return self.headers["x-request-id"]

    @property
    def provider(self) -> str | None:
        return self.headers.get("x-gatewayz-provider")

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.body)["error"]

    @property
    def events(self) -> list[str]:
        return [event for event in self.text.split("\n\n") if event]

    @property
    def last_error(self) -> dict[str, Any]:
        """The error in which a stream ended."""
        (data,) = [line for line in self.events[-1].splitlines() if line.startswith("data: ")]
        return json.loads(data.removeprefix("data: "))["error"]


@dataclass(frozen=True, slots=True)
class Answered:
    """What one of many got."""

    status: int
    provider: str | None
    retry_after: str | None


class Traces:
    """The spans that have arrived, found by request."""

    def __init__(self, sink: HttpSink) -> None:
        self._sink = sink
        self._lock = threading.Lock()
        self._read = 0
        self.servers: defaultdict[str, list[Span]] = defaultdict(list)
        self.clients: defaultdict[bytes, list[Span]] = defaultdict(list)

    def refresh(self) -> None:
        with self._lock:
            arrived = self._sink.received.traces[self._read :]
            self._read += len(arrived)
            for request in arrived:
                for span in (s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans):
                    if span.kind == Span.SPAN_KIND_SERVER:
                        self.servers[attributes(span.attributes).get("gatewayz.request.id", "")].append(span)
                    elif span.kind == Span.SPAN_KIND_CLIENT:
                        self.clients[span.trace_id].append(span)

    def server(self, request_id: str) -> Span:
        def found() -> list[Span]:
            self.refresh()
            return self.servers.get(request_id, [])

        (span,) = eventually(found, every_s=0.005)
        return span

    def attempts(self, server: Span) -> list[Span]:
        number = attributes(server.attributes)["gatewayz.attempts"]

        def found() -> list[Span] | None:
            self.refresh()
            spans = self.clients.get(server.trace_id, [])
            return spans if len(spans) >= number else None

        spans = eventually(found, every_s=0.005) if number else self.clients.get(server.trace_id, [])
        return sorted(spans, key=lambda one: one.start_time_unix_nano)


@dataclass(slots=True)
class Stage:
    """Ask, then look at what was answered, at the spans, and at what the providers saw."""

    gateway: LiveGateway
    sink: HttpSink
    fakes: dict[str, FakeLLM]
    traces: Traces
    pool: ThreadPoolExecutor
    client: httpx.Client
    first: str = "openai"
    """Whom the last call asked first: is it well afterwards?"""
    healthy: list[tuple[str, Reply]] = field(default_factory=list[tuple[str, Reply]])
    """The ordinary calls that were made in between, with their providers."""
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def fresh(self, script: str) -> str:
        """A model of its own for this script: one that no breaker and no rest knows."""
        return f"{script}~{next(self._numbers)}"

    def ask(
        self,
        model: str,
        *,
        stream: bool = False,
        timeout_s: float = 60,
        headers: dict[str, str] | None = None,
        caller: Caller = "chat",
        **members: Any,
    ) -> Reply:
        """``models``: fallbacks. Raises httpx.TimeoutException once the caller's own patience is at an end."""
        self.first = model.partition("/")[0]
        began = time.monotonic()
        body: dict[str, Any] = {"model": model, "messages": HELLO, "stream": stream, **members}
        if caller == "messages":
            url, body["max_tokens"] = f"{self.gateway.url}/v1/messages", 100
        else:
            url = f"{self.gateway.openai_url}/chat/completions"
        credentials = {"authorization": f"Bearer {self.gateway.api_key}", **(headers or {})}
        answer = self.client.post(url, json=body, headers=credentials, timeout=timeout_s)
        now = time.monotonic()
        return Reply(answer.status_code, answer.headers, answer.content, now - began, now)

    def begin(self, model: str, **wishes: Any) -> Future[Reply]:
        return self.pool.submit(self.ask, model, **wishes)

    def together(self, number: int, ask: Callable[[int], Reply]) -> list[Reply]:
        with ThreadPoolExecutor(number) as pool:
            return list(pool.map(ask, range(number)))

    async def _storm(
        self, count: int, model: str, pause_s: Callable[[int], float], members: dict[str, Any]
    ) -> list[Answered]:
        body = {"model": model, "messages": HELLO, **members}
        headers = {"authorization": f"Bearer {self.gateway.api_key}"}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

            async def one(number: int) -> Answered:
                await asyncio.sleep(pause_s(number))
                async with session.post(f"{self.gateway.openai_url}/chat/completions", json=body) as answer:
                    told = answer.headers
                    await answer.read()
                    return Answered(answer.status, told.get("x-gatewayz-provider"), told.get("retry-after"))

            return list(await asyncio.gather(*map(one, range(count))))

    def storm(
        self, count: int, model: str, *, pause_s: Callable[[int], float] = lambda number: 0, **members: Any
    ) -> list[Answered]:
        """So many callers in the same moment, or each after a pause of his own."""
        return asyncio.run(self._storm(count, model, pause_s, members))

    def asked(self, provider: str, model: str) -> int:
        return self.fakes[provider].served[model]

    def arrivals(self, provider: str, model: str) -> list[float]:
        """When the provider was asked for this model; monotonic seconds."""
        return [one.at_s for one in self.fakes[provider].requests if one.model == model]

    def server(self, reply: Reply) -> dict[str, Any]:
        """The attributes of the request's span."""
        return attributes(self.traces.server(reply.request_id).attributes)

    def spans(self, reply: Reply) -> list[dict[str, Any]]:
        """The attributes of the attempts' spans, in their order."""
        return [attributes(one.attributes) for one in self.traces.attempts(self.traces.server(reply.request_id))]

    def events(self, reply: Reply, name: str) -> list[dict[str, Any]]:
        """The attributes of those events on the request's span."""
        return [attributes(one.attributes) for one in self.traces.server(reply.request_id).events if one.name == name]

    def tried(self, reply: Reply) -> list[Tried]:
        """Every attempt of the request, from its span. Checks what must hold of any request's spans."""
        server = self.traces.server(reply.request_id)
        told = attributes(server.attributes)
        spans = self.traces.attempts(server)
        each = [attributes(one.attributes) for one in spans]
        assert [one["gatewayz.attempt.number"] for one in each] == list(range(1, told["gatewayz.attempts"] + 1))
        for span, one in zip(spans, each, strict=True):
            assert span.parent_span_id == server.span_id
            assert (span.status.code == Span().status.STATUS_CODE_ERROR) == (
                one.get("error.type") not in _ERRORS_THAT_ARE_NONE
            )
            if one.get("error.type") not in _ERRORS_THAT_ARE_NONE and "http.response.status_code" not in one:
                assert not one.get("gatewayz.cost.usd")
        if told["http.response.status_code"] < 500 and told.get("gatewayz.outcome") == "ok":
            assert told.get("error.type") is None
            assert each[-1].get("error.type") is None
        return [(one["gatewayz.provider.name"], one["gatewayz.attempt.reason"], one.get("error.type")) for one in each]

    def is_well(self) -> None:
        """An ordinary call to the same provider is answered by it, at once. Its spans are looked at in the end."""
        provider = self.first if self.first in self.fakes else "groq"
        reply = self.ask(f"{provider}/ok-3-tokens")
        assert (reply.status, reply.provider) == (200, provider), reply.body[:300]
        self.healthy.append((provider, reply))

    def no_span_is_doubled(self) -> None:
        for provider, reply in self.healthy:
            assert self.tried(reply) == [(provider, "first", None)]

        def every_attempt_has_its_request() -> bool:
            # An attempt ends before its request, and the two may be delivered in different batches.
            self.traces.refresh()
            requests = {span.trace_id for spans in self.traces.servers.values() for span in spans}
            return self.traces.clients.keys() <= requests

        assert eventually(every_attempt_has_its_request)
        doubled = {name: len(spans) for name, spans in self.traces.servers.items() if len(spans) != 1 and name}
        assert not doubled

    def no_secret_is_out(self) -> None:
        spans = b"".join(request.SerializeToString() for request in self.sink.received.traces)
        log = self.gateway.log.read_bytes()
        for secret in (b"canary-key", self.gateway.api_key.encode()):
            assert secret not in spans
            assert secret not in log

    def gauge(self, name: str, **where: str) -> dict[str, float]:
        """Values of an observable by its ``state``, as last exported."""
        metric = self.sink.received.last_metrics().get(name)
        found: dict[str, float] = {}
        for point in metric.gauge.data_points if metric is not None else ():
            told = attributes(point.attributes)
            if all(told.get(key.replace("__", ".")) == value for key, value in where.items()):
                found[str(told.get("state", ""))] = point.as_double
        return found


def environment(fakes: Mapping[str, FakeLLM], sink: HttpSink, **more: str) -> dict[str, str]:
    found = {
        "OTEL_BSP_SCHEDULE_DELAY": "10",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
        "GATEWAYZ_FIRST_BYTE_TIMEOUT_S": str(FIRST_BYTE_S),
        "GATEWAYZ_FIRST_CHUNK_TIMEOUT_S": str(FIRST_CHUNK_S),
        "GATEWAYZ_IDLE_TIMEOUT_S": str(IDLE_S),
        "GATEWAYZ_TOTAL_TIMEOUT_S": str(TOTAL_S),
        "GATEWAYZ_CONNECT_TIMEOUT_S": str(CONNECT_S),
        "GATEWAYZ_BREAKER_OPEN_S": str(BREAKER_OPEN_S),
        "GATEWAYZ_BREAKER_MAX_OPEN_S": str(BREAKER_MAX_OPEN_S),
        # The budget belongs to the whole worker: with the usual one, scenarios that fail would decide about those that follow.
        "GATEWAYZ_RETRY_BUDGET": "1",
        "GATEWAYZ_MAX_UPSTREAM_BYTES": str(LIMIT_BYTES),
        **sink.environment,
        **more,
    }
    for name, fake in fakes.items():
        base = fake.base_url.removesuffix("/v1") + ROOTS.get(name, "/v1")
        found |= {f"{name.upper()}_BASE_URL": base, f"{name.upper()}_API_KEY": f"sk-{name}-canary-key"}
    return found | more


@contextmanager
def staged(directory: Path, providers: Sequence[str] = ("openai", "groq"), **more: str) -> Generator[Stage]:
    """A stage of one's own; ``more``: settings."""
    with ExitStack() as stack:
        fakes = {name: stack.enter_context(FakeLLM.in_thread(scripts=WIRES[name].script)) for name in providers}
        yield stack.enter_context(staged_with(directory, fakes, **more))


@contextmanager
def staged_with(directory: Path, fakes: dict[str, FakeLLM], **more: str) -> Generator[Stage]:
    with ExitStack() as stack:
        sink = HttpSink()
        stack.callback(sink.stop)
        live = stack.enter_context(running_gateway(directory, environment(fakes, sink, **more)))
        pool = stack.enter_context(ThreadPoolExecutor(64))
        # One for all: a new one each time would spend its time on reading certificates.
        client = stack.enter_context(http_client(limits=httpx.Limits(max_connections=None)))
        stage = Stage(live, sink, fakes, Traces(sink), pool, client)
        yield stage
        stage.no_span_is_doubled()
        stage.no_secret_is_out()
