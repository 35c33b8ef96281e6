"""Callers that disconnect: the call that they leave behind ends in time, and is charged for what it was.

Times are the gateway's own, from its spans, as far as they can be: the test's own scheduling says nothing about it.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from gatewayz.wires.token_estimate import request_tokens
from tests.fakes.clients import post
from tests.fakes.gateway import LiveGateway, running_gateway
from tests.fakes.otlp import HttpSink, attributes
from tests.fakes.provider.server import FakeLLM
from tests.polling import eventually

HELLO = [{"role": "user", "content": "Hello"}]
PACE_MS = 20
GONE_S = 5.0
"""In which the gateway has to be rid of a stream whose caller has left: on a quiet machine it takes milliseconds, and without
anybody's noticing it would take a minute."""
ORPHANED_CALL_S = 2.0


@dataclass(frozen=True, slots=True)
class Stage:
    gateway: LiveGateway
    sink: HttpSink
    fake: FakeLLM

    def post(self, model: str, **members: Any) -> httpx.Response:
        return post(
            f"{self.gateway.openai_url}/chat/completions",
            json={"model": model, "messages": HELLO, **members},
            headers={"authorization": f"Bearer {self.gateway.api_key}"},
        )

    @contextmanager
    def caller(self, model: str, **members: Any) -> Generator[socket.socket]:
        """A caller with nothing between him and the socket; he leaves at the end of the block."""
        body = json.dumps({"model": model, "messages": HELLO, **members}).encode()
        address = urlsplit(self.gateway.url)
        with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=30) as line:
            line.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
                b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
                % (self.gateway.api_key.encode(), len(body), body)
            )
            yield line

    def spans(self, kind: Span.SpanKind.ValueType, model: str) -> list[Span]:
        """Of requests (as the caller named the model) or attempts (as the provider was asked for it)."""
        return [
            one
            for one in self.sink.received.spans
            if one.kind == kind and attributes(one.attributes).get("gen_ai.request.model") == model
        ]

    def server(self, model: str) -> Span:
        (span,) = eventually(lambda: self.spans(Span.SPAN_KIND_SERVER, f"openai/{model}"))
        return span

    def attempt(self, model: str) -> Span:
        (span,) = eventually(lambda: self.spans(Span.SPAN_KIND_CLIENT, model))
        return span

    def asked(self, model: str) -> int:
        return self.fake.served[model]

    def sent_request(self, model: str) -> bytes:
        return next(one.body for one in self.fake.requests if one.model == model)

    def is_well(self) -> None:
        assert self.post("openai/ok-3-tokens").status_code == 200
        assert "[DONE]" in self.post("openai/ok-3-tokens", stream=True).text


def environment(fake: FakeLLM, sink: HttpSink, **more: str) -> dict[str, str]:
    return {
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OPENAI_BASE_URL": fake.base_url,
        "OPENAI_API_KEY": "sk-scripted",
        "GATEWAYZ_ORPHANED_CALL_S": str(ORPHANED_CALL_S),
        "GATEWAYZ_MAX_ORPHANED_CALLS": "3",
        **sink.environment,
        **more,
    }


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    with ExitStack() as stack:
        fake = stack.enter_context(FakeLLM.in_thread())
        sink = HttpSink()
        stack.callback(sink.stop)
        live = stack.enter_context(running_gateway(tmp_path_factory.mktemp("leaving"), environment(fake, sink)))
        yield Stage(live, sink, fake)


def read_until(line: socket.socket, enough: Callable[[bytes], bool]) -> bytes:
    seen = b""
    while not enough(seen):
        more = line.recv(65_536)
        assert more, f"it ended early: {seen[-300:]!r}"
        seen += more
    return seen


def left(span: Span) -> dict[str, Any]:
    """The attributes of a request whose caller has left."""
    told = attributes(span.attributes)
    assert (told["http.response.status_code"], told["gatewayz.outcome"]) == (499, "cancelled")
    assert told["error.type"] == "caller_cancelled"
    assert span.status.code == 0
    return told


