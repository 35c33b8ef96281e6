"""What does this worker know of each route (a provider and a model), and how many attempts are on it now?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from gatewayz.records import BreakerState, Outcome, State
from gatewayz.routing.breaker import Breaker
from gatewayz.routing.candidates import Candidate
from gatewayz.routing.health import Health
from gatewayz.routing.policy import RoutingPolicy

MAX_ROUTES = 4096
"""Model names are the callers' texts: what is remembered of them is bounded."""

MAX_COOLDOWN_S = 3600.0
"""A provider that says "tomorrow" is called once an hour all the same: quotas are raised, and clocks differ."""

AT_CAPACITY_RETRY_S = 1.0

OnChange = Callable[[Candidate, BreakerState], None]
"""Called when an attempt has opened or closed its route's breaker."""

_STATES: tuple[BreakerState, ...] = get_args(BreakerState)
_SEVERITY: Mapping[BreakerState, int] = {state: place for place, state in enumerate(_STATES)}


class RouteState:
    """One provider and model."""

    __slots__ = ("breaker", "cooldown_until_s", "health")

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        self.health = Health()
        self.cooldown_until_s = 0.0
        """The provider asked not to be called before (Retry-After)."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Why a candidate may not be called now, and in how many seconds it may be."""

    reason: Literal["breaker_open", "rate_limited", "at_capacity"]
    retry_after_s: float


class RouteStates:
    """All routes of a worker. ``clock`` is monotonic, in seconds."""

    def __init__(self, policy: RoutingPolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._states: dict[tuple[str, str], RouteState] = {}
        self._in_flight: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._states)

    def of(self, candidate: Candidate) -> RouteState:
        place = (candidate.provider.name, candidate.model)
        route = self._states.get(place)
        if route is None:
            if len(self._states) >= MAX_ROUTES:
                self._forget_one()
            route = self._states[place] = RouteState(Breaker(self._policy.breaker))
        return route

    def skip(self, candidate: Candidate) -> Skip | None:
        """None if the candidate may be called now."""
        now_s = self._clock()
        route = self.of(candidate)
        if not route.breaker.may_call(now_s):
            return Skip("breaker_open", route.breaker.retry_after_s(now_s))
        provider = candidate.provider
        cooldown_s = max(route.cooldown_until_s - now_s, candidate.state.keys.wait_s(candidate.model, now_s))
        if cooldown_s > 0:
            return Skip("rate_limited", cooldown_s)
        if self._in_flight[provider.name] >= (provider.max_concurrency or self._policy.provider_in_flight):
            return Skip("at_capacity", AT_CAPACITY_RETRY_S)
        return None

    def forget(self, providers: Collection[str]) -> None:
        """What was learned of these providers does not hold any more. Attempts that are under way end as they began."""
        self._states = {place: route for place, route in self._states.items() if place[0] not in providers}

    def recently_ok(self, candidate: Candidate) -> bool:
        """Whether it has just answered, and not failed since."""
        return self.of(candidate).health.recently_ok(self._clock())

    def enter(self, candidate: Candidate, on_change: OnChange) -> Visit:
        """An attempt begins, right after ``skip`` returned None. ``on_change`` is called when it opens or closes the breaker."""
        route = self.of(candidate)
        now_s = self._clock()
        probe = route.breaker.enter(now_s)
        self._in_flight[candidate.provider.name] += 1
        return Visit(candidate, route, probe, self._clock, self._in_flight, on_change, now_s)

    def breaker_states(self) -> Iterator[tuple[float, Mapping[str, str]]]:
        """Observations of ``gatewayz.circuit_breaker.state``: per provider the most severe state among its models."""
        now_s = self._clock()
        worst: dict[str, BreakerState] = {}
        # A copy made in one step: observers run on a thread of their own.
        for (name, _), route in list(self._states.items()):
            state = route.breaker.state(now_s)
            if name not in worst or _SEVERITY[state] > _SEVERITY[worst[name]]:
                worst[name] = state
        for name, current in worst.items():
            for state in _STATES:
                yield float(state == current), {"gatewayz.provider.name": name, "state": state}

    def breaker_state(self, provider: str, model: str) -> BreakerState:
        route = self._states.get((provider, model))
        return "closed" if route is None else route.breaker.state(self._clock())

    def in_flight(self, provider: str) -> int:
        return self._in_flight[provider]

    def _forget_one(self) -> None:
        """The oldest one without an open breaker or a cooldown; the oldest of all if each has one."""
        now_s = self._clock()
        oldest = next(iter(self._states))
        for place, route in self._states.items():
            if route.breaker.state(now_s) == "closed" and route.cooldown_until_s <= now_s:
                oldest = place
                break
        del self._states[oldest]


class Visit(State):
    """One attempt's time on its route. Ends once."""

    _candidate: Candidate
    _route: RouteState
    _probe: int
    _clock: Callable[[], float]
    _in_flight: Counter[str]
    _on_change: OnChange
    _started_s: float
    _ended: bool = False

    def began(self) -> None:
        """A stream has brought its first chunk: that is enough for a probe."""
        now_s = self._clock()
        self._route.health.measured(now_s, now_s - self._started_s, stream=True)
        if self._route.breaker.began(self._probe):
            self._recovered()

    def cool_down(self, seconds: float) -> None:
        """The provider asked for a pause. A later, shorter one does not cut it short."""
        until_s = self._clock() + min(seconds, MAX_COOLDOWN_S)
        self._route.cooldown_until_s = max(self._route.cooldown_until_s, until_s)

    def end(self, outcome: Outcome) -> None:
        """The attempt is over. A second call changes nothing."""
        if self._ended:
            return
        self._ended = True
        self._in_flight[self._candidate.provider.name] -= 1
        route, now_s, error_type = self._route, self._clock(), outcome.error_type
        if outcome.whole:
            route.health.measured(now_s, now_s - self._started_s, stream=False)
        if outcome.whole or error_type is None or error_type == "provider_bad_request":
            # A provider that rejects the request itself is in good health; so is one whose answer came too late for its caller.
            route.health.record(now_s, failed=False)
            if route.breaker.succeeded(now_s, self._probe):
                self._recovered()
        elif not error_type.startswith("provider_"):
            route.breaker.abandoned(self._probe)
        else:
            route.health.record(now_s, failed=True)
            if error_type == "provider_rate_limited" or outcome.caller_deadline:
                # No verdict. A provider at its rate limit works for others: Retry-After and other keys deal with that, and a
                # breaker would stay open for longer than the provider asks. And one hasty caller must not close the route to
                # all the others.
                route.breaker.abandoned(self._probe)
            elif route.breaker.failed(now_s, self._probe):
                self._on_change(self._candidate, "open")

    def _recovered(self) -> None:
        self._route.health.recovered()
        self._on_change(self._candidate, "closed")
