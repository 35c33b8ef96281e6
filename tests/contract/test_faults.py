"""Providers that fail in every way we know (facts/reliability.md, U, C and K), against a live gateway with a substitute at hand.

Each scenario looks at three things: what the caller gets, which spans the request left (one of the request, one per attempt,
each with the right ``error.type``), and whether the next, healthy call is answered.

Circuit breakers are per model, so scenarios with scripts of their own do not disturb each other; the retry budget belongs to the
whole worker, so it is set so wide that scenarios may follow each other closely (its own limits: test_budget_… at the end, and
tests/unit/gateway/test_breaking.py).
"""

from __future__ import annotations

import json
import ssl
import subprocess
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.gateway import LiveGateway, free_port, running_gateway
from tests.polling import eventually
from tests.unit.telemetry.sinks import HttpSink, attributes
from tests.upstream import FakeLLM, Received

HELLO = [{"role": "user", "content": "Hello"}]
BREAKER_OPEN_S = 1.5
FIRST_CHUNK_S = 1.0
TOTAL_S = 8.0
LIMIT_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came over the wire."""

    status: int
    headers: httpx.Headers
    text: str
    seconds: float

    @property
    def request_id(self) -> str:
        return self.headers["x-request-id"]

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.text)["error"]

    @property
    def events(self) -> list[str]:
        return [event for event in self.text.split("\n\n") if event]


@dataclass(frozen=True, slots=True)
class Stage:
    """A gateway with its providers and the receiver of its telemetry."""

    gateway: LiveGateway
    sink: HttpSink
    fakes: dict[str, FakeLLM]

    def ask(
        self,
        model: str,
        *,
        stream: bool = False,
        timeout_s: float = 30,
        headers: dict[str, str] | None = None,
        **members: Any,
    ) -> Reply:
        began = time.monotonic()
        answer = httpx.post(
            f"{self.gateway.openai_url}/chat/completions",
            json={"model": model, "messages": HELLO, "stream": stream, **members},
            headers={"authorization": f"Bearer {self.gateway.api_key}", **(headers or {})},
            trust_env=False,
            timeout=timeout_s,
        )
        return Reply(answer.status_code, answer.headers, answer.text, time.monotonic() - began)

    def ask_together(self, count: int, ask: Callable[[int], Reply]) -> list[Reply]:
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(ask, range(count)))

    def asked(self, provider: str, model: str) -> int:
        return self.fakes[provider].served[model]

    def server_span(self, request_id: str) -> Span:
        """The request's own span, once it has arrived; there is never a second one."""

        def found() -> list[Span]:
            return [
                one
                for one in self.sink.received.spans
                if one.kind == Span.SPAN_KIND_SERVER
                and attributes(one.attributes).get("gatewayz.request.id") == request_id
            ]

        (span,) = eventually(found)
        return span

    def attempts(self, reply: Reply) -> list[tuple[str, str, str | None]]:
        """(provider, reason, error type) of each attempt, from its span; checks them against the request's span."""
        server = self.server_span(reply.request_id)
        told = attributes(server.attributes)

        def found() -> list[Span] | None:
            spans = [
                one
                for one in self.sink.received.spans
                if one.trace_id == server.trace_id and one.kind == Span.SPAN_KIND_CLIENT
            ]
            return spans if len(spans) >= told["gatewayz.attempts"] else None

        spans = sorted(eventually(found) if told["gatewayz.attempts"] else [], key=lambda one: one.start_time_unix_nano)
        assert len(spans) == told["gatewayz.attempts"]
        assert all(one.parent_span_id == server.span_id for one in spans)
        each = [attributes(one.attributes) for one in spans]
        assert [one["gatewayz.attempt.number"] for one in each] == list(range(1, len(each) + 1))
        for span, one in zip(spans, each, strict=True):
            failed = one.get("error.type") not in (None, "caller_cancelled")
            assert (span.status.code == 2) == failed
        return [(one["gatewayz.provider.name"], one["gatewayz.attempt.reason"], one.get("error.type")) for one in each]

    def is_well(self, provider: str = "openai") -> None:
        reply = self.ask(f"{provider}/ok-3-tokens")
        assert reply.status == 200
        assert self.attempts(reply) == [(provider, "first", None)]


