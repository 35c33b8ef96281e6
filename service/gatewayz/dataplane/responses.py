"""/v1/responses/{response_id}: the gateway stores no responses, and answers with that error."""

from __future__ import annotations

from gatewayz.attempts.context import CallContext
from gatewayz.dataplane.http import Exchange
from gatewayz.errors import NotFound


async def no_stored_response(exchange: Exchange, context: CallContext) -> None:
    """Answers every request for a stored response: to find it, the gateway would have to remember for good which provider made
    it."""
    raise NotFound(
        "This gateway stores no responses: they cannot be retrieved, deleted or cancelled here, nor their input items "
        "listed. Keep what POST /v1/responses returns; to go on from it send the whole history as 'input' with "
        "'store': false, or 'previous_response_id' to a model whose provider stores responses itself.",
        code="responses_not_stored",
    )
