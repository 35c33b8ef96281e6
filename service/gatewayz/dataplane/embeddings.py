"""POST /v1/embeddings: OpenAI's embeddings wire."""

from __future__ import annotations

from gatewayz.dataplane.calls import AnswersCalls, answer_call
from gatewayz.dataplane.endpoint import Served
from gatewayz.dataplane.http import Exchange
from gatewayz.telemetry.request import RequestTelemetry
from gatewayz.wires.embeddings.openai import EmbeddingsCaller


class Embeddings:
    """Parses the call, asks the gateway, writes the answer; embeddings do not stream."""

    def __init__(self, gateway: AnswersCalls) -> None:
        self._gateway = gateway
        self._wire = EmbeddingsCaller()

    async def post(self, exchange: Exchange, served: Served, telemetry: RequestTelemetry) -> None:
        await answer_call(exchange, served, telemetry, self._gateway, self._wire)
