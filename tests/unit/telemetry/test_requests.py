"""One request, one truth: what its spans, instruments and records say, whatever happens to it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.trace import get_current_span

from gatewayz.records import (
    NO_USAGE,
    UNPRICED,
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
from gatewayz.telemetry.setup import Telemetry
from tests.fakes.otlp import GrpcSink, attributes
from tests.unit.telemetry.conftest import DONE, KEY, OK, Opener, Stdout, attempt, http_request, one_request, with_totals

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def delivered(telemetry: Telemetry, sink: GrpcSink) -> tuple[Span, list[Span]]:
    """The request's span and its attempts', after closing."""
    telemetry.close(5)
    servers = [span for span in sink.received.spans if span.kind == Span.SPAN_KIND_SERVER]
    clients = [span for span in sink.received.spans if span.kind == Span.SPAN_KIND_CLIENT]
    assert len(servers) == 1
    return servers[0], clients


def points(sink: GrpcSink, name: str) -> list[HistogramDataPoint]:
    metric = sink.received.last_metrics().get(name)
    return [] if metric is None else list(metric.histogram.data_points)


def by_attribute(sink: GrpcSink, name: str, attribute: str) -> dict[str, HistogramDataPoint]:
    return {attributes(point.attributes)[attribute]: point for point in points(sink, name)}


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


def test_tokens_are_counted_by_type_and_only_what_is_there(opened: Opener, sink: GrpcSink) -> None:
    telemetry = opened(sink.environment)
    for usage in (Usage(11, 22, source="provider"), Usage(100, 0, 60, 0, 5, "provider"), NO_USAGE):
        request = telemetry.start_request(http_request())
        request.start_attempt(attempt()).end(Outcome(200, "gpt-4o", usage))
        request.end(DONE)
    telemetry.close(5)
    by_type = by_attribute(sink, "gen_ai.client.token.usage", "gen_ai.token.type")
    assert {kind: (point.sum, point.count) for kind, point in by_type.items()} == {
        "input": (111, 2),
        "output": (22, 2),
        "cache_read": (60, 1),
        "reasoning": (5, 1),
    }
    (duration,) = points(sink, "gen_ai.client.operation.duration")
    assert duration.count == 3
    assert list(duration.explicit_bounds) == list(names.SECONDS)


def test_exemplars_carry_the_trace_of_what_they_measure(opened: Opener, sink: GrpcSink) -> None:
    telemetry = opened(sink.environment)
    trace = one_request(telemetry)
    server, (client,) = delivered(telemetry, sink)
    (duration,) = points(sink, "gen_ai.client.operation.duration")
    assert [(e.trace_id.hex(), e.span_id) for e in duration.exemplars] == [(trace, client.span_id)]
    (overhead,) = points(sink, "gatewayz.request.overhead")
    assert [(e.trace_id.hex(), e.span_id) for e in overhead.exemplars] == [(trace, server.span_id)]
    assert overhead.exemplars[0].as_double == overhead.sum


def test_a_stream_has_its_times(opened: Opener, sink: GrpcSink) -> None:
    telemetry = opened(sink.environment)
    request = telemetry.start_request(http_request())
    request.start_attempt(attempt(stream=True)).end(
        Outcome(200, "gpt-4o", time_to_first_chunk_s=0.3, chunks=11, stream_s=2.0)
    )
    request.end(DONE)
    telemetry.close(5)
    assert points(sink, "gen_ai.client.operation.time_to_first_chunk")[0].sum == 0.3
    assert points(sink, "gen_ai.client.operation.time_per_output_chunk")[0].sum == 0.2
    assert points(sink, "gatewayz.stream.duration")[0].sum == 2.0


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
    said = attributes(server.attributes)
    assert said["http.response.status_code"] == status
    assert said["gatewayz.outcome"] == outcome
    assert said.get("error.type") == error_type


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


def test_usage_of_a_failed_attempt_and_its_fallback_add_up_in_the_record(
    opened: Opener, sink: GrpcSink, stdout: Stdout
) -> None:
    telemetry = opened(sink.environment)
    request = telemetry.start_request(http_request())
    failed = Outcome(502, "gpt-4o", Usage(5, 1, source="estimate"), "provider_stream_cut")
    answered = Outcome(200, "other", Usage(5, 7, source="provider"))
    request.start_attempt(attempt()).end(failed)
    request.start_attempt(attempt(number=2, provider="groq")).end(answered)
    request.end(with_totals(RequestEnd(200, "ok", model="gpt-4o", provider="groq"), failed, answered))
    _, clients = delivered(telemetry, sink)
    assert [span.name for span in clients] == ["chat gpt-4o", "chat other"]
    (record,) = [line for line in stdout.lines() if line["message"] == "request completed"]
    assert (record["input_tokens"], record["output_tokens"], record["tokens_used"]) == (10, 8, 18)
    assert (record["attempts"], record["provider"]) == (2, "groq")


def test_overhead_is_the_time_in_which_no_attempt_ran(opened: Opener, sink: GrpcSink) -> None:
    telemetry = opened(sink.environment)
    request = telemetry.start_request(http_request())
    first, second = request.start_attempt(attempt()), request.start_attempt(attempt(number=2))
    second.end(OK)
    first.end(OK)
    # Overlapping and nested attempts, at known times.
    start = request.now_ns()
    first.start_ns, first.end_ns = start, start + 400
    second.start_ns, second.end_ns = start + 100, start + 900
    request.end(DONE)
    server, _ = delivered(telemetry, sink)
    whole_ns = server.end_time_unix_nano - server.start_time_unix_nano
    (overhead,) = points(sink, "gatewayz.request.overhead")
    assert overhead.sum == pytest.approx((whole_ns - 900) / 1e9)


def test_ending_twice_emits_once(opened: Opener, sink: GrpcSink, stdout: Stdout) -> None:
    telemetry = opened(sink.environment)
    request = telemetry.start_request(http_request())
    tried = request.start_attempt(attempt())
    tried.end(OK)
    tried.end(Outcome(500, "gpt-4o", error_type="provider_server_error"))
    request.end(DONE)
    request.end(RequestEnd(500, "gateway_error", "gateway_internal"))
    delivered(telemetry, sink)
    assert [line["message"] for line in stdout.lines()] == ["request completed"]
    assert len(sink.received.records) == 1
    assert len(sink.received.spans) == 2
    assert points(sink, "gen_ai.client.operation.duration")[0].count == 1


def test_gauges_of_what_is_open_rise_and_fall(opened: Opener, sink: GrpcSink) -> None:
    telemetry = opened(sink.environment)
    request = telemetry.start_request(http_request())
    tried = request.start_attempt(attempt(stream=True))
    text = telemetry.exposition("")[0].decode()
    assert 'gatewayz_requests_in_flight{http_request_method="POST",http_route="/v1/chat/completions"} 1.0' in text
    assert 'gatewayz_streams_open{gatewayz_provider_name="openai"} 1.0' in text
    tried.end(OK)
    request.end(DONE)
    text = telemetry.exposition("")[0].decode()
    assert 'gatewayz_requests_in_flight{http_request_method="POST",http_route="/v1/chat/completions"} 0.0' in text
    assert 'gatewayz_streams_open{gatewayz_provider_name="openai"} 0.0' in text


def test_refusals_are_counted_by_reason(opened: Opener, sink: GrpcSink) -> None:
    telemetry = opened(sink.environment)
    for error_type in ("policy_rate_limited", "policy_rate_limited", "gateway_overloaded", "caller_forbidden"):
        telemetry.start_request(http_request()).end(RequestEnd(429, "refused", error_type))
    telemetry.close(5)
    counted = {
        attributes(point.attributes)["reason"]: point.as_int
        for point in sink.received.last_metrics()["gatewayz.requests.rejected"].sum.data_points
    }
    assert counted == {
        "policy_rate_limited": 2,
        "gateway_overloaded": 1,
        "policy_credit_exhausted": 0,
        "policy_model_not_allowed": 0,
    }


W3C = ((b"traceparent", f"00-{TRACE}-{PARENT}-01".encode()),)
W3C_NOT_SAMPLED = (
    (b"traceparent", f"00-{TRACE}-{PARENT}-00".encode()),
    (b"tracestate", b"vendor=1"),
    (b"baggage", b"a=b"),
)
B3_SINGLE = ((b"b3", f"{TRACE}-{PARENT}-0".encode()),)
B3_MULTI = ((b"x-b3-traceid", TRACE.encode()), (b"x-b3-spanid", PARENT.encode()), (b"x-b3-sampled", b"0"))


@pytest.mark.parametrize("headers", [W3C, W3C_NOT_SAMPLED, B3_SINGLE, B3_MULTI])
@pytest.mark.parametrize("policy", ["continue", "link", "ignore", None])
def test_callers_trace_is_continued_linked_or_ignored_as_the_key_says_and_always_sampled(
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
    said = attributes(server.attributes)
    assert server.name == "HTTP"
    assert said["http.request.method"] == "_OTHER"
    assert said["http.request.method_original"] == "HACK me"
    assert "http.route" not in said
    assert len(said["url.path"]) == 1024
    assert len(said["user_agent.original"]) == 256
    assert len(said["gen_ai.request.model"]) == 256
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


def test_two_workers_are_two_instances(opened: Opener, sink: GrpcSink) -> None:
    first, second = opened(sink.environment), opened(sink.environment)
    assert first.instance_id != second.instance_id
    one_request(first)
    one_request(second)
    first.close(5)
    second.close(5)
    instances = {attributes(resource.attributes)["service.instance.id"] for resource in sink.received.resources}
    assert instances == {first.instance_id, second.instance_id}


def test_resource_names_service_version_and_instance(opened: Opener, sink: GrpcSink) -> None:
    extra = {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=staging,team=a%20b,service.instance.id=mine"}
    telemetry = opened({**sink.environment, **extra})
    one_request(telemetry)
    telemetry.close(5)
    said = attributes(sink.received.resources[0].attributes)
    assert said["service.name"] == "gatewayz-api"
    assert said["deployment.environment.name"] == "staging"
    assert said["team"] == "a b"
    assert said["service.instance.id"] == telemetry.instance_id
    assert {"service.version", "process.pid", "host.name", "telemetry.sdk.version"} <= set(said)
    assert "service.namespace" not in said
    assert "process.command_args" not in said
    renamed = opened({**sink.environment, "OTEL_SERVICE_NAME": "mine"})
    one_request(renamed)
    renamed.close(5)
    assert attributes(sink.received.resources[-1].attributes)["service.name"] == "mine"


def test_switched_off_there_are_ids_and_lines_but_nothing_leaves(
    opened: Opener, sink: GrpcSink, stdout: Stdout
) -> None:
    telemetry = opened({**sink.environment, "OTEL_SDK_DISABLED": "true"})
    request = telemetry.start_request(http_request(headers=W3C))
    request.start_attempt(attempt()).end(OK)
    request.event("x", {})
    request.end(DONE)
    telemetry.close(1)
    assert sink.received.calls == 0
    (line,) = stdout.lines()
    assert line["trace_id"] == request.trace_id == TRACE
    assert request.trace_id.encode() in request.traceresponse
    assert [account.signal for account in telemetry.accounts()] == ["stdout"]


def test_without_a_collector_metrics_can_be_read_and_nothing_counts_as_lost(opened: Opener) -> None:
    telemetry = opened()
    one_request(telemetry)
    body, content_type = telemetry.exposition("text/plain")
    assert content_type.startswith("text/plain; version=0.0.4")
    assert b"gen_ai_client_operation_duration_seconds_count{" in body
    assert b"gatewayz_build_info{" in body
    body, content_type = telemetry.exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert [account.signal for account in telemetry.accounts()] == ["stdout"]


@pytest.mark.parametrize("signal", ["TRACES", "LOGS"])
def test_a_signal_can_be_switched_off_alone(opened: Opener, sink: GrpcSink, signal: str) -> None:
    telemetry = opened({**sink.environment, f"OTEL_{signal}_EXPORTER": "none"})
    one_request(telemetry)
    telemetry.close(5)
    assert bool(sink.received.spans) == (signal != "TRACES")
    assert bool(sink.received.records) == (signal != "LOGS")


def test_observed_values_come_from_their_sources_and_a_broken_source_is_counted(opened: Opener) -> None:
    telemetry = opened()

    def broken() -> list[tuple[float, dict[str, str]]]:
        raise RuntimeError("no")

    telemetry.observe("gatewayz.provider.available", lambda: [(1, {"gatewayz.provider.name": "demo"})])
    telemetry.observe("gatewayz.provider.available", broken)
    telemetry.observe("gatewayz.provider.available", lambda: [(0, {"gatewayz.provider.name": "openai"})])
    telemetry.exposition("")
    text = telemetry.exposition("")[0].decode()
    assert 'gatewayz_provider_available{gatewayz_provider_name="demo"} 1.0' in text
    assert 'gatewayz_provider_available{gatewayz_provider_name="openai"} 0.0' in text
    assert 'gatewayz_telemetry_errors_total{where="observe"} 0.0' not in text
    assert 'gatewayz_telemetry_errors_total{where="request"} 0.0' in text
    with pytest.raises(KeyError):
        telemetry.observe("gatewayz.invented", list)
    with pytest.raises(ValueError, match="not an observable"):
        telemetry.observe("gatewayz.request.overhead", list)


def test_wrong_arguments_never_raise_into_a_request(opened: Opener, stdout: Stdout) -> None:
    telemetry = opened()
    wrong: Any = "not an outcome"
    request = telemetry.start_request(http_request())
    tried = request.start_attempt(attempt())
    tried.end(wrong)
    request.event("x", wrong)
    request.end(wrong)
    text = telemetry.exposition("")[0].decode()
    assert 'gatewayz_telemetry_errors_total{where="attempt"} 2.0' in text
    assert 'gatewayz_telemetry_errors_total{where="request"}' in text
    assert 'gatewayz_requests_in_flight{http_request_method="POST",http_route="/v1/chat/completions"} 0.0' in text


async def test_each_task_sees_its_own_request(opened: Opener, stdout: Stdout) -> None:
    telemetry = opened()
    logger = logging.getLogger("app")

    async def serve(number: int) -> tuple[str, str]:
        request = telemetry.start_request(http_request(request_id=f"req-{number}", key=KEY))
        await asyncio.sleep(0)
        logger.warning("inside", extra={"number": number})
        await asyncio.sleep(0)
        current = f"{get_current_span().get_span_context().span_id:016x}"
        assert current == request.span_id
        request.end(DONE)
        return request.trace_id, request.span_id

    ids = await asyncio.gather(*(serve(number) for number in range(20)))
    logger.warning("outside")
    await asyncio.to_thread(telemetry.close, 5)
    lines = stdout.lines()
    for line in lines:
        if line["message"] == "inside":
            number = line["number"]
            assert isinstance(number, int)
            assert (line["trace_id"], line["span_id"], line["request_id"]) == (*ids[number], f"req-{number}")
    (outside,) = [line for line in lines if line["message"] == "outside"]
    assert not {"trace_id", "span_id", "request_id"} & set(outside)


async def test_blocked_event_loop_shows_as_lag(opened: Opener) -> None:
    import time

    telemetry = opened()
    assert b"gatewayz_event_loop_lag_seconds " not in telemetry.exposition("")[0]
    telemetry.watch_loop(asyncio.get_running_loop())
    await asyncio.sleep(0.02)
    time.sleep(0.35)  # noqa: ASYNC251 - blocking the loop is what is tested

    def lag() -> float:
        text = telemetry.exposition("")[0].decode()
        (line,) = [one for one in text.splitlines() if one.startswith("gatewayz_event_loop_lag_seconds ")]
        return float(line.split()[1])

    assert lag() > 0.1  # while it lasts
    await asyncio.sleep(0.05)
    assert lag() > 0.1  # and for a while afterwards


def test_what_attempts_cost_is_on_their_spans_in_the_counters_and_in_the_record(
    opened: Opener, sink: GrpcSink, stdout: Stdout
) -> None:
    telemetry = opened(sink.environment)
    request = telemetry.start_request(http_request())
    used = Usage(100, 50, source="provider")
    priced = Cost("priced", 3_750_000_001)
    outcomes = (
        Outcome(500, "gpt-4o", used, "provider_server_error", cost=priced),
        Outcome(200, "gpt-4o", used, cost=priced),
        Outcome(200, "other", used, cost=UNPRICED),
        Outcome(None, "gpt-4o", error_type="provider_connection_error"),
    )
    for number, outcome in enumerate(outcomes, 1):
        request.start_attempt(attempt(number=number)).end(outcome)
    request.end(with_totals(DONE, *outcomes))
    telemetry.close(5)
    spans = [attributes(span.attributes) for span in sink.received.spans if span.kind == 3]
    assert [span.get("gatewayz.cost.nano_usd") for span in spans] == [3_750_000_001, 3_750_000_001, None, None]
    assert [span.get("gatewayz.cost.usd") for span in spans] == [3.750000001, 3.750000001, None, None]
    assert [span.get("gatewayz.cost.source") for span in spans] == ["priced", "priced", "unpriced", None]
    record = next(line for line in stdout.lines() if line["message"] == "request completed")
    assert (record["cost_nano_usd"], record["cost_usd"], record["unpriced"]) == (7_500_000_002, 7.500000002, 1)

    def counted(name: str) -> dict[tuple[tuple[str, Any], ...], float]:
        points = sink.received.last_metrics()[name].sum.data_points
        return {tuple(sorted(attributes(one.attributes).items())): one.as_double or one.as_int for one in points}

    assert counted("gatewayz.cost") == {
        (
            ("gatewayz.provider.name", "openai"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "gpt-4o"),
        ): 7.500000002
    }
    assert counted("gatewayz.pricing.lookups") == {(("result", "priced"),): 2, (("result", "unpriced"),): 1}