def environment(fakes: dict[str, FakeLLM], sink: HttpSink, **more: str) -> dict[str, str]:
    found = {
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
        "GATEWAYZ_FIRST_BYTE_TIMEOUT_S": "2",
        "GATEWAYZ_FIRST_CHUNK_TIMEOUT_S": str(FIRST_CHUNK_S),
        "GATEWAYZ_IDLE_TIMEOUT_S": "1",
        "GATEWAYZ_TOTAL_TIMEOUT_S": str(TOTAL_S),
        "GATEWAYZ_CONNECT_TIMEOUT_S": "1",
        "GATEWAYZ_BREAKER_OPEN_S": str(BREAKER_OPEN_S),
        "GATEWAYZ_BREAKER_MAX_OPEN_S": "6",
        "GATEWAYZ_RETRY_BUDGET": "1",
        "GATEWAYZ_MAX_UPSTREAM_BYTES": str(LIMIT_BYTES),
        **sink.environment,
        **more,
    }
    for name, fake in fakes.items():
        found |= {f"{name.upper()}_BASE_URL": fake.base_url, f"{name.upper()}_API_KEY": f"sk-{name}-canary-key"}
    return found


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    with ExitStack() as stack:
        fakes = {name: stack.enter_context(FakeLLM.in_thread()) for name in ("openai", "groq")}
        sink = HttpSink()
        stack.callback(sink.stop)
        more = {"TOGETHER_API_KEY": "sk-x", "TOGETHER_BASE_URL": f"http://127.0.0.1:{free_port()}/v1"}
        variables = environment(fakes, sink, **more)
        live = stack.enter_context(running_gateway(tmp_path_factory.mktemp("faults"), variables))
        yield Stage(live, sink, fakes)


SUBSTITUTE: dict[str, Any] = {"models": ["groq/ok-7-tokens"]}

