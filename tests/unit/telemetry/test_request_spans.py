"""One request is one trace: its spans, what is on them, and what never gets there."""

from __future__ import annotations

import logging

import msgspec
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from gatewayz.records import (
    Cost,
    ErrorType,
    IncomingTrace,
    KeyIdentity,
    Outcome,
    RequestEnd,
    RequestOutcome,
    RequestParameters,
    Usage,
)
from gatewayz.telemetry import names
from tests.fakes.otlp import GrpcSink, attributes
from tests.unit.telemetry.conftest import DONE, OK, Opener, Stdout, attempt, http_request
from tests.unit.telemetry.delivered import PARENT, TRACE, W3C, delivered, points


def test_a_request_is_a_server_span_with_its_attempt_inside(opened: Opener, sink: GrpcSink) -> None:
    telemetry = opened(sink.environment)
    request = telemetry.start_request(http_request())
    tried = request.start_attempt(attempt())
    tried.end(OK)
    request.end(DONE)
    server, (client,) = delivered(telemetry, sink)
    assert server.name == "POST /v1/chat/completions"
    assert server.trace_id.hex() == request.trace_id
    assert server.span_id.hex() == request.span_id
    assert server.status.code == Status.STATUS_CODE_UNSET
    assert attributes(server.attributes) == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "url.path": "/v1/chat/completions",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "server.address": "gw.local",
        "server.port": 8000,
        "client.address": "10.0.0.9",
        "user_agent.original": "curl/8",
        "http.response.status_code": 200,
        "http.request.body.size": 100,
        "http.response.body.size": 250,
        "gatewayz.request.id": "req-1",
        "gatewayz.key.id": "kid1",
        "gatewayz.customer.id": "customer-7",
        "gatewayz.outcome": "ok",
        "gatewayz.attempts": 1,
        "gatewayz.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
    }
    assert client.name == "chat gpt-4o"
    assert client.trace_id == server.trace_id
    assert client.parent_span_id == server.span_id
    assert server.start_time_unix_nano <= client.start_time_unix_nano
    assert client.end_time_unix_nano <= server.end_time_unix_nano
    assert attributes(client.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gatewayz.provider.name": "openai",
        "gatewayz.model": "gpt-4o",
        "gatewayz.customer.id": "customer-7",
        "gatewayz.attempt.number": 1,
        "gatewayz.attempt.reason": "first",
        "gatewayz.usage.source": "provider",
        "server.address": "api.example.com",
        "server.port": 443,
        "http.response.status_code": 200,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 22,
    }
    assert request.traceresponse == f"00-{request.trace_id}-{request.span_id}-01".encode()
    assert tried.traceparent == f"00-{request.trace_id}-{client.span_id.hex()}-01".encode()


def test_every_attribute_and_instrument_that_is_emitted_is_in_the_table(opened: Opener, sink: GrpcSink) -> None:
    telemetry = opened(sink.environment)
    parameters = RequestParameters(10, 0.5, 0.9, 4, 0.1, 0.2, 7, 2, ("END", "x" * 100))
    request = telemetry.start_request(http_request(method="BREW"))
    stream = Outcome(
        200, "gpt-4o", Usage(11, 22, 3, 4, 5, "provider"), None, "id", "gpt-4o-2024", ("stop",), 0.2, 5, 0.8, Cost("priced")
    )  # fmt: skip
    one = msgspec.structs.replace(attempt(stream=True), parameters=parameters)
    request.start_attempt(one).end(stream)
    request.event(names.CANDIDATE_SKIPPED, {names.PROVIDER: "groq", names.SKIP_REASON: "no_key"})
    request.end(RequestEnd(503, "refused", "gateway_overloaded", stream=True))
    telemetry.record_db("sqlite", "SELECT", 0.001)
    telemetry.observe("gatewayz.api_keys.active", lambda: [(3, {})])
    telemetry.observe("db.client.connection.count", lambda: [(3, {"db.client.connection.state": "idle"})])
    telemetry.observe("gatewayz.provider.available", lambda: [(1, {"gatewayz.provider.name": "demo"})])
    telemetry.observe("gatewayz.circuit_breaker.state", lambda: [(1, {"state": "closed"})])
    server, clients = delivered(telemetry, sink)
    known = {attribute.name for attribute in names.ATTRIBUTES if attribute.emitted}
    for span in (server, *clients):
        assert set(attributes(span.attributes)) <= known
    assert {event.name for event in server.events} == {names.CANDIDATE_SKIPPED}
    assert attributes(server.events[0].attributes) == {
        "gatewayz.provider.name": "groq",
        "gatewayz.skip.reason": "no_key",
    }
    client = attributes(clients[0].attributes)
    assert client["gen_ai.request.stop_sequences"] == ["END", "x" * 64]
    assert client["gen_ai.request.choice.count"] == 2
    assert client["gen_ai.usage.reasoning.output_tokens"] == 5
    assert client["gen_ai.response.time_to_first_chunk"] == 0.2
    instruments = {instrument.name: instrument for instrument in names.INSTRUMENTS if instrument.emitted}
    made = sink.received.last_metrics()
    assert set(made) <= set(instruments)
    assert set(instruments) - set(made) == {"gatewayz.event_loop.lag"}  # no loop is watched here
    for name, metric in made.items():
        kind = metric.WhichOneof("data")
        assert kind is not None
        assert metric.unit == instruments[name].unit
        for point in getattr(metric, kind).data_points:
            assert set(attributes(point.attributes)) <= set(instruments[name].attributes)


