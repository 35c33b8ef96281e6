"""POST /v1/completions: OpenAI's older completions."""

from __future__ import annotations

from gatewayz.dataplane.calls import AnswersCalls, answer_call
from gatewayz.dataplane.endpoint import Served
from gatewayz.dataplane.http import Exchange
from gatewayz.telemetry.request import RequestTelemetry
from gatewayz.wires.openai_completions.wire import CompletionsCaller


class Completions:
    """Completes texts: by providers that have the endpoint, and by chat models elsewhere."""

    def __init__(self, gateway: AnswersCalls) -> None:
        self._gateway = gateway
        self._wire = CompletionsCaller()

    async def post(self, exchange: Exchange, served: Served, telemetry: RequestTelemetry) -> None:
        await answer_call(exchange, served, telemetry, self._gateway, self._wire)
