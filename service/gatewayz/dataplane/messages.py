"""POST /v1/messages/count_tokens: Anthropic's count of a request's input tokens."""

from __future__ import annotations

from gatewayz.attempts.answer import Answer
from gatewayz.attempts.context import CallContext
from gatewayz.attempts.prepare import NOT_COUNTABLE
from gatewayz.dataplane.calls import AnswersCalls, write_answer
from gatewayz.dataplane.http import JSON, Exchange
from gatewayz.dataplane.route import Handler
from gatewayz.errors import GatewayError, InvalidRequest, ProviderBadRequest
from gatewayz.records import Call
from gatewayz.wires.anthropic_messages.count_tokens import TOKEN_COUNT, count_reply, estimate_input_tokens
from gatewayz.wires.refusals.by_status import no_such_endpoint

SOURCE = b"x-gatewayz-usage-source"
"""Whether a provider counted or the gateway estimated: the two must not be mistaken for each other."""


def counts_tokens(gateway: AnswersCalls) -> Handler:
    """The handler. A provider counts, where one of the model's providers can; else the gateway estimates."""

    async def count_tokens(exchange: Exchange, context: CallContext) -> None:
        call = TOKEN_COUNT.parse(exchange.body)
        context.model = call.model
        answer = await _counted(gateway, call, context)
        if answer is not None:
            context.provider = answer.provider
            answer.headers.append((SOURCE, b"provider"))
            await write_answer(exchange, context, answer)
            return
        await exchange.answer(200, [JSON, (SOURCE, b"estimate")], count_reply(estimate_input_tokens(call)))

    return count_tokens


async def _counted(gateway: AnswersCalls, call: Call, context: CallContext) -> Answer | None:
    """A provider's count; None where none of the model's providers counts."""
    try:
        return await gateway.answer(call, TOKEN_COUNT, context)
    except GatewayError as error:
        if _nobody_counts(error):
            return None
        raise


def _nobody_counts(error: GatewayError) -> bool:
    """Whether no candidate uses this wire, or those that do lack this endpoint of it."""
    if isinstance(error, InvalidRequest):
        return error.code == NOT_COUNTABLE
    return isinstance(error, ProviderBadRequest) and no_such_endpoint(error)
