"""What this worker knows of each route (a provider and a model), and who is on it now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from gatewayz.records import ErrorType
from gatewayz.routing.breaker import Breaker, State
from gatewayz.routing.candidates import Candidate
from gatewayz.routing.health import Health
from gatewayz.routing.policy import RoutingPolicy

MAX_ROUTES = 4096
"""Model names are the callers' words: what is remembered of them has an end."""

MAX_REST_S = 3600.0
"""A provider that says "tomorrow" is asked once an hour all the same: quotas are raised, and clocks differ."""

AT_CAPACITY_RETRY_S = 1.0

OnChange = Callable[[Candidate, State], None]
"""Told when an attempt has opened or closed its route's breaker."""

SkipReason = Literal["breaker_open", "rate_limited", "at_capacity"]

_GRAVITY: Mapping[State, int] = {"closed": 0, "half_open": 1, "open": 2}


class Route:
    """One provider and model."""

    __slots__ = ("breaker", "health", "rests_until_s")

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        self.health = Health()
        self.rests_until_s = 0.0
        """The provider asked not to be called before (Retry-After)."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why a candidate may not be called now, and in how many seconds it may be."""

    reason: SkipReason
    retry_after_s: float


class Routes:
    """All routes of a worker. ``clock`` is monotonic, in seconds."""

    def __init__(self, policy: RoutingPolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._routes: dict[tuple[str, str], Route] = {}
        self._in_flight: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._routes)

    def of(self, candidate: Candidate) -> Route:
        place = (candidate.provider.name, candidate.model)
        route = self._routes.get(place)
        if route is None:
            if len(self._routes) >= MAX_ROUTES:
                self._forget_one()
            route = self._routes[place] = Route(Breaker(self._policy.breaker))
        return route

    def skipped(self, candidate: Candidate) -> Skipped | None:
        """None if the candidate may be called now."""
        now_s = self._clock()
        route = self.of(candidate)
        if not route.breaker.may_call(now_s):
            return Skipped("breaker_open", route.breaker.retry_after_s(now_s))
        provider = candidate.provider
        rest_s = max(route.rests_until_s - now_s, candidate.state.keys.wait_s(candidate.model, now_s))
        if rest_s > 0:
            return Skipped("rate_limited", rest_s)
        if self._in_flight[provider.name] >= (provider.max_concurrency or self._policy.provider_in_flight):
            return Skipped("at_capacity", AT_CAPACITY_RETRY_S)
        return None

    def forget(self, providers: Collection[str]) -> None:
        """What was learned of these does not hold any more. Attempts that are under way end as they began."""
        self._routes = {place: route for place, route in self._routes.items() if place[0] not in providers}

    def sound(self, candidate: Candidate) -> bool:
        """Whether it has just answered, and not failed since."""
        return self.of(candidate).health.sound(self._clock())

    def enter(self, candidate: Candidate, on_change: OnChange) -> Visit:
        """An attempt begins, right after ``skipped`` said no. ``on_change`` is told when it opens or closes the breaker."""
        route = self.of(candidate)
        probe = route.breaker.enter(self._clock())
        name = candidate.provider.name
        self._in_flight[name] += 1
        return Visit(candidate, route, probe, self._clock, self._in_flight, on_change)

    def breaker_states(self) -> Iterator[tuple[float, Mapping[str, str]]]:
        """Observations of ``gatewayz.circuit_breaker.state``: per provider the gravest state among its routes."""
        now_s = self._clock()
        worst: dict[str, State] = {}
        # A copy made in one step: observers run on a thread of their own.
        for (name, _), route in list(self._routes.items()):
            state = route.breaker.state(now_s)
            if name not in worst or _GRAVITY[state] > _GRAVITY[worst[name]]:
                worst[name] = state
        for name, current in worst.items():
            for state in _GRAVITY:
                yield float(state == current), {"gatewayz.provider.name": name, "state": state}

    def state(self, provider: str, model: str) -> State:
        route = self._routes.get((provider, model))
        return "closed" if route is None else route.breaker.state(self._clock())

    def in_flight(self, provider: str) -> int:
        return self._in_flight[provider]

    def _forget_one(self) -> None:
        """The oldest that is in order; the oldest of all if none is."""
        now_s = self._clock()
        oldest = next(iter(self._routes))
        for place, route in self._routes.items():
            if route.breaker.state(now_s) == "closed" and route.rests_until_s <= now_s:
                oldest = place
                break
        del self._routes[oldest]


class Visit:
    """One attempt's time on its route. Ends once."""

    __slots__ = ("_candidate", "_change", "_clock", "_ended", "_in_flight", "_probe", "_route", "_started_s")

    def __init__(
        self,
        candidate: Candidate,
        route: Route,
        probe: int,
        clock: Callable[[], float],
        in_flight: Counter[str],
        change: OnChange,
    ) -> None:
        self._candidate = candidate
        self._route = route
        self._probe = probe
        self._clock = clock
        self._in_flight = in_flight
        self._change = change
        self._started_s = clock()
        self._ended = False

    def began(self) -> None:
        """A stream has brought its first chunk: a probe has seen enough."""
        now_s = self._clock()
        self._route.health.measured(now_s, now_s - self._started_s, stream=True)
        if self._route.breaker.began(self._probe):
            self._recovered()

    def rest(self, seconds: float) -> None:
        """The provider asked for a pause. It is never cut short by a later, shorter one."""
        until_s = self._clock() + min(seconds, MAX_REST_S)
        self._route.rests_until_s = max(self._route.rests_until_s, until_s)

    def end(self, error_type: ErrorType | None, *, whole: bool = False, hurried: bool = False) -> None:
        """``whole``: it was a whole answer, whose time until now is its latency; ``hurried``: it had less time than the provider
        has by its configuration."""
        if self._ended:
            return
        self._ended = True
        self._in_flight[self._candidate.provider.name] -= 1
        route, now_s = self._route, self._clock()
        if error_type is None or error_type == "provider_bad_request":
            # A refusal of the request itself shows a provider in good health.
            route.health.record(now_s, failed=False)
            if whole and error_type is None:
                route.health.measured(now_s, now_s - self._started_s, stream=False)
            if route.breaker.succeeded(now_s, self._probe):
                self._recovered()
        elif error_type == "provider_rate_limited":
            # It works, for somebody: that is what Retry-After and other keys are for. A breaker would keep us away for longer
            # than the provider asks.
            route.health.record(now_s, failed=True)
            route.breaker.left(self._probe)
        elif error_type.startswith("provider_"):
            route.health.record(now_s, failed=True)
            if hurried:
                # No verdict: a single caller without patience must not close the route to all the others.
                route.breaker.left(self._probe)
            elif route.breaker.failed(now_s, self._probe):
                self._change(self._candidate, "open")
        else:
            route.breaker.left(self._probe)

    def _recovered(self) -> None:
        self._route.health.recovered()
        self._change(self._candidate, "closed")
