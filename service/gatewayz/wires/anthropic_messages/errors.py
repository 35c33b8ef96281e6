"""Errors in the format of Anthropic's API: ``{"type": "error", "error": {"type": …, "message": …}}``.

Its clients choose the exception by the HTTP status. Inside a stream, where the status is 200, they choose it by
``error.type``.
"""

from __future__ import annotations

import orjson

from gatewayz.errors import GatewayError, Overloaded, ProviderError, ProviderOverloaded
from gatewayz.wires.json_values import object_of, text_of

NO_THREADS = "thread_unsupported_request"
"""The error code by which Anthropic's SDKs learn that the server keeps no conversation for them (``thread``). Their tool
runner then sends the whole conversation instead."""

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}


def error_kind(error: GatewayError) -> str:
    """Anthropic's ``error.type`` for it."""
    if isinstance(error, Overloaded | ProviderOverloaded):
        return "overloaded_error"
    return _KINDS.get(error.status) or ("invalid_request_error" if error.status < 500 else "api_error")


def error_body(error: GatewayError, request_id: str | None = None) -> bytes:
    """The error as Anthropic's clients read it, with the provider's own message where that may be forwarded."""
    message = error.message
    if isinstance(error, ProviderError) and error.body is not None:
        # Errors of all wires have one shape here: refusals/reason.py has converted them.
        message = text_of(object_of(object_of(orjson.loads(error.body)).get("error")).get("message")) or message
    members: dict[str, object] = {"type": error_kind(error), "message": message}
    if error.code == NO_THREADS:
        members["details"] = {"error_code": NO_THREADS, "unsupported": [error.param]}
    body: dict[str, object] = {"type": "error", "error": members}
    if request_id is not None:
        body["request_id"] = request_id
    return orjson.dumps(body)


def error_event(error: GatewayError) -> bytes:
    """The error event of a stream that has begun."""
    return b"event: error\ndata: " + error_body(error) + b"\n\n"