@pytest.mark.parametrize("words", [1, 5, 25])
def test_disconnect_in_mid_stream_is_charged_for_what_was_streamed(stage: Stage, words: int) -> None:
    model = f"paced-{3000 + words}-tokens-{PACE_MS}-ms"
    aborted = stage.fake.aborted
    with stage.caller(f"openai/{model}", stream=True) as line:
        read_until(line, lambda seen: seen.count(b'"content":"word') >= words)
    left_ns = time.time_ns()
    eventually(lambda: stage.fake.aborted == aborted + 1)

    server, attempt = stage.server(model), stage.attempt(model)
    left(server)
    told = attributes(attempt.attributes)
    assert told["error.type"] == "caller_cancelled"
    assert attempt.status.code == 0
    # The gateway closes the provider's connection and ends the span in one step.
    assert (attempt.end_time_unix_nano - left_ns) / 1e9 <= GONE_S
    assert told["gatewayz.usage.source"] == "estimate"
    assert told["gen_ai.usage.input_tokens"] == request_tokens(stage.sent_request(model))
    # Words came at least every PACE_MS of the provider's until its span ended, one of them may be on its way.
    ran_s = (attempt.end_time_unix_nano - attempt.start_time_unix_nano) / 1e9
    assert words <= told["gen_ai.usage.output_tokens"] <= ran_s / (PACE_MS / 1000) + 1
    (record,) = eventually(lambda: [one for one in stage.gateway.records() if one.get("model") == f"openai/{model}"])
    assert record["output_tokens"] == told["gen_ai.usage.output_tokens"]
    stage.is_well()


def test_charge_after_a_disconnect_is_within_one_chunk_of_what_was_sent(stage: Stage) -> None:
    """The provider stalls behind its 17th word, so that there is no doubt about how much it has sent."""
    with stage.caller("openai/stall-after-17", stream=True) as line:
        read_until(line, lambda seen: b"word16" in seen)
    assert 16 <= attributes(stage.attempt("stall-after-17").attributes)["gen_ai.usage.output_tokens"] <= 18
    stage.is_well()


def test_disconnect_before_the_first_chunk_is_charged_for_input_only(stage: Stage) -> None:
    aborted = stage.fake.aborted
    with stage.caller("openai/no-first-byte", stream=True):
        eventually(lambda: stage.asked("no-first-byte"))
    left_ns = time.time_ns()
    eventually(lambda: stage.fake.aborted == aborted + 1)

    attempt = stage.attempt("no-first-byte")
    told = attributes(attempt.attributes)
    assert (attempt.end_time_unix_nano - left_ns) / 1e9 <= GONE_S
    assert told["gatewayz.usage.source"] == "estimate"
    assert (told["gen_ai.usage.input_tokens"] > 0, told["gen_ai.usage.output_tokens"]) == (True, 0)
    left(stage.server("no-first-byte"))
    stage.is_well()


@pytest.mark.parametrize("stream", [True, False])
def test_disconnect_after_the_last_byte_is_a_served_call(stage: Stage, stream: bool) -> None:
    model = f"ok-{9 + stream}-tokens"
    with stage.caller(f"openai/{model}", stream=stream) as line:
        read_until(line, lambda seen: b"[DONE]" in seen if stream else b'"usage"' in seen)

    server = attributes(stage.server(model).attributes)
    assert (server["http.response.status_code"], server["gatewayz.outcome"]) == (200, "ok")
    told = attributes(stage.attempt(model).attributes)
    assert told.get("error.type") is None
    assert (told["gatewayz.usage.source"], told["gen_ai.usage.output_tokens"]) == ("provider", 9 + stream)


