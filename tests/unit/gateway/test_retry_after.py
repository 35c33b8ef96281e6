"""Retry-After in every form: obeyed, or handed on, never undercut."""

from __future__ import annotations

import pytest

from gatewayz.errors import ProviderOverloaded, ProviderRateLimited
from tests.unit.gateway.conftest import Rig, Rigs


async def test_a_short_wait_is_waited_for_where_nobody_else_can_answer(rig: Rig) -> None:
    result = await rig.ask("openai/429-retry-after-2")

    assert isinstance(result.refused, ProviderRateLimited)
    assert len(rig.fakes["openai"].requests) == 2
    assert 2.0 <= sum(rig.clock.slept) <= 2.2


async def test_a_date_is_waited_for_like_seconds(rig: Rig) -> None:
    await rig.ask("openai/429-retry-after-date")

    assert len(rig.fakes["openai"].requests) == 2
    assert 3.5 <= sum(rig.clock.slept) <= 5.6  # five seconds, of which dates do not tell the fractions


async def test_somebody_else_is_asked_sooner_than_waited_for(rig: Rig) -> None:
    result = await rig.ask("openai/429-retry-after-2", models=["groq/ok"])

    assert result.provider == "groq"
    assert not rig.clock.slept


async def test_a_day_is_handed_on(rig: Rig) -> None:
    result = await rig.ask("openai/429-retry-after-86400")

    assert result.refused.retry_after_s == 86400
    assert len(rig.fakes["openai"].requests) == 1


async def test_nothing_to_wait_for_means_again_at_once(rig: Rig) -> None:
    await rig.ask("openai/429-retry-after-0")

    assert len(rig.fakes["openai"].requests) == 2
    assert sum(rig.clock.slept) < 0.1


async def test_garbage_is_as_if_nothing_were_said(rig: Rig) -> None:
    result = await rig.ask("openai/429-retry-after-soon")

    assert result.refused.retry_after_s is None
    assert len(rig.fakes["openai"].requests) == 2
    assert sum(rig.clock.slept) <= 0.25


async def test_those_who_come_later_do_not_ask_before_the_time_either(rig: Rig) -> None:
    first = await rig.ask("openai/429-retry-after-60")
    rig.clock.now_s += 30
    later = await rig.ask("openai/429-retry-after-60")

    assert isinstance(later.refused, ProviderRateLimited)
    assert later.refused.retry_after_s == pytest.approx(30)
    assert len(rig.fakes["openai"].requests) == 1
    assert rig.attempts(later) == []
    assert first.refused.retry_after_s == 60
    (skipped,) = rig.events("gatewayz.candidate.skipped")
    assert skipped == {"gatewayz.provider.name": "openai", "gatewayz.skip.reason": "rate_limited"}


async def test_those_who_come_later_use_another_model_meanwhile(rig: Rig) -> None:
    await rig.ask("openai/429-retry-after-60")
    later = await rig.ask("openai/429-retry-after-60", models=["groq/ok"])

    assert later.provider == "groq"
    assert len(rig.fakes["openai"].requests) == 1


async def test_an_overloaded_provider_may_ask_for_a_pause_too(rig: Rig) -> None:
    await rig.ask("openai/503-retry-after-60")
    later = await rig.ask("openai/503-retry-after-60")

    assert isinstance(later.refused, ProviderOverloaded | ProviderRateLimited)
    assert len(rig.fakes["openai"].requests) == 1


async def test_a_limit_that_belongs_to_one_key_is_got_around_with_another(rigs: Rigs) -> None:
    rig = await rigs(environment={"OPENAI_API_KEY": "sk-openai-one,sk-openai-two"})
    rig.fakes["openai"].behave = lambda received: (
        "429-retry-after-60" if "one" in received.headers["authorization"] else "ok"
    )

    result = await rig.ask("openai/ok")

    assert result.provider == "openai"
    assert rig.attempts(result) == [("openai", "first", "provider_rate_limited"), ("openai", "retry", None)]
    assert not rig.clock.slept


async def test_a_wait_that_the_callers_time_does_not_allow_is_handed_on(rig: Rig) -> None:
    result = await rig.ask("openai/429-retry-after-4", headers=[(b"x-gatewayz-timeout", b"3")])

    assert result.refused.retry_after_s == 4
    assert len(rig.fakes["openai"].requests) == 1


async def test_a_key_that_is_refused_gives_way_to_another(rigs: Rigs) -> None:
    rig = await rigs(environment={"OPENAI_API_KEY": "sk-openai-one,sk-openai-two"})
    rig.fakes["openai"].behave = lambda received: "401" if "one" in received.headers["authorization"] else None

    results = [await rig.ask("openai/ok") for _ in range(4)]

    assert all(one.answer for one in results)
    assert rig.attempts(results[0]) == [("openai", "first", "provider_auth_error"), ("openai", "retry", None)]
    assert len(rig.fakes["openai"].requests) == 5  # the refused key rests from then on
