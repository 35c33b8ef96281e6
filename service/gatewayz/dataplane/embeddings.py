"""POST /v1/embeddings: OpenAI's embeddings wire."""

from __future__ import annotations

from typing import Protocol

from gatewayz.dataplane.endpoint import Served
from gatewayz.dataplane.http import JSON, Exchange
from gatewayz.gateway import Answer
from gatewayz.records import Call, KeyIdentity
from gatewayz.telemetry.requests import RequestTelemetry
from gatewayz.wires.embeddings import parse_embeddings_request


class AnswersEmbeddings(Protocol):
    """The part of the gateway that this endpoint asks."""

    async def embeddings(self, call: Call, key: KeyIdentity | None, telemetry: RequestTelemetry) -> Answer: ...


class Embeddings:
    """Parses the call, asks the gateway, writes the answer; embeddings do not stream."""

    def __init__(self, gateway: AnswersEmbeddings) -> None:
        self._gateway = gateway

    async def post(self, exchange: Exchange, served: Served, telemetry: RequestTelemetry) -> None:
        call = parse_embeddings_request(exchange.body)
        served.model = call.model
        answer = await self._gateway.embeddings(call, served.key, telemetry)
        served.provider = answer.provider
        await exchange.answer(answer.status, [JSON, *answer.headers], answer.body or b"")