FAILED_OVER = [
    ("U4", "503", "provider_overloaded"),
    ("U1", "429-retry-after-86400", "provider_rate_limited"),
    ("U7", "slow-first-20s", "provider_first_chunk_timeout"),
    ("U6", "hang", "provider_first_chunk_timeout"),
    ("U16", "html-200", "provider_malformed_response"),
    ("U16", "empty-200", "provider_malformed_response"),
    ("U16", "bad-json-200", "provider_malformed_response"),
    ("U16", "not-http", "provider_malformed_response"),
    ("U18", "zstd-200", "provider_malformed_response"),
    ("U20", "drip-headers", "provider_first_chunk_timeout"),
    ("U21", "redirect", "provider_malformed_response"),
    ("keys", "401", "provider_auth_error"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("script", "error_type"), [pytest.param(*rest, id=f"{name}-{rest[0]}") for name, *rest in FAILED_OVER]
)
def test_a_failure_before_the_first_byte_is_made_good_elsewhere(
    stage: Stage, script: str, error_type: str, stream: bool
) -> None:
    asked = stage.asked("openai", script)
    reply = stage.ask(f"openai/{script}", stream=stream, **SUBSTITUTE)

    assert reply.status == 200
    assert reply.headers["x-gatewayz-provider"] == "groq"
    assert reply.seconds < TOTAL_S
    attempts = stage.attempts(reply)
    if script.startswith("429-retry-after") and stream:  # it is obeyed: nobody asks again
        assert attempts == [("groq", "first", None)]
        assert stage.asked("openai", script) == asked
    else:
        assert attempts == [("openai", "first", error_type), ("groq", "fallback", None)]
        assert stage.asked("openai", script) == asked + 1
    server = attributes(stage.server_span(reply.request_id).attributes)
    assert (server["gatewayz.outcome"], server["gatewayz.provider.name"]) == ("ok", "groq")
    stage.is_well()


@pytest.mark.parametrize("script", ["short-200", "rst-before-headers", "close-before-headers", "error-200", "500"])
def test_what_may_have_been_a_blip_is_tried_again_before_going_elsewhere(stage: Stage, script: str) -> None:  # U5
    reply = stage.ask(f"openai/{script}", **SUBSTITUTE)

    assert reply.headers["x-gatewayz-provider"] == "groq"
    places = [(provider, reason) for provider, reason, _ in stage.attempts(reply)]
    again = [("openai", "first"), ("openai", "retry"), ("groq", "fallback")]
    assert places == (again if script != "error-200" else [("openai", "first"), ("groq", "fallback")])
    stage.is_well()


@pytest.mark.parametrize("stream", [False, True])
def test_u3_one_failure_costs_the_caller_nothing(stage: Stage, stream: bool) -> None:
    stage.fakes["openai"].served.pop("500-once", None)
    reply = stage.ask("openai/500-once", stream=stream)

    assert reply.status == 200
    assert stage.attempts(reply) == [("openai", "first", "provider_server_error"), ("openai", "retry", None)]


def test_u1_a_provider_that_asks_for_two_seconds_gets_them(stage: Stage) -> None:
    arrived: list[float] = []

    def note(received: Received) -> None:
        if received.model == "429-retry-after-2":
            arrived.append(time.monotonic())

    stage.fakes["openai"].behave = note
    try:
        reply = stage.ask("openai/429-retry-after-2")
    finally:
        stage.fakes["openai"].behave = None

    assert reply.status == 429
    assert reply.headers["retry-after"] == "2"
    assert len(arrived) == 2
    assert arrived[1] - arrived[0] >= 1.98
    stage.is_well()


def test_u2_a_provider_that_always_says_no_is_not_asked_for_ever(stage: Stage) -> None:
    reply = stage.ask("openai/429")

    assert reply.status == 429
    assert stage.asked("openai", "429") <= 4
    assert [error for _, _, error in stage.attempts(reply)] == ["provider_rate_limited"] * 2
    stage.is_well()


@pytest.mark.parametrize("stream", [False, True])
def test_u6_without_a_substitute_silence_ends_in_a_timeout(stage: Stage, stream: bool) -> None:
    reply = stage.ask("openai/hang", stream=stream)

    assert reply.status == 504
    assert stage.attempts(reply) == [("openai", "first", "provider_first_chunk_timeout")]
    assert reply.seconds < 2 + 3
    stage.is_well()


@pytest.mark.parametrize(
    ("script", "error_type"),
    [
        ("cut-after-40", "provider_stream_cut"),
        ("rst-after-40", "provider_stream_cut"),
        ("stall-after-3", "provider_idle_timeout"),
        ("error-after-3", "provider_overloaded"),
        ("429-after-3", "provider_rate_limited"),
        ("bad-event-after-3", "provider_malformed_response"),
    ],
)
def test_a_stream_that_breaks_says_so_and_is_not_begun_again(
    stage: Stage, script: str, error_type: str
) -> None:  # U8, U9, U14
    reply = stage.ask(f"openai/{script}", stream=True, **SUBSTITUTE)

    assert reply.status == 200
    assert json.loads(reply.events[-1].removeprefix("data: "))["error"]["code"] == error_type
    assert "[DONE]" not in reply.text
    assert '"finish_reason":"' not in reply.text
    assert stage.attempts(reply) == [("openai", "first", error_type)]
    server = stage.server_span(reply.request_id)
    assert server.status.code == 2
    assert attributes(server.attributes)["error.type"] == error_type
    stage.is_well()


@pytest.mark.parametrize("script", ["one-byte-slices", "crlf", "cr", "comments", "multi-line"])
def test_u10_however_a_stream_is_written_it_arrives(stage: Stage, script: str) -> None:
    reply = stage.ask(f"openai/{script}", stream=True)

    assert "🌍" in reply.text
    assert "[DONE]" in reply.text
    assert stage.attempts(reply) == [("openai", "first", None)]


def test_u11_a_stream_without_done_is_closed_at_its_end_with_its_usage(stage: Stage) -> None:
    reply = stage.ask("openai/no-done", stream=True)

    assert "error" not in reply.text
    assert stage.attempts(reply) == [("openai", "first", None)]
    (record,) = eventually(lambda: [one for one in stage.gateway.records() if one["request_id"] == reply.request_id])
    assert record["output_tokens"] == 5


def test_u12_an_error_as_the_first_event_is_an_error_in_time(stage: Stage) -> None:
    reply = stage.ask("openai/error-first-event", stream=True, **SUBSTITUTE)

    assert reply.headers["x-gatewayz-provider"] == "groq"
    assert stage.attempts(reply) == [("openai", "first", "provider_rate_limited"), ("groq", "fallback", None)]
    stage.is_well()


@pytest.mark.parametrize("stream", [False, True])
def test_u13_a_request_that_is_too_long_is_asked_once(stage: Stage, stream: bool) -> None:
    reply = stage.ask("openai/400-context", stream=stream, **SUBSTITUTE)

    assert reply.status == 400
    assert reply.error["code"] == "context_length_exceeded"
    assert stage.attempts(reply) == [("openai", "first", "provider_bad_request")]
    assert attributes(stage.server_span(reply.request_id).attributes)["gatewayz.outcome"] == "caller_error"


def test_u15_a_substitutes_refusal_is_never_the_answer(stage: Stage) -> None:
    reply = stage.ask("openai/503", models=["groq/400-context"])

    assert reply.status == 503
    assert reply.error["code"] in ("provider_overloaded", "no_candidate")
    stage.is_well("groq")


@pytest.mark.parametrize("script", ["big-body", "gzip-bomb", "not-gzip-200"])
def test_u17_u18_what_is_too_much_or_not_what_it_says_is_dropped(stage: Stage, script: str) -> None:
    reply = stage.ask(f"openai/{script}")

    assert reply.status == 502
    ((provider, _, error_type), *_) = stage.attempts(reply)
    assert (provider, error_type) in (("openai", "provider_malformed_response"), ("openai", "provider_stream_cut"))
    assert _resident_mb(stage.gateway.pid) < 400
    stage.is_well()


def test_u18_a_packed_answer_is_unpacked(stage: Stage) -> None:
    reply = stage.ask("openai/gzip-200")

    assert json.loads(reply.text)["choices"][0]["message"]["content"] == "hello"


def test_u19_a_connection_that_the_provider_dropped_costs_nothing(stage: Stage) -> None:
    for _ in range(10):
        stage.is_well()
        stage.fakes["openai"].drop_connections()
        time.sleep(0.02)
    stage.is_well()


def test_u20_a_provider_that_is_not_there_is_passed_over(stage: Stage) -> None:
    reply = stage.ask("together/anything", **SUBSTITUTE)

    assert reply.headers["x-gatewayz-provider"] == "groq"
    assert {error for _, _, error in stage.attempts(reply)[:-1]} == {"provider_connection_error"}


def test_u20_a_wrong_certificate_ends_the_attempt_and_nothing_goes_out_in_the_clear(
    tmp_path: Path, stage: Stage
) -> None:
    certificate = tmp_path / "tls.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", certificate, "-out", tmp_path / "c",
         "-days", "1", "-subj", "/CN=127.0.0.1"], check=True, capture_output=True,
    )  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "c", certificate)
    with FakeLLM.in_thread(tls=tls) as secret, ExitStack() as stack:
        variables = environment({"openai": secret, "groq": stage.fakes["groq"]}, stage.sink)
        live = stack.enter_context(running_gateway(tmp_path / "tls", variables))
        other = Stage(live, stage.sink, {"openai": secret, "groq": stage.fakes["groq"]})
        reply = other.ask("openai/ok", **SUBSTITUTE)

    assert reply.headers["x-gatewayz-provider"] == "groq"
    assert {error for _, _, error in other.attempts(reply)[:-1]} == {"provider_connection_error"}
    assert not secret.requests


