"""Errors in OpenAI's clothing."""

from __future__ import annotations

from math import ceil

from gatewayz.dataplane.http import JSON, Exchange, Headers
from gatewayz.errors import GatewayError, MethodNotAllowed, Unauthenticated
from gatewayz.wires.chat import error_body


async def answer_error(exchange: Exchange, error: GatewayError) -> None:
    """Sends ``error`` as OpenAI would: its status, its error object, ``Retry-After`` where it is known. A provider's own
    error object is handed on as it is where errors.py says it may be."""
    headers: Headers = [JSON]
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
    await exchange.answer(error.status, headers, error_body(error))
