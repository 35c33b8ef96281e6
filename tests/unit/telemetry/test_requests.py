"""A request ends once, in one record, whatever happens to it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from opentelemetry.trace import get_current_span

from gatewayz.records import Outcome, RequestEnd, Usage
from tests.fakes.otlp import GrpcSink
from tests.unit.telemetry.conftest import DONE, KEY, OK, Opener, Stdout, attempt, http_request, with_totals
from tests.unit.telemetry.delivered import delivered, points


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
