"""May one more attempt be made? A worker's budget for attempts beyond each call's first.

Each call adds a fifth of an attempt to the budget, a few are there from the start, and an attempt that succeeds gives back what
it took. So when everything fails there are at most 1.2 attempts per call and three more, while a single failing provider costs
nothing: its fallbacks succeed. When many calls need an attempt at the same moment they wait for the reserved ones; and once a
substitute has shown that it answers, attempts there are free. (The shares are those of Envoy's retry budget: 20 % of what is
active, at least 3.)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Literal

from gatewayz.config import RetryPolicy

Grant = Literal["reserved", "free", "denied"]
"""May another attempt be made? One that is ``reserved`` must be released."""

_Waiting = tuple["asyncio.Future[Grant]", Callable[[], bool]]


class RetryBudget:
    """``clock`` is monotonic, in seconds."""

    __slots__ = ("_active", "_clock", "_last_call_s", "_policy", "_reserved", "_tokens", "_waiting")

    def __init__(self, policy: RetryPolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._tokens = policy.budget_min
        self._last_call_s = clock()
        self._active = 0
        self._reserved = 0
        self._waiting: deque[_Waiting] = deque()

    def call_began(self) -> None:
        self._active += 1
        self._tokens = min(self._tokens + self._policy.budget_share, self._cap())
        now_s = self._clock()
        if now_s - self._last_call_s >= self._policy.budget_rest_s and self._tokens < self._policy.budget_min:
            self._tokens = self._policy.budget_min
        self._last_call_s = now_s
        if self._waiting:
            self._answer_waiting()

    def call_ended(self) -> None:
        self._active -= 1
        self._tokens = min(self._tokens, self._cap())

    async def take(self, free: Callable[[], bool], within_s: float) -> Grant:
        """``free``: whether the attempt goes to a candidate that has just answered. Waits at most ``within_s`` seconds for a
        reserved attempt to be released."""
        if free():
            return "free"
        if not self._waiting and self._reserve():
            return "reserved"
        if not self._reserved:
            return "denied"
        future: asyncio.Future[Grant] = asyncio.get_running_loop().create_future()
        self._waiting.append((future, free))
        try:
            async with asyncio.timeout(within_s):
                return await future
        except TimeoutError:
            return _result(future)  # it may have come at the same moment
        except asyncio.CancelledError:
            if _result(future) == "reserved":
                self.release(success=True)  # never used
            raise
        finally:
            future.cancel()

    def release(self, *, success: bool) -> None:
        """A reserved attempt is over; ``success``: it has answered, or was not made."""
        self._reserved -= 1
        if success:
            self._tokens = min(self._tokens + 1.0, self._cap())
        self._answer_waiting()

    def _answer_waiting(self) -> None:
        """Answers those that wait, in their order, as far as the budget goes. When no reserved attempt is left, none waits on."""
        waiting, self._waiting = self._waiting, deque()
        for future, free in waiting:
            if future.done():
                continue
            if free():
                future.set_result("free")
            elif not self._waiting and self._reserve():
                future.set_result("reserved")
            elif self._reserved:
                self._waiting.append((future, free))
            else:
                future.set_result("denied")

    def _reserve(self) -> bool:
        if self._tokens < 1.0 - 1e-9:
            return False
        self._tokens -= 1.0
        self._reserved += 1
        return True

    def _cap(self) -> float:
        return self._policy.budget_min + self._policy.budget_share * self._active


def _result(future: asyncio.Future[Grant]) -> Grant:
    return future.result() if future.done() and not future.cancelled() else "denied"
