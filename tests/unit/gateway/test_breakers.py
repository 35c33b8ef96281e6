"""Circuit breakers, budgets and caps, with everything around them."""

from __future__ import annotations

import asyncio

import pytest

from gatewayz.config import BreakerPolicy, RetryPolicy, RoutingPolicy
from gatewayz.errors import NoCandidate, Overloaded
from tests.polling import until
from tests.unit.gateway.conftest import Result, Rig, Rigs

NO_RETRIES = RetryPolicy(max_attempts=1)
PATIENT = RoutingPolicy(retry=NO_RETRIES)


async def fail(rig: Rig, times: int, model: str = "openai/500") -> list[Result]:
    return [await rig.ask(model) for _ in range(times)]


def states(rig: Rig, provider: str = "openai") -> dict[str, float]:
    return {
        where["state"]: value
        for value, where in rig.gateway.route_states.breaker_states()
        if where["gatewayz.provider.name"] == provider
    }


async def test_five_failures_in_a_row_open_the_breaker(rigs: Rigs) -> None:
    rig = await rigs(PATIENT)
    await fail(rig, 5)
    assert states(rig) == {"closed": 0, "half_open": 0, "open": 1}

    later = await rig.ask("openai/500")

    assert isinstance(later.refused, NoCandidate)
    assert later.refused.status == 503
    assert later.refused.retry_after_s == pytest.approx(30)
    assert len(rig.fakes["openai"].requests) == 5
    assert rig.attempts(later) == []
    (change,) = rig.events("gatewayz.circuit_breaker.changed")
    assert change == {
        "gatewayz.provider.name": "openai",
        "gen_ai.request.model": "500",
        "gatewayz.circuit_breaker.state": "open",
    }
    (skip,) = rig.events("gatewayz.candidate.skipped")
    assert skip == {"gatewayz.provider.name": "openai", "gatewayz.skip.reason": "breaker_open"}


async def test_breaker_of_one_model_does_not_affect_another(rigs: Rigs) -> None:
    rig = await rigs(PATIENT)
    await fail(rig, 5)

    assert (await rig.ask("openai/ok")).answer


async def test_rejected_requests_open_no_breaker(rigs: Rigs) -> None:
    rig = await rigs(PATIENT)
    await fail(rig, 8, "openai/400-context")

    assert states(rig)["closed"] == 1
    assert len(rig.fakes["openai"].requests) == 8


async def test_rate_limits_open_no_breaker(rigs: Rigs) -> None:
    rig = await rigs(PATIENT)
    rig.fakes["openai"].behave = lambda received: "429"
    await fail(rig, 8, "openai/ok")
    rig.fakes["openai"].behave = None

    assert (await rig.ask("openai/ok")).answer


async def test_dead_provider_under_500_calls_is_not_called_once_the_breaker_is_open(rigs: Rigs) -> None:
    rig = await rigs(PATIENT)
    rig.fakes["openai"].behave = lambda received: "500"
    first = await asyncio.gather(*(rig.ask("openai/ok") for _ in range(100)))
    asked = len(rig.fakes["openai"].requests)
    second = await asyncio.gather(*(rig.ask("openai/ok") for _ in range(400)))

    assert not [one for one in (*first, *second) if one.answer]
    assert len(rig.fakes["openai"].requests) == asked


async def test_half_open_breaker_lets_one_call_through(rigs: Rigs) -> None:
    rig = await rigs(PATIENT)
    fake = rig.fakes["openai"]
    fake.behave = lambda received: "500"
    await fail(rig, 5, "openai/ok")
    rig.clock.now_s += 30
    fake.behave = None
    assert states(rig)["half_open"] == 1

    results = await asyncio.gather(*(rig.ask("openai/ok") for _ in range(20)))

    assert len([one for one in results if one.answer]) == 1
    assert len(fake.requests) == 6
    assert states(rig)["closed"] == 1
    assert (await rig.ask("openai/ok")).answer


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelled_probe_frees_its_place(rigs: Rigs, stream: bool) -> None:
    rig = await rigs(PATIENT)
    fake = rig.fakes["openai"]
    fake.behave = lambda received: "500"
    await fail(rig, 5, "openai/ok")
    rig.clock.now_s += 30
    fake.behave = lambda received: "hang"
    probe = asyncio.create_task(rig.ask("openai/ok", stream=stream))
    await until(lambda: len(fake.requests) == 6)
    assert (await rig.ask("openai/ok")).error
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    fake.behave = None

    assert (await rig.ask("openai/ok", stream=stream)).answer
    assert states(rig)["closed"] == 1


async def test_hanging_probe_loses_its_place(rigs: Rigs) -> None:
    rig = await rigs(PATIENT)
    fake = rig.fakes["openai"]
    fake.behave = lambda received: "500"
    await fail(rig, 5, "openai/ok")
    rig.clock.now_s += 30
    fake.behave = lambda received: "hang"
    probe = asyncio.create_task(rig.ask("openai/ok"))
    await until(lambda: len(fake.requests) == 6)
    rig.clock.now_s += 30
    fake.behave = None

    assert (await rig.ask("openai/ok")).answer
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    assert states(rig)["closed"] == 1