def test_u22_a_primary_that_was_away_is_back_once_its_breaker_has_seen_it(stage: Stage) -> None:
    primary = stage.fakes["openai"]
    primary.behave = lambda received: "500" if received.model == "ok-22-tokens" else None
    down = [stage.ask("openai/ok-22-tokens", **SUBSTITUTE) for _ in range(12)]
    assert {one.headers["x-gatewayz-provider"] for one in down} == {"groq"}
    assert stage.asked("openai", "ok-22-tokens") == 5
    assert stage.attempts(down[-1]) == [("groq", "first", None)]
    (skipped,) = stage.server_span(down[-1].request_id).events
    assert skipped.name == "gatewayz.candidate.skipped"
    assert attributes(skipped.attributes)["gatewayz.skip.reason"] == "breaker_open"
    eventually(lambda: _breaker(stage, "openai")["open"] == 1)

    primary.behave = None
    eventually(
        lambda: stage.ask("openai/ok-22-tokens", **SUBSTITUTE).headers["x-gatewayz-provider"] == "openai",
        deadline_s=30,
    )
    eventually(lambda: _breaker_changes(stage, "closed"))


def test_k1_to_k4_a_dead_provider_is_left_alone_but_for_single_probes(stage: Stage) -> None:
    primary = stage.fakes["openai"]
    primary.behave = lambda received: "500" if received.model == "ok-41-tokens" else None
    stage.ask_together(40, lambda number: stage.ask("openai/ok-41-tokens"))
    known = stage.asked("openai", "ok-41-tokens")
    refused = stage.ask_together(20, lambda number: stage.ask("openai/ok-41-tokens"))
    assert {one.status for one in refused} == {503}
    assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
    assert stage.asked("openai", "ok-41-tokens") == known  # K1: none until the probe
    assert stage.attempts(refused[0]) == []

    time.sleep(BREAKER_OPEN_S * 1.1)
    stage.ask_together(20, lambda number: stage.ask("openai/ok-41-tokens"))
    assert stage.asked("openai", "ok-41-tokens") == known + 1  # K2: one
    time.sleep(BREAKER_OPEN_S * 1.1)
    assert stage.ask("openai/ok-41-tokens").status == 503
    assert stage.asked("openai", "ok-41-tokens") == known + 1  # K4: its failure has made the time longer

    primary.behave = lambda received: "hang" if received.model == "ok-41-tokens" else None
    time.sleep(BREAKER_OPEN_S * 1.1)
    with pytest.raises(httpx.TimeoutException):
        stage.ask("openai/ok-41-tokens", timeout_s=0.5)  # K3: the probe is cancelled
    primary.behave = None
    eventually(lambda: stage.ask("openai/ok-41-tokens").status == 200)
    stage.is_well()


