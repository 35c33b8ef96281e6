"""Waiting for something that comes in its own time, without sleeping longer than needed: outside an event loop, and inside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 30.0
"""Generous: a loaded machine is no failure."""


def eventually(look: Callable[[], T | None], *, deadline_s: float = DEADLINE_S, every_s: float = 0.02) -> T:
    """What ``look`` returns as soon as that is true. AssertionError with its last value after ``deadline_s``."""
    until = time.monotonic() + deadline_s
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < until, f"not within {deadline_s} s; last seen: {seen!r}"
        time.sleep(every_s)


async def until(look: Callable[[], T | None], *, deadline_s: float = DEADLINE_S, every_s: float = 0.02) -> T:
    """``eventually`` for a test inside an event loop."""
    end = time.monotonic() + deadline_s
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < end, f"not within {deadline_s} s; last seen: {seen!r}"
        await asyncio.sleep(every_s)
