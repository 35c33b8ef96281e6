"""POST /v1/responses: OpenAI's Responses API."""

from __future__ import annotations

from gatewayz.dataplane.answers import AnswersCalls, answer_call
from gatewayz.dataplane.endpoint import Served
from gatewayz.dataplane.http import Exchange
from gatewayz.telemetry.requests import RequestTelemetry
from gatewayz.wires.responses import ResponsesCaller


class Responses:
    """Creates responses. To fetch or delete one, or to cancel it, the gateway would have to remember who made it."""

    def __init__(self, gateway: AnswersCalls) -> None:
        self._gateway = gateway
        self._wire = ResponsesCaller()

    async def post(self, exchange: Exchange, served: Served, telemetry: RequestTelemetry) -> None:
        await answer_call(exchange, served, telemetry, self._gateway, self._wire)
