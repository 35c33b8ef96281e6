"""The body of a provider's error answer."""

from __future__ import annotations

import asyncio

from gatewayz.errors import GatewayError
from gatewayz.upstream import UpstreamResponse
from gatewayz.wires.refusals.reason import MAX_ERROR_BYTES

ERROR_BODY_TIMEOUT_S = 5.0
"""The status has said what matters: neither the caller nor another provider need wait longer for the rest."""


async def read_error_body(response: UpstreamResponse) -> bytes:
    """The body; empty where it is too long, too slow or cut: the status and the headers count all the same."""
    body = bytearray()
    try:
        async with asyncio.timeout(ERROR_BODY_TIMEOUT_S):
            async for chunk in response.chunks():
                body += chunk
                if len(body) > MAX_ERROR_BYTES:
                    return b""
    except (TimeoutError, GatewayError):
        return b""
    return bytes(body)
