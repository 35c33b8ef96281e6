"""Which candidate does a call try next? Skips, cooldowns, retries, fallbacks, the retry budget, and the final error.

Nothing here calls a provider: the gateway does, one turn (``next``) after another, and reports each failure (``failed``). The
first attempt of a call is free, each further one needs the retry budget.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from gatewayz.errors import GatewayError, InvalidRequest, ProviderBadRequest
from gatewayz.records import AttemptReason, Record, SkipReason, State
from gatewayz.routing.candidates import Candidate
from gatewayz.routing.failures import Failures
from gatewayz.routing.policy import RetryPolicy
from gatewayz.routing.retry import pause_s, verdict
from gatewayz.routing.retry_budget import RetryBudget
from gatewayz.routing.route_states import RouteStates, Skip

Request = TypeVar("Request")
"""A call in the form in which one candidate gets it. Turns only carry it."""


class Turn(Record, Generic[Request], frozen=True):
    """The decision to call one candidate now."""

    candidate: Candidate
    request: Request
    number: int
    """1 for the call's first attempt."""
    reason: AttemptReason


class TurnRules(Record, frozen=True):
    """What the turns of all calls go by; one per worker. ``clock`` is monotonic, in seconds; ``random`` draws from [0, 1)."""

    routes: RouteStates
    budget: RetryBudget
    policy: RetryPolicy
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]


class Turns(State, Generic[Request]):
    """The turns of one call. ``close`` it in the end.

    ``prepare`` makes what a candidate gets, once per candidate; it raises InvalidRequest where there is no such form.
    ``deadline_s`` is a time of the rules' clock. ``on_skip`` is told each provider that is passed over, and why.
    """

    rules: TurnRules
    candidates: Sequence[Candidate]
    prepare: Callable[[Candidate], Request]
    deadline_s: float
    on_skip: Callable[[str, SkipReason], None]
    _failures: Failures | None = None
    _number: int = 0
    _over: bool = False
    _reserved: bool = False
    _pause_s: float = 0.0
    # Of the candidate whose turn it is:
    _place: int = 0
    _request: Request | None = None
    _tries: int = 0
    _waited: bool = False
    _others: bool = False

    def close(self) -> None:
        """Gives back what the last turn took from the retry budget: it has answered, or its caller has gone."""
        if self._reserved:
            self._release(success=True)

    async def next(self) -> Turn[Request] | None:
        """The next turn, after the pause that it needs; None when there is none left, and ``final`` tells why."""
        if self._pause_s:
            await self.rules.sleep(self._pause_s)
            self._pause_s = 0.0
        while not self._over and self._place < len(self.candidates):
            candidate = self.candidates[self._place]
            if self._request is None and not self._prepared(candidate):
                continue
            left_s = self.deadline_s - self.rules.clock()
            if self._number and left_s <= 0:
                return None
            self._others = self._place + 1 < len(self.candidates) and self._may_call_others()
            skip = self.rules.routes.skip(candidate)
            if skip is None:
                if not self._number or await self._granted(candidate, left_s):
                    return self._turn(candidate)
            elif not await self._cooled_down(skip, left_s):
                self.on_skip(candidate.provider.name, skip.reason)
                self._failed_so_far().skip(candidate, skip)
                self._go_on()
        return None

    def failed(self, turn: Turn[Request], error: GatewayError, instead: Request | None = None) -> None:
        """The turn's attempt has failed. ``instead``: another form of the call, in which the same candidate should get it now."""
        candidate, policy, failures = turn.candidate, self.rules.policy, self._failed_so_far()
        if self._reserved:
            self._release(success=False)
        # A substitute that rejects the request does not end the call: the next one may be nearer to the caller's first choice.
        substitute = isinstance(error, ProviderBadRequest) and failures.include_others(candidate)
        failures.add(candidate, error, called=True)
        if self._number >= policy.max_attempts:
            self._over = True
        elif instead is not None:
            self._request = instead
        elif verdict(error) == "final" and not substitute:
            self._over = True
        else:
            self._pause_or_go_on(candidate, error)

    def final(self) -> GatewayError:
        """The error in which the call ends when no turn is left."""
        return self._failed_so_far().final()

    def _prepared(self, candidate: Candidate) -> bool:
        try:
            self._request = self.prepare(candidate)
        except InvalidRequest as error:
            self._failed_so_far().add(candidate, error, called=False)
            self.on_skip(candidate.provider.name, "untranslatable")
            self._go_on()
            return False
        return True

    def _turn(self, candidate: Candidate) -> Turn[Request]:
        self._number += 1
        self._tries += 1
        reason: AttemptReason = "first" if self._number == 1 else "retry" if self._tries > 1 else "fallback"
        assert self._request is not None  # noqa: S101 - prepared above
        return Turn(candidate, self._request, self._number, reason)

    def _may_call_others(self) -> bool:
        routes = self.rules.routes
        return any(routes.skip(one) is None for one in self.candidates[self._place + 1 :])

    def _failed_so_far(self) -> Failures:
        if self._failures is None:
            self._failures = Failures()
        return self._failures

    async def _cooled_down(self, skip: Skip, left_s: float) -> bool:
        """Waits, once, for a candidate that no other one can stand in for, if its cooldown is short."""
        rules = self.rules
        if self._waited or self._others or skip.reason != "rate_limited":
            return False
        if skip.retry_after_s > min(rules.policy.max_wait_s, left_s):
            return False
        self._waited = True
        await rules.sleep(skip.retry_after_s * (1.0 + 0.1 * rules.random()))
        return True

    async def _granted(self, candidate: Candidate, left_s: float) -> bool:
        """Whether the retry budget allows another attempt there, and nothing has happened to the candidate meanwhile."""
        rules = self.rules
        wait_s = min(left_s, rules.policy.budget_wait_s)
        grant = await rules.budget.take(partial(rules.routes.recently_ok, candidate), wait_s)
        self._reserved = grant == "reserved"
        if grant == "denied":
            self._over = True
            return False
        if rules.routes.skip(candidate) is None:
            return True
        if self._reserved:
            self._release(success=True)
        return False

    def _release(self, *, success: bool) -> None:
        self._reserved = False
        self.rules.budget.release(success=success)

    def _pause_or_go_on(self, candidate: Candidate, error: GatewayError) -> None:
        rules = self.rules
        now_s = rules.clock()
        pause = pause_s(
            error,
            rules.policy,
            tries=self._tries,
            others=self._others,
            another_key=self._has_another_key(candidate, now_s),
            left_s=self.deadline_s - now_s,
            random=rules.random,
        )
        if pause is None:
            self._go_on()
        else:
            self._pause_s = pause

    def _has_another_key(self, candidate: Candidate, now_s: float) -> bool:
        keys = candidate.state.keys
        return self._tries < len(keys) and keys.wait_s(candidate.model, now_s) <= 0

    def _go_on(self) -> None:
        """To the next candidate."""
        self._place += 1
        self._request = None
        self._tries = 0
        self._waited = False
