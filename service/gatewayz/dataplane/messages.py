"""POST /v1/messages and /v1/messages/count_tokens: Anthropic's wire."""

from __future__ import annotations

from gatewayz.dataplane.anthropic_errors import request_id_header
from gatewayz.dataplane.calls import AnswersCalls, answer_call, write_answer
from gatewayz.dataplane.endpoint import Served
from gatewayz.dataplane.http import JSON, Exchange
from gatewayz.errors import ProviderBadRequest
from gatewayz.gateway import Answer
from gatewayz.providers.registry import Providers
from gatewayz.records import Call
from gatewayz.routing.candidates import candidates_for
from gatewayz.telemetry.request import RequestTelemetry
from gatewayz.wires.anthropic_messages.count_tokens import TOKEN_COUNT, count_reply, estimate_input_tokens
from gatewayz.wires.anthropic_messages.wire import MessagesCaller
from gatewayz.wires.refusals.by_status import no_such_endpoint


class Messages:
    """Creates messages."""

    def __init__(self, gateway: AnswersCalls) -> None:
        self._gateway = gateway
        self._wire = MessagesCaller()

    async def post(self, exchange: Exchange, served: Served, telemetry: RequestTelemetry) -> None:
        exchange.common_headers.extend(request_id_header(exchange))
        await answer_call(exchange, served, telemetry, self._gateway, self._wire)


class CountTokens:
    """Counts by a provider of the model that can, else by estimate; the answer says which (``x-gatewayz-usage-source``), since
    the two must not be taken for each other."""

    def __init__(self, gateway: AnswersCalls, providers: Providers) -> None:
        self._gateway = gateway
        self._providers = providers

    async def post(self, exchange: Exchange, served: Served, telemetry: RequestTelemetry) -> None:
        exchange.common_headers.extend(request_id_header(exchange))
        call = TOKEN_COUNT.parse(exchange.body)
        served.model = call.model
        answer = await self._counted(exchange, call, served, telemetry)
        if answer is not None:
            served.provider = answer.provider
            answer.headers.append((b"x-gatewayz-usage-source", b"provider"))
            await write_answer(exchange, served, answer)
            return
        headers = [JSON, (b"x-gatewayz-usage-source", b"estimate")]
        await exchange.answer(200, headers, count_reply(estimate_input_tokens(call)))

    async def _counted(
        self, exchange: Exchange, call: Call, served: Served, telemetry: RequestTelemetry
    ) -> Answer | None:
        """A provider's count; None where none of the model's providers counts. Raises what the gateway raises."""
        candidates = candidates_for(call.model, self._providers)
        if not any(TOKEN_COUNT.name in candidate.provider.wires for candidate in candidates):
            return None
        try:
            return await self._gateway.answer(call, TOKEN_COUNT, served.key, telemetry, exchange.scope["headers"])
        except ProviderBadRequest as error:
            if no_such_endpoint(error):  # some speak the wire without this one
                return None
            raise
