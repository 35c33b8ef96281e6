from __future__ import annotations

import random
from collections import Counter

import pytest

from gatewayz.config import load_settings
from gatewayz.providers.catalog import load_providers
from gatewayz.providers.registry import Providers
from gatewayz.routing.candidates import Candidate
from gatewayz.routing.policy import RoutingPolicy
from gatewayz.routing.route_states import RouteStates
from gatewayz.routing.strategies import Strategies

NAMES = ("openai", "groq", "together", "mistral")


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(scope="module")
def providers() -> Providers:
    return load_providers(load_settings(), {f"{name.upper()}_API_KEY": "sk-canary" for name in NAMES})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def routes(clock: Clock) -> RouteStates:
    return RouteStates(RoutingPolicy(), clock)


@pytest.fixture
def strategies(routes: RouteStates, clock: Clock) -> Strategies:
    dice = random.Random(7)  # noqa: S311 - a test's dice
    prices = {"openai": 3.0, "groq": 1.0, "together": 1.0}
    return Strategies(routes, lambda name, model: prices.get(name), clock=clock, random=dice.random)


def some(providers: Providers, *weights: float) -> list[Candidate]:
    return [
        Candidate(providers[name], providers.state(name), "m", weight)
        for name, weight in zip(NAMES, weights, strict=False)
    ]


def firsts(strategies: Strategies, candidates: list[Candidate], count: int, *, keys: bool) -> Counter[str]:
    return Counter(
        strategies.ordered(candidates, "weighted", key=f"key{number}" if keys else None, stream=False)[0].provider.name
        for number in range(count)
    )


@pytest.mark.parametrize("keys", [False, True])
def test_shares_are_those_of_the_weights(strategies: Strategies, providers: Providers, keys: bool) -> None:
    served = firsts(strategies, some(providers, 1, 3, 6), 3000, keys=keys)
    assert served["openai"] / 3000 == pytest.approx(0.1, abs=0.03)
    assert served["groq"] / 3000 == pytest.approx(0.3, abs=0.04)
    assert served["together"] / 3000 == pytest.approx(0.6, abs=0.04)


def test_candidate_without_weight_comes_last(strategies: Strategies, providers: Providers) -> None:
    assert firsts(strategies, some(providers, 0, 1), 50, keys=False) == {"groq": 50}


def test_removing_a_candidate_moves_only_its_own_keys(strategies: Strategies, providers: Providers) -> None:
    candidates = some(providers, 1, 1, 1, 1)

    def place(key: str, among: list[Candidate]) -> str:
        return strategies.ordered(among, "weighted", key=key, stream=False)[0].provider.name

    keys = [f"key{number}" for number in range(300)]
    before = {key: place(key, candidates) for key in keys}
    after = {key: place(key, candidates[1:]) for key in keys}
    moved = {key for key in keys if before[key] != after[key]}
    assert moved == {key for key in keys if before[key] == candidates[0].provider.name}


def test_weighted_share_shrinks_with_availability(
    strategies: Strategies, routes: RouteStates, providers: Providers
) -> None:
    candidates = some(providers, 1, 1)
    for number in range(10):
        routes.of(candidates[0]).health.record(0, failed=number % 5 == 0)
    for number in range(10):
        routes.of(candidates[1]).health.record(0, failed=number % 5 < 4 and number % 2 == 0)
    served = firsts(strategies, candidates, 2000, keys=False)
    assert served["openai"] > served["groq"] > 500


def test_equal_prices_are_decided_by_the_key(strategies: Strategies, providers: Providers) -> None:
    candidates = some(providers, 1, 1, 1, 1)
    ordered = [strategies.ordered(candidates, "cost", key=f"key{number}", stream=False) for number in range(40)]
    assert {one[0].provider.name for one in ordered} == {"groq", "together"}
    assert {tuple(each.provider.name for each in one[2:]) for one in ordered} == {("openai", "mistral")}


def test_fastest_comes_first_unless_it_fails(strategies: Strategies, routes: RouteStates, providers: Providers) -> None:
    candidates = some(providers, 1, 1, 1)
    for one, latency_s in zip(candidates, (0.9, 0.5, 1.2), strict=True):
        routes.of(one).health.measured(0, latency_s, stream=True)

    def order() -> list[str]:
        return [one.provider.name for one in strategies.ordered(candidates, "latency", key=None, stream=True)]

    assert order() == ["groq", "openai", "together"]
    for number in range(20):
        routes.of(candidates[1]).health.record(0, failed=number % 20 < 9)
    assert order()[0] == "openai" or order()[1] == "openai"
    assert routes.of(candidates[1]).health.availability(0) == pytest.approx(0.55)


def test_unmeasured_candidate_comes_first(
    strategies: Strategies, routes: RouteStates, providers: Providers, clock: Clock
) -> None:
    candidates = some(providers, 1, 1)
    routes.of(candidates[0]).health.measured(0, 0.1, stream=False)
    assert strategies.ordered(candidates, "latency", key=None, stream=False)[0].provider.name == "groq"
    routes.of(candidates[1]).health.measured(0, 0.5, stream=False)
    assert strategies.ordered(candidates, "latency", key=None, stream=False)[0].provider.name == "openai"


def test_candidate_that_needs_a_probe_keeps_its_place(
    strategies: Strategies, routes: RouteStates, providers: Providers, clock: Clock
) -> None:
    candidates = some(providers, 1, 1)
    route = routes.of(candidates[0])
    for _ in range(5):
        route.health.record(0, failed=True)
        route.breaker.failed(0, 0)
    clock.now_s = 30.0
    assert route.breaker.state(30) == "half_open"
    assert strategies.ordered(candidates, "priority", key=None, stream=False)[0].provider.name == "openai"


def test_number_of_remembered_routes_is_bounded(providers: Providers, clock: Clock) -> None:
    routes = RouteStates(RoutingPolicy(), clock)
    opened = Candidate(providers["openai"], providers.state("openai"), "broken")
    for _ in range(5):
        routes.of(opened).breaker.failed(0, 0)
    for number in range(10_000):
        routes.of(Candidate(providers["openai"], providers.state("openai"), f"m{number}"))
    assert len(routes) <= 4096
    assert routes.breaker_state("openai", "broken") == "open"  # what is in order is forgotten first
