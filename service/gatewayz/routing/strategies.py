"""In which order are the candidates called?"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import assert_never

from gatewayz.records import Strategy
from gatewayz.routing.candidates import Candidate
from gatewayz.routing.route_states import RouteState, RouteStates

CostOf = Callable[[str, str], float | None]
"""Provider and model → what a typical call costs in USD, in any unit that compares; None where no price is known."""

ALIKE = 1.2
"""Latencies within a fifth of the best count as equal: among them a prompt cache decides, or chance, so that load does not swing
from one provider to the other with each measurement."""


def no_price(provider: str, model: str) -> float | None:
    return None


class Strategies:
    """``random`` draws from [0, 1); ``clock`` is monotonic, in seconds."""

    def __init__(
        self, routes: RouteStates, cost_of: CostOf, *, clock: Callable[[], float], random: Callable[[], float]
    ) -> None:
        self._routes = routes
        self._cost_of = cost_of
        self._clock = clock
        self._random = random

    def ordered(
        self, candidates: Sequence[Candidate], strategy: Strategy, *, key: str | None, stream: bool
    ) -> Sequence[Candidate]:
        """Best first. Candidates that mostly fail come last, whatever the strategy.

        ``key`` makes the choice among equals (and, by weight, among all) depend on the caller's key instead of on chance, so
        that the same prompts meet the same provider's cache; None where that is not wanted.
        """
        if len(candidates) == 1:
            return candidates
        now_s = self._clock()
        routes = {id(one): self._routes.of(one) for one in candidates}
        match strategy:
            case "priority":
                ranked = list(candidates)
            case "weighted":
                ranked = sorted(candidates, key=lambda one: self._draw(one, routes[id(one)], key, now_s))
            case "latency":
                ranked = self._by_latency(candidates, routes, key, now_s, stream=stream)
            case "cost":
                ranked = sorted(candidates, key=lambda one: (self._price(one), self._lot(one, key)))
            case _:
                assert_never(strategy)
        # A candidate whose breaker needs a probe keeps its place: it would not get one at the end of the queue.
        return sorted(
            ranked,
            key=lambda one: routes[id(one)].breaker.state(now_s) == "closed" and routes[id(one)].health.failing(now_s),
        )

    def _draw(self, candidate: Candidate, route: RouteState, key: str | None, now_s: float) -> float:
        """Weighted rendezvous hashing: the smallest of these wins with a chance that is its share of the weights, and when one
        candidate is removed, only its own callers move (Wang and Ravishankar 1998)."""
        weight = candidate.weight if key is not None else candidate.weight * route.health.availability(now_s)
        if weight <= 0:
            return math.inf
        return -math.log(1.0 - self._lot(candidate, key)) / weight

    def _by_latency(
        self,
        candidates: Sequence[Candidate],
        routes: dict[int, RouteState],
        key: str | None,
        now_s: float,
        *,
        stream: bool,
    ) -> list[Candidate]:
        """Candidates that were not measured lately come first: otherwise they never would be."""
        expected: dict[int, float] = {}
        for one in candidates:
            health = routes[id(one)].health
            # The expected time until an attempt succeeds: a fast provider that fails every other time is not fast.
            expected[id(one)] = (health.latency_s(now_s, stream=stream) or 0.0) / max(health.availability(now_s), 0.01)
        best = min(value for value in expected.values())
        return sorted(
            candidates,
            key=lambda one: (
                0.0 if expected[id(one)] <= best * ALIKE else expected[id(one)],
                self._lot(one, key),
            ),
        )

    def _price(self, candidate: Candidate) -> float:
        """An unknown price counts as the highest: nobody wants to find out by the bill."""
        price = self._cost_of(candidate.provider.name, candidate.model)
        return math.inf if price is None else price

    def _lot(self, candidate: Candidate, key: str | None) -> float:
        """A number in [0, 1): by chance, or always the same for this key and candidate."""
        if key is None:
            return self._random()
        text = f"{key}\0{candidate.provider.name}\0{candidate.model}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest()) / 2**48