@pytest.mark.parametrize(
    ("status", "outcome", "error_type", "is_error"),
    [
        (200, "ok", None, False),
        (401, "caller_error", "caller_unauthenticated", False),
        (429, "refused", "policy_rate_limited", False),
        (400, "provider_error", "provider_bad_request", False),
        (499, "cancelled", "caller_cancelled", False),
        (500, "gateway_error", "gateway_internal", True),
        (502, "provider_error", "provider_server_error", True),
        (200, "provider_error", "provider_stream_cut", True),
    ],
)
def test_a_request_is_an_error_only_if_the_gateway_failed_it(
    opened: Opener, sink: GrpcSink, status: int, outcome: RequestOutcome, error_type: ErrorType | None, is_error: bool
) -> None:
    telemetry = opened(sink.environment)
    telemetry.start_request(http_request()).end(RequestEnd(status, outcome, error_type))
    server, _ = delivered(telemetry, sink)
    assert (server.status.code == Status.STATUS_CODE_ERROR) == is_error
    values = attributes(server.attributes)
    assert values["http.response.status_code"] == status
    assert values["gatewayz.outcome"] == outcome
    assert values.get("error.type") == error_type


@pytest.mark.parametrize(
    ("error_type", "is_error"),
    [("provider_rate_limited", True), ("provider_idle_timeout", True), ("caller_cancelled", False), (None, False)],
)
def test_an_attempt_is_an_error_when_it_failed(
    opened: Opener, sink: GrpcSink, stdout: Stdout, error_type: ErrorType | None, is_error: bool
) -> None:
    telemetry = opened(sink.environment)
    request = telemetry.start_request(http_request())
    request.start_attempt(attempt()).end(Outcome(429 if error_type else 200, "gpt-4o", error_type=error_type))
    request.end(DONE)
    _, (client,) = delivered(telemetry, sink)
    assert (client.status.code == Status.STATUS_CODE_ERROR) == is_error
    assert attributes(client.attributes).get("error.type") == error_type
    (duration,) = points(sink, "gen_ai.client.operation.duration")
    assert attributes(duration.attributes).get("error.type") == error_type
    warnings = [line for line in stdout.lines() if line["level"] == "warning"]
    assert len(warnings) == is_error
    for line in warnings:
        assert line["message"] == "provider call failed"
        assert (line["provider"], line["model"], line["status"]) == ("openai", "gpt-4o", 429)
        assert line["error_type"] == error_type
        assert line["trace_id"] == request.trace_id
        assert line["span_id"] == client.span_id.hex()


