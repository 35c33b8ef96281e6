"""Errors in OpenAI's clothing."""

from __future__ import annotations

from gatewayz.dataplane.errors import error_headers
from gatewayz.dataplane.http import Exchange
from gatewayz.errors import GatewayError
from gatewayz.wires.openai_chat.request import error_body


async def answer_error(exchange: Exchange, error: GatewayError) -> None:
    """Sends ``error`` as OpenAI would: its status, its error object, ``Retry-After`` where it is known. A provider's own
    error object is handed on as it is where errors.py says it may be."""
    await exchange.answer(error.status, error_headers(error), error_body(error))
