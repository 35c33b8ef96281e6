"""May one more attempt be made? A worker's budget for attempts beyond each request's first.

Each request brings a fifth of an attempt, a few are there from the start, and one that ends well gives back what it took. So
when everything fails there are at most 1.2 attempts per request and three more, while a single failing provider costs nothing:
its fallbacks succeed. When many requests need one at the same moment they wait for those that are on loan; and once a
substitute has shown that it answers, going there takes nothing from the budget. (The shares are those of Envoy's retry budget:
20 % of what is active, at least 3.)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Literal

from gatewayz.routing.policy import RetryPolicy

Grant = Literal["lent", "free", "refused"]
"""May another attempt be made? What is ``lent`` must be settled."""

_Waiting = tuple["asyncio.Future[Grant]", Callable[[], bool]]


class RetryBudget:
    """``clock`` is monotonic, in seconds."""

    __slots__ = ("_active", "_called_s", "_clock", "_lent", "_policy", "_tokens", "_waiting")

    def __init__(self, policy: RetryPolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._tokens = policy.budget_min
        self._called_s = clock()
        self._active = 0
        self._lent = 0
        self._waiting: deque[_Waiting] = deque()

    def request_began(self) -> None:
        self._active += 1
        self._tokens = min(self._tokens + self._policy.budget_share, self._cap())
        now_s = self._clock()
        if now_s - self._called_s >= self._policy.budget_rest_s and self._tokens < self._policy.budget_min:
            self._tokens = self._policy.budget_min
        self._called_s = now_s
        if self._waiting:
            self._serve()

    def request_ended(self) -> None:
        self._active -= 1
        self._tokens = min(self._tokens, self._cap())

    async def take(self, free: Callable[[], bool], within_s: float) -> Grant:
        """``free``: whether the attempt goes where it is not one too many. Waits at most ``within_s`` for what is on loan."""
        if free():
            return "free"
        if not self._waiting and self._lend():
            return "lent"
        if not self._lent:
            return "refused"
        future: asyncio.Future[Grant] = asyncio.get_running_loop().create_future()
        self._waiting.append((future, free))
        try:
            async with asyncio.timeout(within_s):
                return await future
        except TimeoutError:
            return _result(future)  # it may have come at the same moment
        except asyncio.CancelledError:
            if _result(future) == "lent":
                self.settle(well=True)  # never used
            raise
        finally:
            future.cancel()

    def settle(self, *, well: bool) -> None:
        """What was taken is over; ``well``: it has answered, or was not used."""
        self._lent -= 1
        if well:
            self._tokens = min(self._tokens + 1.0, self._cap())
        self._serve()

    def _serve(self) -> None:
        """Those who wait, in their order, as far as it goes; nobody keeps waiting if none is left who could give one back."""
        waiting, self._waiting = self._waiting, deque()
        for future, free in waiting:
            if future.done():
                continue
            if free():
                future.set_result("free")
            elif not self._waiting and self._lend():
                future.set_result("lent")
            elif self._lent:
                self._waiting.append((future, free))
            else:
                future.set_result("refused")

    def _lend(self) -> bool:
        if self._tokens < 1.0 - 1e-9:
            return False
        self._tokens -= 1.0
        self._lent += 1
        return True

    def _cap(self) -> float:
        return self._policy.budget_min + self._policy.budget_share * self._active


def _result(future: asyncio.Future[Grant]) -> Grant:
    return future.result() if future.done() and not future.cancelled() else "refused"
