"""Errors in Anthropic's clothing."""

from __future__ import annotations

from gatewayz.dataplane.errors import error_headers
from gatewayz.dataplane.http import Exchange, Headers
from gatewayz.errors import GatewayError
from gatewayz.wires.anthropic_messages.errors import error_body


async def answer_error(exchange: Exchange, error: GatewayError) -> None:
    """Sends ``error`` as Anthropic would: its status, its error object with the request's id, ``Retry-After`` where it is
    known."""
    headers = [*request_id_header(exchange), *error_headers(error)]
    request_id = _request_id(exchange)
    await exchange.answer(error.status, headers, error_body(error, request_id.decode() if request_id else None))


def request_id_header(exchange: Exchange) -> Headers:
    """The request's id under the name by which Anthropic's clients show it, beside the one that all our answers have."""
    request_id = _request_id(exchange)
    told = any(name == b"request-id" for name, _ in exchange.common_headers)
    return [] if request_id is None or told else [(b"request-id", request_id)]


def _request_id(exchange: Exchange) -> bytes | None:
    return next((value for name, value in exchange.common_headers if name == b"x-request-id"), None)
