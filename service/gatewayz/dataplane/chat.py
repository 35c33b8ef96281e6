"""POST /v1/chat/completions: OpenAI's chat wire."""

from __future__ import annotations

from contextlib import aclosing

from gatewayz.dataplane.endpoint import Served
from gatewayz.dataplane.http import EVENT_STREAM, JSON, UNBUFFERED, Exchange
from gatewayz.gateway import Gateway
from gatewayz.telemetry.requests import RequestTelemetry
from gatewayz.wires.chat import parse_chat_request


class ChatCompletions:
    """Parses the call, asks the gateway, writes the answer."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def post(self, exchange: Exchange, served: Served, telemetry: RequestTelemetry) -> None:
        call = parse_chat_request(exchange.body)
        served.model = call.model
        served.stream = call.stream
        answer = await self._gateway.chat(call, served.key, telemetry, exchange.scope["headers"])
        served.provider = answer.provider
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
