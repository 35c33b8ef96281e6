"""Is it ready? Asks a URL until it answers 200."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit


async def answers(url: str, timeout_s: float = 2.0) -> bool:
    """True if a GET of ``url`` (plain HTTP) is answered with status 200 in time. Never raises for a failing server."""
    parts = urlsplit(url)
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            try:
                writer.write(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
                status_line = await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, ValueError):
        return False
    words = status_line.split()
    return len(words) >= 2 and words[0].startswith(b"HTTP/") and words[1] == b"200"