W3C_NOT_SAMPLED = (
    (b"traceparent", f"00-{TRACE}-{PARENT}-00".encode()),
    (b"tracestate", b"vendor=1"),
    (b"baggage", b"a=b"),
)
B3_SINGLE = ((b"b3", f"{TRACE}-{PARENT}-0".encode()),)
B3_MULTI = ((b"x-b3-traceid", TRACE.encode()), (b"x-b3-spanid", PARENT.encode()), (b"x-b3-sampled", b"0"))


@pytest.mark.parametrize("headers", [W3C, W3C_NOT_SAMPLED, B3_SINGLE, B3_MULTI])
@pytest.mark.parametrize("policy", ["continue", "link", "ignore", None])
def test_callers_trace_is_continued_linked_or_ignored_as_its_key_allows_and_always_sampled(
    opened: Opener, sink: GrpcSink, policy: IncomingTrace | None, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    telemetry = opened(sink.environment)
    key = None if policy is None else KeyIdentity("k", "n", None, policy)
    request = telemetry.start_request(http_request(headers=((b"host", b"x"), *headers), key=key))
    request.end(DONE)
    server, _ = delivered(telemetry, sink)
    assert server.trace_state == ""
    match policy:
        case "continue":
            assert (server.trace_id.hex(), server.parent_span_id.hex()) == (TRACE, PARENT)
            assert not server.links
        case "link" | None:
            assert server.trace_id.hex() != TRACE
            assert server.parent_span_id == b""
            assert [(link.trace_id.hex(), link.span_id.hex()) for link in server.links] == [(TRACE, PARENT)]
        case "ignore":
            assert server.trace_id.hex() != TRACE
            assert not server.links


def test_user_text_never_names_a_span_and_is_cut(opened: Opener, sink: GrpcSink) -> None:
    telemetry = opened(sink.environment)
    request = telemetry.start_request(
        http_request(method="HACK me", route=None, path="/" + "p" * 5000, user_agent="agent " * 100)
    )
    request.start_attempt(attempt(model="m" * 1000)).end(Outcome(404, "other", error_type="provider_bad_request"))
    request.end(RequestEnd(404, "caller_error", "caller_not_found", model="m" * 1000))
    server, (client,) = delivered(telemetry, sink)
    values = attributes(server.attributes)
    assert server.name == "HTTP"
    assert values["http.request.method"] == "_OTHER"
    assert values["http.request.method_original"] == "HACK me"
    assert "http.route" not in values
    assert len(values["url.path"]) == 1024
    assert len(values["user_agent.original"]) == 256
    assert len(values["gen_ai.request.model"]) == 256
    assert client.name == "chat other"
    assert len(attributes(client.attributes)["gen_ai.request.model"]) == 256


def test_a_huge_attribute_is_cut_and_the_span_arrives(opened: Opener, sink: GrpcSink) -> None:
    telemetry = opened(sink.environment)
    request = telemetry.start_request(http_request())
    request.event("something", {"text": "x" * 5_000_000})
    request.span.set_attribute("huge", "x" * 5_000_000)
    request.end(DONE)
    server, _ = delivered(telemetry, sink)
    assert len(attributes(server.attributes)["huge"]) == 4096
    assert len(attributes(server.events[0].attributes)["text"]) == 4096


def test_secrets_that_a_caller_sends_in_odd_places_reach_no_span_and_no_line(
    opened: Opener, sink: GrpcSink, stdout: Stdout
) -> None:
    telemetry = opened(sink.environment)
    canary = "gz_" + "pub1" + "_" + "CanaryCanaryCanaryCanaryCanary12"
    other = "sk-proj-CanaryCanaryCanary1234567890"
    request = telemetry.start_request(http_request(path=f"/x/{canary}", user_agent=f"agent Bearer {other}"))
    request.start_attempt(attempt(model=other)).end(Outcome(400, "other", error_type="provider_bad_request"))
    request.end(RequestEnd(400, "caller_error", "caller_invalid_request", model=other))
    logging.getLogger("somebody").warning("header %r", f"Authorization: Bearer {canary}", extra={"key": other})
    telemetry.close(5)
    everything = b"".join(request.SerializeToString() for request in [*sink.received.traces, *sink.received.logs])
    everything += repr(stdout.lines()).encode()
    assert b"Canary" not in everything
    assert b"gz_pub1_[redacted]" in everything