def test_orphaned_call_is_charged_as_its_provider_counts(stage: Stage) -> None:
    aborted, model = stage.fake.aborted, "slow-first-0.6s"
    with stage.caller(f"openai/{model}"):
        eventually(lambda: stage.asked(model))
    left_ns = time.time_ns()

    server, attempt = stage.server(model), stage.attempt(model)
    left(server)
    assert (server.end_time_unix_nano - left_ns) / 1e9 <= GONE_S
    assert attempt.end_time_unix_nano - attempt.start_time_unix_nano >= 0.5e9
    assert attempt.end_time_unix_nano > server.end_time_unix_nano
    assert attempt.trace_id == server.trace_id
    assert attempt.parent_span_id == server.span_id
    told = attributes(attempt.attributes)
    assert (told["http.response.status_code"], told["error.type"]) == (200, "caller_cancelled")
    assert told["gatewayz.usage.source"] == "provider"
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (11, 5)
    (late,) = eventually(lambda: stage.gateway.records("detached provider call ended"))
    assert (late["tokens_used"], late["request_id"]) == (16, attributes(server.attributes)["gatewayz.request.id"])
    assert stage.fake.aborted == aborted
    stage.is_well()


def test_orphaned_call_is_given_up_in_time(stage: Stage) -> None:
    aborted = stage.fake.aborted
    with stage.caller("openai/hang"):
        eventually(lambda: stage.asked("hang"))
    eventually(lambda: stage.fake.aborted == aborted + 1)

    server, attempt = stage.server("hang"), stage.attempt("hang")
    left(server)
    assert attempt.end_time_unix_nano - server.end_time_unix_nano >= ORPHANED_CALL_S * 0.9 * 1e9
    told = attributes(attempt.attributes)
    assert (told["error.type"], told["gatewayz.usage.source"]) == ("caller_cancelled", "estimate")
    assert told["gen_ai.usage.input_tokens"] == request_tokens(stage.sent_request("hang"))
    assert told["gen_ai.usage.output_tokens"] == 0
    stage.is_well()


def test_number_of_orphaned_calls_is_bounded(stage: Stage) -> None:
    model, aborted = "slow-first-1.0s", stage.fake.aborted
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(stage.caller(f"openai/{model}"))
        eventually(lambda: stage.asked(model) == 5)
    spans = eventually(lambda: found if len(found := stage.spans(Span.SPAN_KIND_CLIENT, model)) == 5 else None)
    sources = sorted(attributes(one.attributes)["gatewayz.usage.source"] for one in spans)
    assert sources == ["estimate", "estimate", "provider", "provider", "provider"]
    eventually(lambda: stage.fake.aborted == aborted + 2)
    stage.is_well()


def test_no_attempt_follows_after_a_disconnect(stage: Stage) -> None:
    stage.fake.behave = lambda received: "late-500-0.6s" if received.model == "ok-77-tokens" else None
    try:
        with stage.caller("openai/ok-77-tokens", models=["openai/ok-78-tokens"]):
            eventually(lambda: stage.asked("ok-77-tokens"))
    finally:
        attempt = stage.attempt("ok-77-tokens")
        stage.fake.behave = None
    assert attributes(attempt.attributes)["error.type"] == "provider_server_error"
    left(stage.server("ok-77-tokens"))
    assert (stage.asked("ok-77-tokens"), stage.asked("ok-78-tokens")) == (1, 0)
    stage.is_well()


def test_shutdown_charges_orphaned_calls_by_estimate(tmp_path: Any) -> None:
    with ExitStack() as stack:
        fake = stack.enter_context(FakeLLM.in_thread())
        sink = HttpSink()
        stack.callback(sink.stop)
        more = {"GATEWAYZ_ORPHANED_CALL_S": "600", "GATEWAYZ_DRAIN_S": "1", "GATEWAYZ_FIRST_BYTE_TIMEOUT_S": "600"}
        live = stack.enter_context(running_gateway(tmp_path, environment(fake, sink, **more)))
        stage = Stage(live, sink, fake)
        with stage.caller("openai/hang"):
            eventually(lambda: stage.asked("hang"))
        left(stage.server("hang"))
        assert not stage.spans(Span.SPAN_KIND_CLIENT, "hang")
    # The gateway has ended, within running_gateway's patience.
    (attempt,) = stage.spans(Span.SPAN_KIND_CLIENT, "hang")
    told = attributes(attempt.attributes)
    assert (told["error.type"], told["gatewayz.usage.source"]) == ("caller_cancelled", "estimate")
