"""Whom a call tries next, with a clock alone: nothing is called here, attempts succeed or fail because a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing

import pytest

from gatewayz.config import load_settings
from gatewayz.errors import (
    GatewayError,
    InvalidRequest,
    NoCandidate,
    ProviderBadRequest,
    ProviderConnectTimeout,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderServerError,
)
from gatewayz.providers.catalog import load_providers
from gatewayz.providers.registry import Providers
from gatewayz.records import Outcome
from gatewayz.routing.candidates import Candidate
from gatewayz.routing.policy import RoutingPolicy
from gatewayz.routing.retry_budget import RetryBudget
from gatewayz.routing.route_states import RouteStates
from gatewayz.routing.turns import Turn, TurnRules, Turns

NAMES = ("openai", "groq", "together")


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now_s += seconds


@pytest.fixture(scope="module")
def providers() -> Providers:
    keys = {f"{name.upper()}_API_KEY": "sk-canary" for name in NAMES}
    return load_providers(load_settings(), keys)


class Worker:
    """What the turns of all calls share."""

    def __init__(self, providers: Providers) -> None:
        policy = RoutingPolicy()
        self.providers = providers
        self.clock = Clock()
        self.routes = RouteStates(policy, self.clock)
        self.budget = RetryBudget(policy.retry, self.clock)
        self.skips: list[tuple[str, str]] = []
        self._rules = TurnRules(self.routes, self.budget, policy.retry, self.clock, self.clock.sleep, lambda: 0.5)

    def candidate(self, name: str) -> Candidate:
        return Candidate(self.providers[name], self.providers.state(name), "m")

    def turns(
        self,
        *names: str,
        prepare: Callable[[Candidate], str] = lambda candidate: candidate.provider.name,
        time_s: float = 600,
    ) -> Turns[str]:
        """The turns of a call that these providers may answer; what each of them gets is its own name."""
        self.budget.call_began()
        candidates = [self.candidate(name) for name in names]
        deadline_s = self.clock() + time_s
        return Turns(self._rules, candidates, prepare, deadline_s, lambda name, why: self.skips.append((name, why)))

    def cool_down(self, name: str, seconds: float) -> None:
        visit = self.routes.enter(self.candidate(name), lambda candidate, state: None)
        visit.cool_down(seconds)
        visit.end(Outcome(429, "m", error_type="provider_rate_limited"))

    def open_breaker(self, name: str) -> None:
        for _ in range(5):
            visit = self.routes.enter(self.candidate(name), lambda candidate, state: None)
            visit.end(Outcome(500, "m", error_type="provider_server_error"))

    def show_ok(self, name: str) -> None:
        visit = self.routes.enter(self.candidate(name), lambda candidate, state: None)
        visit.end(Outcome(200, "m", whole=True))

    async def spend_budget(self) -> None:
        while await self.budget.take(lambda: False, 0.01) == "reserved":
            self.budget.release(success=False)


@pytest.fixture
def worker(providers: Providers) -> Worker:
    return Worker(providers)


async def all_turns(turns: Turns[str], error: Callable[[], GatewayError]) -> list[tuple[str, str]]:
    """Provider and reason of every turn, when each attempt fails with such an error."""
    taken: list[tuple[str, str]] = []
    with closing(turns):
        while (turn := await turns.next()) is not None:
            taken.append((turn.candidate.provider.name, turn.reason))
            turns.failed(turn, error())
    return taken


async def next_turn(turns: Turns[str]) -> Turn[str]:
    turn = await turns.next()
    assert turn is not None
    return turn


def server_error() -> GatewayError:
    return ProviderServerError("The provider failed.", upstream_status=500)


async def test_first_turn_is_the_first_candidates_and_needs_no_pause(worker: Worker) -> None:
    with closing(worker.turns("openai", "groq")) as turns:
        turn = await next_turn(turns)
    assert (turn.candidate.provider.name, turn.request, turn.number, turn.reason) == ("openai", "openai", 1, "first")
    assert worker.clock.slept == []


async def test_each_candidate_gets_a_retry_after_a_pause_and_then_the_next_gets_its_turn(worker: Worker) -> None:
    taken = await all_turns(worker.turns("openai", "groq"), server_error)
    assert taken == [("openai", "first"), ("openai", "retry"), ("groq", "fallback"), ("groq", "retry")]
    assert worker.clock.slept == [0.125, 0.125]  # half of the first step, by the chance that this test draws


async def test_overloaded_provider_is_left_at_once_for_another(worker: Worker) -> None:
    taken = await all_turns(worker.turns("openai", "groq"), lambda: ProviderOverloaded("Busy."))
    assert taken[:2] == [("openai", "first"), ("groq", "fallback")]


async def test_timeout_is_not_tried_again_at_the_same_provider(worker: Worker) -> None:
    taken = await all_turns(worker.turns("openai", "groq"), lambda: ProviderConnectTimeout("Silence."))
    assert taken == [("openai", "first"), ("groq", "fallback")]


async def test_rejected_request_ends_the_call(worker: Worker) -> None:
    rejected = ProviderBadRequest("No.", upstream_status=400, body=b'{"error":{}}')
    turns = worker.turns("openai", "groq")
    assert await all_turns(turns, lambda: rejected) == [("openai", "first")]
    final = turns.final()
    assert isinstance(final, ProviderBadRequest)
    assert (final.provider, final.body) == ("openai", rejected.body)
    assert final is not rejected
    assert rejected.provider is None


async def test_request_that_a_substitute_rejects_goes_to_the_next(worker: Worker) -> None:
    silent = ProviderConnectTimeout("Silence.")
    errors = iter([silent, ProviderBadRequest("No.", upstream_status=400), ProviderConnectTimeout("Silence.")])
    turns = worker.turns("openai", "groq", "together")
    taken = await all_turns(turns, lambda: next(errors))
    assert [name for name, _ in taken] == ["openai", "groq", "together"]
    assert (type(turns.final()), turns.final().provider) == (ProviderConnectTimeout, "openai")


async def test_other_form_of_the_call_goes_to_the_same_candidate_without_a_pause(worker: Worker) -> None:
    with closing(worker.turns("openai", "groq")) as turns:
        first = await next_turn(turns)
        turns.failed(first, ProviderBadRequest("No such endpoint.", upstream_status=404), "on its first wire")
        second = await next_turn(turns)
    assert (second.candidate.provider.name, second.request, second.reason) == ("openai", "on its first wire", "retry")
    assert worker.clock.slept == []


async def test_candidate_that_cannot_be_prepared_is_skipped(worker: Worker) -> None:
    def prepare(candidate: Candidate) -> str:
        if candidate.provider.name == "openai":
            raise InvalidRequest("No equal.", param="logit_bias")
        return "prepared"

    with closing(worker.turns("openai", "groq", prepare=prepare)) as turns:
        turn = await next_turn(turns)
    assert (turn.candidate.provider.name, turn.number, turn.reason) == ("groq", 1, "first")
    assert worker.skips == [("openai", "untranslatable")]


async def test_request_is_prepared_once_for_all_attempts_of_a_candidate(worker: Worker) -> None:
    prepared: list[str] = []

    def prepare(candidate: Candidate) -> str:
        prepared.append(candidate.provider.name)
        return ""

    await all_turns(worker.turns("openai", "groq", prepare=prepare), server_error)
    assert prepared == ["openai", "groq"]


async def test_open_breaker_is_skipped_and_counts_as_the_failure_that_it_avoids(worker: Worker) -> None:
    worker.open_breaker("openai")
    turns = worker.turns("openai")
    assert await all_turns(turns, server_error) == []
    assert worker.skips == [("openai", "breaker_open")]
    final = turns.final()
    assert isinstance(final, NoCandidate)
    assert (final.provider, final.retry_after_s) == ("openai", 30)


async def test_short_cooldown_is_waited_for_where_no_other_candidate_is_free(worker: Worker) -> None:
    worker.cool_down("openai", 2)
    with closing(worker.turns("openai")) as turns:
        turn = await next_turn(turns)
    assert (turn.number, worker.clock.slept, worker.skips) == (1, [2.1], [])


@pytest.mark.parametrize(("names", "seconds"), [(("openai", "groq"), 2), (("openai",), 6), (("openai",), 3)])
async def test_cooldown_is_not_waited_for_where_another_is_free_or_the_wait_is_too_long(
    worker: Worker, names: tuple[str, ...], seconds: float
) -> None:
    worker.cool_down("openai", seconds)
    turns = worker.turns(*names, time_s=600 if seconds != 3 else 2)  # three seconds are more than such a call has
    with closing(turns):
        turn = await turns.next()
    assert worker.clock.slept == []
    assert worker.skips == [("openai", "rate_limited")]
    assert (turn is None) == (names == ("openai",))
    if turn is None:
        assert isinstance(turns.final(), ProviderRateLimited)


async def test_no_turn_is_left_when_the_calls_time_is_over(worker: Worker) -> None:
    turns = worker.turns("openai", "groq", time_s=1)
    with closing(turns):
        turn = await next_turn(turns)
        worker.clock.now_s += 1
        turns.failed(turn, ProviderConnectTimeout("Silence."))
        assert await turns.next() is None
    assert isinstance(turns.final(), ProviderConnectTimeout)


async def test_no_call_gets_more_attempts_than_the_policy_allows(worker: Worker) -> None:
    taken = await all_turns(worker.turns("openai", "groq", "together", "openai"), server_error)
    assert len(taken) == 3 + 1  # the first, and what is in a fresh budget
    fresh = Worker(worker.providers)
    for name in NAMES:
        fresh.show_ok(name)  # attempts there are free
    assert len(await all_turns(fresh.turns(*NAMES, "openai"), server_error)) == 6


async def test_spent_budget_ends_the_call_unless_the_next_candidate_has_just_answered(worker: Worker) -> None:
    await worker.spend_budget()
    assert await all_turns(worker.turns("openai", "groq"), lambda: ProviderConnectTimeout("")) == [("openai", "first")]
    worker.show_ok("groq")
    taken = await all_turns(worker.turns("openai", "groq"), lambda: ProviderConnectTimeout(""))
    assert taken == [("openai", "first"), ("groq", "fallback")]


@pytest.mark.parametrize("cancelled", [False, True])
async def test_attempt_that_answers_or_is_cancelled_gives_back_what_it_took(worker: Worker, cancelled: bool) -> None:
    for _ in range(50):  # far more than the budget holds

        async def call() -> None:
            with closing(worker.turns("openai", "groq")) as turns:
                turns.failed(await next_turn(turns), ProviderConnectTimeout("Silence."))
                assert (await next_turn(turns)).candidate.provider.name == "groq"
                if cancelled:
                    raise asyncio.CancelledError

        await asyncio.gather(call(), return_exceptions=cancelled)
        worker.budget.call_ended()


async def test_final_error_names_all_that_failed_and_the_shortest_wait(worker: Worker) -> None:
    worker.open_breaker("openai")
    worker.clock.now_s += 10
    worker.open_breaker("groq")
    turns = worker.turns("openai", "groq")
    assert await all_turns(turns, server_error) == []
    final = turns.final()
    assert final.message.endswith("(Asked in turn: openai: gateway_no_candidate, groq: gateway_no_candidate.)")
    assert final.retry_after_s == 20
