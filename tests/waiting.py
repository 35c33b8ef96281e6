"""Waiting inside an event loop for what happens elsewhere, with an end to it. (Outside of one: polling.py.)"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], within_s: float = 30) -> None:
    """Return as soon as ``condition`` holds. Raises TimeoutError if it does not within ``within_s``."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - clocks, caches and other processes set no event
            await asyncio.sleep(0.02)
