"""What a provider says under an error status."""

from __future__ import annotations

import asyncio

from gatewayz.errors import GatewayError
from gatewayz.upstream import UpstreamResponse

MAX_ERROR_BYTES = 65_536
"""An error object larger than this is not an error object."""

REFUSAL_S = 5.0
"""For the body of a refusal. The status has said what matters; its caller, or another provider, need not wait for the rest."""


async def read_refusal(response: UpstreamResponse) -> bytes:
    """The body, or nothing where it is too long, too slow or cut: the status and the headers count all the same."""
    said = bytearray()
    try:
        async with asyncio.timeout(REFUSAL_S):
            async for chunk in response.chunks():
                said += chunk
                if len(said) > MAX_ERROR_BYTES:
                    return b""
    except (TimeoutError, GatewayError):
        return b""
    return bytes(said)
