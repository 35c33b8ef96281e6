"""Errors in Anthropic's clothing."""

from __future__ import annotations

from math import ceil

from gatewayz.dataplane.http import JSON, Exchange, Headers
from gatewayz.errors import GatewayError, MethodNotAllowed, Unauthenticated
from gatewayz.wires.messages_errors import error_body


async def answer_error(exchange: Exchange, error: GatewayError) -> None:
    """Sends ``error`` as Anthropic would: its status, its error object with the request's id, ``Retry-After`` where it is
    known."""
    headers: Headers = [JSON, *request_id_header(exchange)]
    if error.retry_after_s is not None:
        # Rounded up: a client that comes back a fraction early would be refused again.
        headers.append((b"retry-after", b"%d" % ceil(error.retry_after_s)))
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b'Bearer realm="gatewayz"'))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    if error.provider is not None:
        headers.append((b"x-gatewayz-provider", error.provider.encode()))
    headers.extend(error.headers)
    request_id = _request_id(exchange)
    await exchange.answer(error.status, headers, error_body(error, request_id.decode() if request_id else None))


def request_id_header(exchange: Exchange) -> Headers:
    """The request's id under the name by which Anthropic's clients show it, beside the one that all our answers have."""
    request_id = _request_id(exchange)
    told = any(name == b"request-id" for name, _ in exchange.common_headers)
    return [] if request_id is None or told else [(b"request-id", request_id)]


def _request_id(exchange: Exchange) -> bytes | None:
    return next((value for name, value in exchange.common_headers if name == b"x-request-id"), None)
