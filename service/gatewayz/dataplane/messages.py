"""POST /v1/messages and /v1/messages/count_tokens: Anthropic's wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gatewayz.dataplane.answers import AnswersCalls, answer_call
from gatewayz.dataplane.anthropic_errors import request_id_header
from gatewayz.dataplane.endpoint import Served
from gatewayz.dataplane.http import JSON, Exchange
from gatewayz.providers.base import Providers
from gatewayz.records import Call
from gatewayz.routing.candidates import candidates_for
from gatewayz.telemetry.requests import RequestTelemetry
from gatewayz.wires.messages import MessagesCaller, TokenCount

Counter = Callable[[Call, Served, RequestTelemetry], Awaitable[int | None]]
"""Asks a provider to count; None where none of those that serve the model can."""


class Messages:
    """Creates messages."""

    def __init__(self, gateway: AnswersCalls) -> None:
        self._gateway = gateway
        self._wire = MessagesCaller()

    async def post(self, exchange: Exchange, served: Served, telemetry: RequestTelemetry) -> None:
        exchange.common_headers.extend(request_id_header(exchange))
        await answer_call(exchange, served, telemetry, self._gateway, self._wire)


class CountTokens:
    """Counts by the provider where one can (``count``), else by estimate; the answer says which, since the two must not be
    taken for each other."""

    def __init__(self, providers: Providers, count: Counter | None = None) -> None:
        self._providers = providers
        self._count = count
        self._wire = TokenCount()

    async def post(self, exchange: Exchange, served: Served, telemetry: RequestTelemetry) -> None:
        call = self._wire.parse(exchange.body)
        served.model = call.model
        candidates_for(call.model, self._providers)  # raises where nobody has the model
        counted = await self._count(call, served, telemetry) if self._count is not None else None
        source = b"estimate" if counted is None else b"provider"
        tokens = self._wire.estimate(call) if counted is None else counted
        headers = [JSON, (b"x-gatewayz-usage-source", source), *request_id_header(exchange)]
        await exchange.answer(200, headers, self._wire.reply(tokens))