def test_c1_a_caller_who_leaves_in_the_middle_ends_the_call_to_the_provider(stage: Stage) -> None:
    aborted = stage.fakes["openai"].aborted
    with (
        httpx.Client(trust_env=False) as client,
        client.stream(
            "POST",
            f"{stage.gateway.openai_url}/chat/completions",
            json={"model": "openai/paced-3000-tokens-20-ms", "messages": HELLO, "stream": True, **SUBSTITUTE},
            headers={"authorization": f"Bearer {stage.gateway.api_key}"},
        ) as answer,
    ):
        request_id = answer.headers["x-request-id"]
        next(answer.iter_lines())
    eventually(lambda: stage.fakes["openai"].aborted == aborted + 1, deadline_s=5)

    server = stage.server_span(request_id)
    assert attributes(server.attributes)["gatewayz.outcome"] == "cancelled"
    assert attributes(server.attributes)["http.response.status_code"] == 499
    reply = Reply(499, httpx.Headers({"x-request-id": request_id}), "", 0)
    assert stage.attempts(reply) == [("openai", "first", "caller_cancelled")]
    stage.is_well()


def test_c2_a_caller_who_leaves_with_the_last_byte_was_served(stage: Stage) -> None:
    reply = stage.ask("openai/ok-9-tokens", stream=True, headers={"connection": "close"})

    assert reply.text.rstrip().endswith("[DONE]")
    assert attributes(stage.server_span(reply.request_id).attributes)["gatewayz.outcome"] == "ok"


