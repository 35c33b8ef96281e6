"""POST /v1/responses: OpenAI's Responses API."""

from __future__ import annotations

from gatewayz.dataplane.calls import AnswersCalls, answer_call
from gatewayz.dataplane.endpoint import Served
from gatewayz.dataplane.http import Exchange
from gatewayz.errors import NotFound
from gatewayz.telemetry.request import RequestTelemetry
from gatewayz.wires.openai_responses.wire import ResponsesCaller


class Responses:
    """Creates responses, and says plainly that it keeps none."""

    def __init__(self, gateway: AnswersCalls) -> None:
        self._gateway = gateway
        self._wire = ResponsesCaller()

    async def post(self, exchange: Exchange, served: Served, telemetry: RequestTelemetry) -> None:
        await answer_call(exchange, served, telemetry, self._gateway, self._wire)

    async def refuse(self, exchange: Exchange, served: Served, telemetry: RequestTelemetry) -> None:
        """All that is asked of a response that was made: the gateway would have to remember, for good, who made which."""
        raise NotFound(
            "This gateway stores no responses: they cannot be retrieved, deleted or cancelled here, nor their input items "
            "listed. Keep what POST /v1/responses returns; to go on from it send the whole history as 'input' with "
            "'store': false, or 'previous_response_id' to a model whose provider stores responses itself.",
            code="responses_not_stored",
        )
