"""A call on any wire, from its body to the last byte of its answer."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import aclosing
from typing import Protocol

from gatewayz.attempts.disconnect import Presence
from gatewayz.dataplane.endpoint import Served
from gatewayz.dataplane.http import EVENT_STREAM, JSON, UNBUFFERED, Exchange
from gatewayz.gateway import Answer
from gatewayz.records import Call, KeyIdentity
from gatewayz.telemetry.request import RequestTelemetry
from gatewayz.wires.base import CallerWire


class AnswersCalls(Protocol):
    """The part of the gateway that these endpoints ask."""

    async def answer(
        self,
        call: Call,
        caller: CallerWire,
        key: KeyIdentity | None,
        telemetry: RequestTelemetry,
        headers: Collection[tuple[bytes, bytes]] = (),
        presence: Presence | None = None,
    ) -> Answer: ...


async def answer_call(
    exchange: Exchange, served: Served, telemetry: RequestTelemetry, gateway: AnswersCalls, wire: CallerWire
) -> None:
    """Parses the call, asks the gateway, writes the answer. Raises a GatewayError while nothing has been written."""
    call = wire.parse(exchange.body)
    served.model = call.model
    served.stream = call.stream
    answer = await gateway.answer(call, wire, served.key, telemetry, exchange.scope["headers"], served.presence)
    served.provider = answer.provider
    await write_answer(exchange, served, answer)


async def write_answer(exchange: Exchange, served: Served, answer: Answer) -> None:
    """The answer as it comes; a failure in its midst ends up in ``served``."""
    if answer.events is None:
        await exchange.answer(answer.status, [JSON, *answer.headers], answer.body or b"")
        return
    try:
        async with aclosing(answer.events) as events:
            await exchange.start(answer.status, [EVENT_STREAM, *UNBUFFERED, *answer.headers])
            async for data in events:
                await exchange.part(data)
        served.error = answer.error
        await exchange.finish()
    finally:
        if answer.abandon is not None:
            answer.abandon()
