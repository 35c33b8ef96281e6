"""Errors in the format of OpenAI's API. Pure: no I/O, no clock."""

from __future__ import annotations

import orjson

from gatewayz.errors import GatewayError, ProviderError
from gatewayz.wires.sse import event_of


def error_body(error: GatewayError) -> bytes:
    """The error as OpenAI's clients read it: the provider's own object where it may be forwarded, otherwise ours."""
    if isinstance(error, ProviderError) and error.body is not None:
        return error.body
    return orjson.dumps(
        {"error": {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}}
    )


def error_event(error: GatewayError) -> bytes:
    """The error event of a stream that has begun. OpenAI's clients raise it when ``error`` is a member of the data."""
    return event_of(error_body(error))
