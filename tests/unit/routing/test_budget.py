from __future__ import annotations

import asyncio
import random

import pytest

from gatewayz.routing.policy import RetryPolicy
from gatewayz.routing.retry_budget import RetryBudget


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budget(clock: Clock) -> RetryBudget:
    return RetryBudget(RetryPolicy(), clock)


def never() -> bool:
    return False


async def spent(budget: RetryBudget, requests: int, *, well: bool) -> int:
    """Extra attempts that so many requests, one after another, may make."""
    taken = 0
    for _ in range(requests):
        budget.request_began()
        if await budget.take(never, 1) == "lent":
            taken += 1
            budget.settle(well=well)
        budget.request_ended()
    return taken


async def test_failures_are_limited_to_a_fifth_and_three(budget: RetryBudget) -> None:
    assert await spent(budget, 100, well=False) == 23


async def test_attempts_that_succeed_cost_nothing(budget: RetryBudget) -> None:
    assert await spent(budget, 100, well=True) == 100


async def test_good_times_save_nothing_up(budget: RetryBudget) -> None:
    await spent(budget, 1000, well=True)
    assert await spent(budget, 100, well=False) <= 23


async def test_a_lone_callers_retries_come_back_with_a_minute_of_rest(budget: RetryBudget, clock: Clock) -> None:
    await spent(budget, 100, well=False)
    clock.now_s += 60
    assert await spent(budget, 1, well=False) == 1


async def test_an_outage_that_lasts_earns_no_attempts(budget: RetryBudget, clock: Clock) -> None:
    taken = 0
    for _ in range(100):
        taken += await spent(budget, 1, well=False)
        clock.now_s += 5
    assert taken == 23


async def test_who_comes_too_late_waits_for_what_is_lent(budget: RetryBudget) -> None:
    budget.request_began()
    for _ in range(3):
        assert await budget.take(never, 1) == "lent"
    waiting = [asyncio.create_task(budget.take(never, 10)) for _ in range(2)]
    await asyncio.sleep(0)
    budget.settle(well=True)
    assert await waiting[0] == "lent"
    for _ in range(3):
        budget.settle(well=False)
    assert await waiting[1] == "refused"  # nobody is left who could give one back


async def test_once_a_substitute_has_answered_nobody_needs_to_wait_for_it(budget: RetryBudget) -> None:
    budget.request_began()
    answers = False
    for _ in range(3):
        assert await budget.take(lambda: answers, 1) == "lent"
    waiting = [asyncio.create_task(budget.take(lambda: answers, 10)) for _ in range(50)]
    await asyncio.sleep(0)
    answers = True
    budget.settle(well=True)
    assert await asyncio.gather(*waiting) == ["free"] * 50


async def test_waiting_has_an_end(budget: RetryBudget) -> None:
    budget.request_began()
    for _ in range(3):
        await budget.take(never, 1)
    assert await budget.take(never, 0.02) == "refused"


async def test_who_leaves_while_waiting_takes_nothing_along(budget: RetryBudget) -> None:
    budget.request_began()
    for _ in range(3):
        await budget.take(never, 1)
    gone = asyncio.create_task(budget.take(never, 10))
    await asyncio.sleep(0)
    budget.settle(well=True)  # it is his, at the moment in which he leaves
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert await budget.take(never, 0.01) == "lent"


@pytest.mark.parametrize("seed", range(20))
async def test_under_total_failure_the_promise_holds_however_calls_overlap(
    budget: RetryBudget, clock: Clock, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - a test's dice
    extra = 0

    async def request() -> None:
        nonlocal extra
        for _ in range(rng.randrange(5)):
            await asyncio.sleep(0)
        budget.request_began()
        for _ in range(5):
            if await budget.take(never, 0.05) == "refused":
                break
            extra += 1
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
            budget.settle(well=False)
        budget.request_ended()

    await asyncio.gather(*(request() for _ in range(200)))
    assert extra <= 0.2 * 200 + 3
