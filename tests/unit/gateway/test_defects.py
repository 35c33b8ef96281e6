"""What a defect of our own may not do: keep a place, end a stream as if it were whole, or look like the caller's doing."""

from __future__ import annotations

import time
from contextlib import aclosing

import orjson
import pytest

from gatewayz.attempts.context import CallContext
from gatewayz.attempts.outcome_sinks import EndedAttempt, OutcomeSinks, RouteStateSink, TelemetrySink
from gatewayz.attempts.record import AttemptRecord
from gatewayz.attempts.stream import begin_stream
from gatewayz.gateway import Gateway
from gatewayz.providers.base import Payload
from gatewayz.records import Attempt, Cost, HttpRequest, Outcome, OutcomeStep, Usage
from gatewayz.routing.candidates import Candidate
from gatewayz.routing.policy import RoutingPolicy
from gatewayz.wires.fold import EventKind, Fold
from gatewayz.wires.openai_chat.wire import ChatProvider
from gatewayz.wires.sse import EventSplitter
from tests.fakes.otlp import attributes
from tests.unit.gateway.conftest import CHAT, HELLO, Rig, outcome_sinks

FULL_AFTER_ONE = RoutingPolicy(max_in_flight=1, provider_in_flight=1)


class DefectiveTranslation:
    """Raises at the third event."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self._events = 0

    def reply(self, body: bytes) -> bytes:
        return body

    def take(self, event: bytes) -> tuple[EventKind, bytes]:
        self._events += 1
        if self._events == 3:
            raise KeyError("choices")
        return self.fold.event(event), event

    def end(self) -> bytes:
        return b"data: [DONE]\n\n"


class DefectiveSink:
    """Raises at every outcome."""

    step: OutcomeStep = "route_state"

    def attempt_ended(self, context: CallContext, attempt: EndedAttempt, outcome: Outcome) -> None:
        raise ZeroDivisionError


def failures(rig: Rig) -> dict[str, float]:
    """``gatewayz.outcome.failures`` so far, by step."""
    text = rig.telemetry.exposition("")[0].decode()
    lines = [line for line in text.splitlines() if line.startswith("gatewayz_outcome_failures_total{")]
    return {line.partition('where="')[2].partition('"')[0]: float(line.rpartition(" ")[2]) for line in lines}


async def test_defect_in_a_stream_ends_it_with_an_error_event(rig: Rig) -> None:
    provider = rig.providers["openai"]
    body = {"model": "paced-5-tokens-20-ms", "stream": True, **HELLO}
    call = CHAT.parse(orjson.dumps(body))
    http = HttpRequest("POST", "/v1", "/v1", "http", "1.1", (), "req-1", time.time_ns(), key=None)
    context = CallContext("req-1", None, (), rig.telemetry.start_request(http))
    candidate = Candidate(provider, rig.providers.state("openai"), call.model)
    visit = rig.gateway.route_states.enter(candidate, lambda candidate, state: None)
    attempt = Attempt("chat", "openai", "openai", call.model, "127.0.0.1", 1, stream=True)
    telemetry, fold = context.telemetry.start_attempt(attempt), ChatProvider().fold()
    record = AttemptRecord(context, attempt, candidate.state, visit, telemetry, fold, outcome_sinks(rig.telemetry))
    payload = Payload("/chat/completions", call.body, stream=True)
    sent = provider.request(payload, provider.timeouts(stream=True), provider.keys[0])
    response = await provider.send(sent)
    translation, splitter = DefectiveTranslation(record.fold), EventSplitter()
    answer = await begin_stream(call, CHAT, provider, translation, response, record, 5, splitter)
    assert answer.events is not None
    async with aclosing(answer.events) as events:
        whole = b"".join([data async for data in events])
    assert b"[DONE]" not in whole
    assert orjson.loads(whole.rstrip().rpartition(b"data: ")[2])["error"]["code"] == "internal_error"
    assert answer.error is not None
    assert rig.gateway.route_states.in_flight("openai") == 0
    (told,) = [attributes(one.attributes) for one in rig.spans()]
    assert told["error.type"] == "gateway_internal"


@pytest.mark.parametrize("stream", [False, True])
async def test_defect_in_pricing_costs_the_figures_but_neither_the_answer_nor_the_record(
    rig: Rig, stream: bool
) -> None:
    def price_of(provider: str, model: str, usage: Usage, response_model: str | None) -> Cost:
        raise ZeroDivisionError

    sinks = outcome_sinks(rig.telemetry)
    rig.gateway = Gateway(
        rig.providers, max_upstream_bytes=1_000_000, sinks=sinks, policy=FULL_AFTER_ONE, price_of=price_of
    )
    for _ in range(3):
        assert (await rig.ask("openai/ok", stream=stream)).provider == "openai"
    assert rig.gateway.route_states.in_flight("openai") == 0
    assert failures(rig) == {"outcome": 3, "route_state": 0, "telemetry": 0}
    assert [attributes(one.attributes)["http.response.status_code"] for one in rig.spans()] == [200] * 3


@pytest.mark.parametrize("stream", [False, True])
async def test_sink_that_raises_keeps_the_outcome_from_nobody_else(rig: Rig, stream: bool) -> None:
    sinks = OutcomeSinks((DefectiveSink(), RouteStateSink(), TelemetrySink()), rig.telemetry.record_outcome_failure)
    rig.gateway = Gateway(rig.providers, max_upstream_bytes=1_000_000, sinks=sinks, policy=FULL_AFTER_ONE)
    for _ in range(3):
        assert (await rig.ask("openai/ok", stream=stream)).provider == "openai"
    assert rig.gateway.route_states.in_flight("openai") == 0
    assert failures(rig) == {"outcome": 0, "route_state": 3, "telemetry": 0}
    assert len(rig.spans()) == 3
