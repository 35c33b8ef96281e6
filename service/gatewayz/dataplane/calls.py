"""A call on any wire, from its body to the last byte of its answer."""

from __future__ import annotations

from contextlib import aclosing
from typing import Protocol

from gatewayz.attempts.answer import Answer
from gatewayz.attempts.context import CallContext
from gatewayz.dataplane.http import EVENT_STREAM, JSON, UNBUFFERED, Exchange
from gatewayz.dataplane.route import Handler
from gatewayz.records import Call
from gatewayz.wires.base import CallerWire


class AnswersCalls(Protocol):
    """The part of the gateway that these endpoints need."""

    async def answer(self, call: Call, caller_wire: CallerWire, context: CallContext) -> Answer: ...


def answers_calls(gateway: AnswersCalls, wire: CallerWire) -> Handler:
    """The handler of an endpoint whose requests are calls on ``wire``."""

    async def answer_call(exchange: Exchange, context: CallContext) -> None:
        call = wire.parse(exchange.body)
        context.model = call.model
        context.stream = call.stream
        answer = await gateway.answer(call, wire, context)
        context.provider = answer.provider
        await write_answer(exchange, context, answer)

    return answer_call


async def write_answer(exchange: Exchange, context: CallContext, answer: Answer) -> None:
    """The answer as it comes. If a stream fails on the way, ``context.error`` is set in the end."""
    if answer.events is None:
        await exchange.answer(answer.status, [JSON, *answer.headers], answer.body or b"")
        return
    try:
        async with aclosing(answer.events) as events:
            await exchange.start(answer.status, [EVENT_STREAM, *UNBUFFERED, *answer.headers])
            async for data in events:
                await exchange.part(data)
        context.error = answer.error
        await exchange.finish()
    finally:
        if answer.abandon is not None:
            answer.abandon()
