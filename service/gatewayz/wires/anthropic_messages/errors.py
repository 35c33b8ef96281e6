"""Errors in the words of Anthropic's API: ``{"type": "error", "error": {"type": …, "message": …}}``.

Its clients choose the exception by the HTTP status, and inside a stream, where the status says 200, by ``error.type``.
"""

from __future__ import annotations

import orjson

from gatewayz.errors import GatewayError, Overloaded, ProviderError, ProviderOverloaded
from gatewayz.wires.json_values import object_of, text_of

NO_THREADS = "thread_unsupported_request"
"""The code of an error by which Anthropic's SDKs know that the server holds no conversation for them (``thread``): what they
run with tools goes on without, sending the whole of it."""

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
    """Anthropic's word for it."""
    if isinstance(error, Overloaded | ProviderOverloaded):
        return "overloaded_error"
    return _KINDS.get(error.status) or ("invalid_request_error" if error.status < 500 else "api_error")


def error_body(error: GatewayError, request_id: str | None = None) -> bytes:
    """The error as Anthropic's clients read it. Where a provider's own error may be handed on, with its message."""
    message = error.message
    if isinstance(error, ProviderError) and error.body is not None:
        # Of whatever wire the provider is: provider_errors.py has brought its error into the one shape.
        message = text_of(object_of(object_of(orjson.loads(error.body)).get("error")).get("message")) or message
    told: dict[str, object] = {"type": error_kind(error), "message": message}
    if error.code == NO_THREADS:
        told["details"] = {"error_code": NO_THREADS, "unsupported": [error.param]}
    body: dict[str, object] = {"type": "error", "error": told}
    if request_id is not None:
        body["request_id"] = request_id
    return orjson.dumps(body)


def error_event(error: GatewayError) -> bytes:
    """The error inside a stream that has begun."""
    return b"event: error\ndata: " + error_body(error) + b"\n\n"
