"""Does the caller disconnect before its answer is complete?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gatewayz.dataplane.http import Exchange

WATCH_AFTER_S = 0.2
"""Most requests are answered sooner and need no watching, and a task costs more than all the parsing. A caller that disconnects
is still noticed well within a second."""


class DisconnectWatch:
    """Cancels the task that serves a request when its caller disconnects before the answer is complete. ``on_disconnect`` returns
    in how many seconds."""

    __slots__ = ("_exchange", "_on_disconnect", "_serving", "_timer", "_watching", "disconnected")

    def __init__(self, exchange: Exchange, serving: asyncio.Task[None], on_disconnect: Callable[[], float]) -> None:
        self.disconnected = False
        self._exchange = exchange
        self._on_disconnect = on_disconnect
        self._serving = serving
        self._timer: asyncio.TimerHandle | None = None
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Once the body is read: until then its reader notices a disconnect."""
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._begin)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        await self._exchange.wait_for_disconnect()
        if self._exchange.complete:
            return
        self.disconnected = True
        if wait_s := self._on_disconnect():
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._serving.cancel)
        else:
            self._serving.cancel()
