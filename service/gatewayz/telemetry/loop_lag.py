"""How long does the event loop keep its timers waiting?

A timer that should fire every 100 ms notes how late it was. What blocks the loop (a long computation, a blocking call)
shows as the longest delay of the last seconds, also while it still lasts.
"""

from __future__ import annotations

import asyncio

TICK_S = 0.1
WINDOW_TICKS = 50
"""The longest delay is kept for one to two windows of 5 s, so that an export every 5 s cannot miss it."""


class LoopLag:
    """Watch a loop from within it; read from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = 0.0
        self._longest_s = 0.0
        self._longest_before_s = 0.0
        self._ticks = 0
        self._stopped = False

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call it on the loop's thread, once."""
        self._loop = loop
        self._schedule(loop)

    def stop(self) -> None:
        """Let the timer lapse; any thread."""
        self._stopped = True

    def seconds(self) -> float | None:
        """The longest delay lately, or None if nothing is watched."""
        loop = self._loop
        if loop is None or self._stopped or loop.is_closed():
            return None
        return max(self._longest_s, self._longest_before_s, loop.time() - self._due)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + TICK_S
        loop.call_at(self._due, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._stopped:
            return
        self._longest_s = max(self._longest_s, loop.time() - self._due)
        self._ticks += 1
        if self._ticks >= WINDOW_TICKS:
            self._longest_before_s, self._longest_s, self._ticks = self._longest_s, 0.0, 0
        self._schedule(loop)
