"""What a defect of our own may not do: keep a place, end a stream as if it were whole, or look like the caller's doing."""

from __future__ import annotations

import time
from contextlib import aclosing

import orjson
import pytest

from gatewayz.attempts.record import AttemptRecord
from gatewayz.attempts.stream import begin_stream
from gatewayz.gateway import Gateway
from gatewayz.records import Attempt, Cost, HttpRequest, Usage
from gatewayz.routing.candidates import Candidate
from gatewayz.routing.policy import RoutingPolicy
from gatewayz.wires.fold import EventKind, Fold
from gatewayz.wires.openai_chat.wire import ChatProvider
from gatewayz.wires.sse import EventSplitter
from tests.fakes.otlp import attributes
from tests.unit.gateway.conftest import CHAT, HELLO, Rig


class Defective:
    """A translation with a mistake in it that shows at the third event."""

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


async def test_a_stream_that_our_own_defect_ends_says_so(rig: Rig) -> None:
    provider = rig.providers["openai"]
    body = {"model": "paced-5-tokens-20-ms", "stream": True, **HELLO}
    call = CHAT.parse(orjson.dumps(body))
    request = rig.telemetry.start_request(
        HttpRequest("POST", "/v1", "/v1", "http", "1.1", (), "req-1", time.time_ns(), key=None)
    )
    span = request.start_attempt(
        Attempt(
            operation="chat",
            provider="openai",
            otel_provider="openai",
            model=call.model,
            server_address="127.0.0.1",
            server_port=1,
            stream=True,
            number=1,
            reason="first",
        )
    )
    visit = rig.gateway.routes.enter(Candidate(provider, call.model), lambda candidate, state: None)
    record = AttemptRecord(provider, call.model, span, visit, ChatProvider().fold())
    sent = provider.request("/chat/completions", call.body, True, key=provider.take_key(call.model, 0))
    response = await provider.upstream.send(sent)
    answer = await begin_stream(call, CHAT, provider, Defective(record.fold), response, record, 5, EventSplitter())
    assert answer.events is not None
    async with aclosing(answer.events) as events:
        whole = b"".join([data async for data in events])
    assert b"[DONE]" not in whole
    assert orjson.loads(whole.rstrip().rpartition(b"data: ")[2])["error"]["code"] == "internal_error"
    assert answer.error is not None
    assert rig.gateway.routes.in_flight("openai") == 0
    (told,) = [attributes(one.attributes) for one in rig.spans()]
    assert told["error.type"] == "gateway_internal"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_defect_in_the_counting_keeps_no_place(rig: Rig, stream: bool) -> None:
    def price_of(provider: str, model: str, usage: Usage, response_model: str | None) -> Cost:
        raise ZeroDivisionError

    policy = RoutingPolicy(max_in_flight=1, provider_in_flight=1)
    rig.gateway = Gateway(rig.providers, max_upstream_bytes=1_000_000, policy=policy, price_of=price_of)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await rig.ask("openai/ok", stream=stream)
    assert rig.gateway.routes.in_flight("openai") == 0
