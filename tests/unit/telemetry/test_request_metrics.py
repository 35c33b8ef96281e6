"""What one request adds to the metrics: tokens, times, cost, and what is open."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayz.records import NO_USAGE, UNPRICED, Cost, Outcome, RequestEnd, Usage
from gatewayz.telemetry import names
from tests.fakes.otlp import GrpcSink, attributes
from tests.unit.telemetry.conftest import DONE, OK, Opener, Stdout, attempt, http_request, one_request, with_totals
from tests.unit.telemetry.delivered import by_attribute, delivered, points


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