def test_c3_a_caller_who_leaves_before_the_answer_ends_the_attempt_and_no_other_follows(stage: Stage) -> None:
    aborted = stage.fakes["openai"].aborted
    asked = stage.asked("groq", "ok-7-tokens")
    with pytest.raises(httpx.TimeoutException):
        stage.ask("openai/slow-first-1.5s", timeout_s=0.4, **SUBSTITUTE)

    eventually(lambda: stage.fakes["openai"].aborted == aborted + 1, deadline_s=5)
    assert stage.asked("groq", "ok-7-tokens") == asked
    stage.is_well()


def test_a_call_ends_within_the_time_that_its_caller_gives_it(stage: Stage) -> None:
    reply = stage.ask("openai/hang", models=["groq/hang"], headers={"x-gatewayz-timeout": "0.7"})

    assert reply.status == 504
    assert reply.seconds < 0.7 + 1
    stage.is_well()


def test_no_secret_is_in_any_span_or_log_line(stage: Stage) -> None:
    spans = b"".join(request.SerializeToString() for request in stage.sink.received.traces)
    log = stage.gateway.log.read_bytes()
    for secret in (b"canary-key", stage.gateway.api_key.encode()):
        assert secret not in spans
        assert secret not in log


@pytest.fixture(scope="module")
def polite(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """The usual retry budget, few places, and breakers that stay out of the way."""
    with ExitStack() as stack:
        fakes = {name: stack.enter_context(FakeLLM.in_thread()) for name in ("openai", "groq")}
        sink = HttpSink()
        stack.callback(sink.stop)
        more = {
            "GATEWAYZ_RETRY_BUDGET": "0.2",
            "GATEWAYZ_BREAKER_FAILURES": "100000",
            "GATEWAYZ_BREAKER_MIN_ATTEMPTS": "100000",
            "GATEWAYZ_MAX_IN_FLIGHT": "40",
        }
        live = stack.enter_context(running_gateway(tmp_path_factory.mktemp("polite"), environment(fakes, sink, **more)))
        yield Stage(live, sink, fakes)


def test_k10_under_total_failure_there_are_few_attempts_more_than_requests(polite: Stage) -> None:
    for fake in polite.fakes.values():
        fake.behave = lambda received: "500"
    try:
        replies = [
            one
            for _ in range(8)
            for one in polite.ask_together(25, lambda number: polite.ask("openai/ok", models=["groq/ok"]))
        ]
    finally:
        for fake in polite.fakes.values():
            fake.behave = None

    assert {one.status for one in replies} == {502}
    assert 200 < sum(len(fake.requests) for fake in polite.fakes.values()) <= 1.2 * 200 + 3
    polite.is_well()


def test_a_full_worker_refuses_at_once_and_says_when_to_come_back(polite: Stage) -> None:
    replies = polite.ask_together(60, lambda number: polite.ask("openai/slow-first-1s", stream=bool(number % 2)))

    refused = [one for one in replies if one.status == 503]
    assert refused
    assert {one.status for one in replies} <= {200, 503, 504}
    assert all(one.headers["retry-after"] == "1" for one in refused)
    assert {one.error["code"] for one in refused} == {"gateway_overloaded"}
    polite.is_well()


def _breaker(stage: Stage, provider: str) -> dict[str, float]:
    """The gauge of the provider's breaker, as last exported."""
    metric = stage.sink.received.last_metrics().get("gatewayz.circuit_breaker.state")
    found = {"open": 0.0}
    for point in metric.gauge.data_points if metric is not None else ():
        where = attributes(point.attributes)
        if where["gatewayz.provider.name"] == provider:
            found[where["state"]] = point.as_double
    return found


def _breaker_changes(stage: Stage, state: str) -> list[Span.Event]:
    return [
        event
        for span in stage.sink.received.spans
        for event in span.events
        if event.name == "gatewayz.circuit_breaker.changed"
        and attributes(event.attributes)["gatewayz.circuit_breaker.state"] == state
    ]


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")
