from __future__ import annotations

import asyncio
import random

import pytest

from gatewayz.config import RetryPolicy
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


async def spent(budget: RetryBudget, calls: int, *, success: bool) -> int:
    """Extra attempts that so many calls, one after another, may make."""
    taken = 0
    for _ in range(calls):
        budget.call_began()
        if await budget.take(never, 1) == "reserved":
            taken += 1
            budget.release(success=success)
        budget.call_ended()
    return taken


async def test_failing_attempts_are_limited_to_a_fifth_and_three(budget: RetryBudget) -> None:
    assert await spent(budget, 100, success=False) == 23


async def test_successful_attempts_cost_nothing(budget: RetryBudget) -> None:
    assert await spent(budget, 100, success=True) == 100


async def test_budget_does_not_grow_beyond_its_cap(budget: RetryBudget) -> None:
    await spent(budget, 1000, success=True)
    assert await spent(budget, 100, success=False) <= 23


async def test_budget_is_full_again_after_a_minute_without_calls(budget: RetryBudget, clock: Clock) -> None:
    await spent(budget, 100, success=False)
    clock.now_s += 60
    assert await spent(budget, 1, success=False) == 1


async def test_long_outage_earns_no_further_attempts(budget: RetryBudget, clock: Clock) -> None:
    taken = 0
    for _ in range(100):
        taken += await spent(budget, 1, success=False)
        clock.now_s += 5
    assert taken == 23


async def test_late_call_waits_for_a_reserved_attempt(budget: RetryBudget) -> None:
    budget.call_began()
    for _ in range(3):
        assert await budget.take(never, 1) == "reserved"
    waiting = [asyncio.create_task(budget.take(never, 10)) for _ in range(2)]
    await asyncio.sleep(0)
    budget.release(success=True)
    assert await waiting[0] == "reserved"
    for _ in range(3):
        budget.release(success=False)
    assert await waiting[1] == "denied"  # nobody is left who could give one back


async def test_attempts_at_a_candidate_that_answers_are_free(budget: RetryBudget) -> None:
    budget.call_began()
    answers = False
    for _ in range(3):
        assert await budget.take(lambda: answers, 1) == "reserved"
    waiting = [asyncio.create_task(budget.take(lambda: answers, 10)) for _ in range(50)]
    await asyncio.sleep(0)
    answers = True
    budget.release(success=True)
    assert await asyncio.gather(*waiting) == ["free"] * 50


async def test_wait_for_the_budget_ends(budget: RetryBudget) -> None:
    budget.call_began()
    for _ in range(3):
        await budget.take(never, 1)
    assert await budget.take(never, 0.02) == "denied"


async def test_cancelled_wait_takes_nothing(budget: RetryBudget) -> None:
    budget.call_began()
    for _ in range(3):
        await budget.take(never, 1)
    gone = asyncio.create_task(budget.take(never, 10))
    await asyncio.sleep(0)
    budget.release(success=True)  # it is his, at the moment in which he leaves
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert await budget.take(never, 0.01) == "reserved"


@pytest.mark.parametrize("seed", range(20))
async def test_budget_holds_under_total_failure_however_calls_overlap(
    budget: RetryBudget, clock: Clock, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - a test's dice
    extra = 0

    async def call() -> None:
        nonlocal extra
        for _ in range(rng.randrange(5)):
            await asyncio.sleep(0)
        budget.call_began()
        for _ in range(5):
            if await budget.take(never, 0.05) == "denied":
                break
            extra += 1
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
            budget.release(success=False)
        budget.call_ended()

    await asyncio.gather(*(call() for _ in range(200)))
    assert extra <= 0.2 * 200 + 3