async def test_each_failed_probe_doubles_the_opening(rigs: Rigs) -> None:
    rig = await rigs(PATIENT)
    fake = rig.fakes["openai"]
    fake.behave = lambda received: "500"
    await fail(rig, 5, "openai/ok")

    waits: list[float] = []
    for _ in range(6):
        refused = (await rig.ask("openai/ok")).refused
        assert refused.retry_after_s is not None
        waits.append(round(refused.retry_after_s))
        rig.clock.now_s += refused.retry_after_s
        await rig.ask("openai/ok")

    assert waits == [30, 60, 120, 240, 300, 300]


async def test_substitute_answers_every_call_while_the_primary_is_down(rigs: Rigs) -> None:
    rig = await rigs()
    primary = rig.fakes["openai"]
    primary.behave = lambda received: "500"
    down = [await rig.ask("openai/ok", models=["groq/ok"]) for _ in range(60)]
    calls_while_down = len(primary.requests)
    primary.behave = None
    rig.clock.now_s += 30
    up = [await rig.ask("openai/ok", models=["groq/ok"]) for _ in range(10)]

    assert {one.provider for one in down} == {"groq"}
    assert calls_while_down == 5
    assert {one.provider for one in up} == {"openai"}
    assert [one["gatewayz.circuit_breaker.state"] for one in rig.events("gatewayz.circuit_breaker.changed")] == [
        "open", "closed",
    ]  # fmt: skip


@pytest.mark.parametrize("substitute", ["groq/ok", "groq/slow-first-0.5s"])
async def test_primary_that_fails_under_load_costs_no_call_its_answer(rigs: Rigs, substitute: str) -> None:
    rig = await rigs(real_time=True)
    rig.fakes["openai"].behave = lambda received: "503"

    results = await asyncio.gather(*(rig.ask("openai/ok", models=[substitute]) for _ in range(150)))

    assert {one.provider for one in results} == {"groq"}


async def test_retry_after_is_the_shortest_when_all_breakers_are_open(rigs: Rigs) -> None:
    rig = await rigs(PATIENT)
    await fail(rig, 5)
    rig.clock.now_s += 10
    await fail(rig, 5, "groq/500")

    refused = (await rig.ask("openai/500", models=["groq/500"])).refused

    assert isinstance(refused, NoCandidate)
    assert refused.retry_after_s == pytest.approx(20)
    assert {one["gatewayz.skip.reason"] for one in rig.events("gatewayz.candidate.skipped")} == {"breaker_open"}


@pytest.mark.parametrize("at_once", [1, 20])
async def test_retries_stay_within_the_budget_when_everything_fails(rigs: Rigs, at_once: int) -> None:
    never = BreakerPolicy(consecutive_failures=10_000, min_attempts=10_000)
    rig = await rigs(RoutingPolicy(breaker=never))
    for fake in rig.fakes.values():
        fake.behave = lambda received: "500"

    for _ in range(100 // at_once):
        many = (rig.ask("openai/ok", models=["groq/ok", "together/ok"]) for _ in range(at_once))
        assert not [one for one in await asyncio.gather(*many) if one.answer]

    attempts = sum(len(fake.requests) for fake in rig.fakes.values())
    assert 100 < attempts <= 1.2 * 100 + 3


async def test_full_gateway_rejects_at_once(rigs: Rigs) -> None:
    rig = await rigs(RoutingPolicy(max_in_flight=2, retry=NO_RETRIES), real_time=True)
    busy = [asyncio.create_task(rig.ask("openai/slow-first-0.5s", stream=stream)) for stream in (False, True)]
    await until(lambda: len(rig.fakes["openai"].requests) == 2)

    refused = (await rig.ask("openai/ok")).refused

    assert isinstance(refused, Overloaded)
    assert (refused.status, refused.error_type, refused.retry_after_s) == (503, "gateway_overloaded", 1)
    await asyncio.gather(*busy)
    assert (await rig.ask("openai/ok")).answer


async def test_full_provider_is_skipped_and_rejected_where_it_is_the_only_one(rigs: Rigs) -> None:
    rig = await rigs(RoutingPolicy(provider_in_flight=1, retry=NO_RETRIES), real_time=True)
    busy = asyncio.create_task(rig.ask("openai/slow-first-0.5s"))
    await until(lambda: len(rig.fakes["openai"].requests) == 1)

    assert (await rig.ask("openai/ok", models=["groq/ok"])).provider == "groq"
    assert isinstance((await rig.ask("openai/ok")).refused, Overloaded)
    await busy
    assert (await rig.ask("openai/ok")).provider == "openai"
    assert {event["gatewayz.skip.reason"] for event in rig.events("gatewayz.candidate.skipped")} == {"at_capacity"}
