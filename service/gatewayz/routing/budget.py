"""May one more attempt be made? A worker's budget for attempts beyond each request's first.

Each request brings a fifth of an attempt, a few are there from the start, and one that ends well gives back what it took. So
when everything fails there are at most 1.2 attempts per request and three more, while a single failing provider costs nothing:
its fallbacks succeed. When many requests need one at the same moment they wait for those that are on loan. (The shares are
those of Envoy's retry budget: 20 % of what is active, at least 3.)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from gatewayz.routing.policy import RetryPolicy


class RetryBudget:
    """``clock`` is monotonic, in seconds."""

    __slots__ = ("_active", "_clock", "_lent", "_policy", "_refilled_s", "_tokens", "_waiting")

    def __init__(self, policy: RetryPolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._tokens = policy.budget_min
        self._refilled_s = clock()
        self._active = 0
        self._lent = 0
        self._waiting: deque[asyncio.Future[bool]] = deque()

    def request_began(self) -> None:
        self._active += 1
        self._tokens = min(self._tokens + self._policy.budget_share, self._cap())
        if self._waiting:
            self._serve()

    def request_ended(self) -> None:
        self._active -= 1
        self._tokens = min(self._tokens, self._cap())

    async def take(self, within_s: float) -> bool:
        """True when another attempt may be made; ``settle`` must follow. Waits at most ``within_s`` for one that is lent."""
        self._refill()
        if not self._waiting and self._lend():
            return True
        if not self._lent:
            return False
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(within_s):
                return await waiting
        except TimeoutError:
            return waiting.done() and not waiting.cancelled() and waiting.result()  # it came at the same moment
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and waiting.result():
                self.settle(well=True)  # never used
            raise
        finally:
            if not waiting.done():
                waiting.cancel()
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    def settle(self, *, well: bool) -> None:
        """What was taken is over; ``well``: it has answered, or was not used."""
        self._lent -= 1
        if well:
            self._tokens = min(self._tokens + 1.0, self._cap())
        self._serve()

    def _serve(self) -> None:
        waiting = self._waiting
        while waiting and self._lend():
            first = waiting.popleft()
            if first.done():
                self._return()
            else:
                first.set_result(True)
        if not self._lent:  # nobody is left who could give one back
            while waiting:
                first = waiting.popleft()
                if not first.done():
                    first.set_result(False)

    def _lend(self) -> bool:
        if self._tokens < 1.0 - 1e-9:
            return False
        self._tokens -= 1.0
        self._lent += 1
        return True

    def _return(self) -> None:
        self._tokens += 1.0
        self._lent -= 1

    def _refill(self) -> None:
        now_s = self._clock()
        if self._tokens < self._policy.budget_min:
            earned = (now_s - self._refilled_s) / self._policy.budget_refill_s
            self._tokens = min(self._tokens + earned, self._policy.budget_min)
        self._refilled_s = now_s

    def _cap(self) -> float:
        return self._policy.budget_min + self._policy.budget_share * self._active
