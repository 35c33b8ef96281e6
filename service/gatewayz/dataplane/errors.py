"""How the data plane answers a request that failed: status, headers, and the error object of either vendor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gatewayz.dataplane.http import JSON, Exchange, Headers
from gatewayz.errors import GatewayError, MethodNotAllowed, Unauthenticated
from gatewayz.wires.anthropic_messages.errors import error_body as anthropic_body
from gatewayz.wires.openai_chat.errors import error_body as openai_body


@dataclass(frozen=True, slots=True)
class ErrorFormat:
    """What one vendor's clients expect of an error. ``body`` gets the error and the request's id."""

    body: Callable[[GatewayError, str], bytes]
    request_id_header: bytes | None = None
    """The name under which its clients show a request's id, beside ``x-request-id``; every answer of the route has both."""


OPENAI = ErrorFormat(lambda error, request_id: openai_body(error))
ANTHROPIC = ErrorFormat(anthropic_body, b"request-id")


async def answer_error(exchange: Exchange, error: GatewayError, error_format: ErrorFormat, request_id: str) -> None:
    """Sends ``error``. A provider's own error object is sent as it is where errors.py says that the caller may get it."""
    await exchange.answer(error.status, error_headers(error), error_format.body(error, request_id))


def error_headers(error: GatewayError) -> Headers:
    """The content type; when to come back, and what would be accepted; which provider failed, and its own headers."""
    headers: Headers = [JSON]
    if (seconds := error.retry_after()) is not None:
        headers.append((b"retry-after", seconds.encode()))
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b'Bearer realm="gatewayz"'))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    if error.provider is not None:
        headers.append((b"x-gatewayz-provider", error.provider.encode()))
    headers.extend(error.headers)
    return headers
