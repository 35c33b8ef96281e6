"""Retry-After in every form: obeyed, or handed on, never undercut."""

from __future__ import annotations

import pytest

from gatewayz.errors import ProviderOverloaded, ProviderRateLimited
from tests.unit.gateway.conftest import Rig, Rigs


async def test_short_retry_after_is_waited_for_where_no_other_candidate_is(rig: Rig) -> None:
    result = await rig.ask("openai/429-retry-after-2")

    assert isinstance(result.refused, ProviderRateLimited)
    assert len(rig.fakes["openai"].requests) == 2
    assert 2.0 <= sum(rig.clock.slept) <= 2.2


async def test_retry_after_date_is_waited_for_like_seconds(rig: Rig) -> None:
    await rig.ask("openai/429-retry-after-date")

    assert len(rig.fakes["openai"].requests) == 2
    assert 3.5 <= sum(rig.clock.slept) <= 5.6  # five seconds, of which dates do not tell the fractions


async def test_fallback_is_preferred_to_waiting_for_retry_after(rig: Rig) -> None:
    result = await rig.ask("openai/429-retry-after-2", models=["groq/ok"])

    assert result.provider == "groq"
    assert not rig.clock.slept


async def test_long_retry_after_is_forwarded(rig: Rig) -> None:
    result = await rig.ask("openai/429-retry-after-86400")

    assert result.refused.retry_after_s == 86400
    assert len(rig.fakes["openai"].requests) == 1


async def test_retry_after_zero_is_retried_at_once(rig: Rig) -> None:
    await rig.ask("openai/429-retry-after-0")

    assert len(rig.fakes["openai"].requests) == 2
    assert sum(rig.clock.slept) < 0.1


async def test_unreadable_retry_after_is_ignored(rig: Rig) -> None:
    result = await rig.ask("openai/429-retry-after-soon")

    assert result.refused.retry_after_s is None
    assert len(rig.fakes["openai"].requests) == 2
    assert sum(rig.clock.slept) <= 0.25


async def test_later_calls_obey_the_cooldown(rig: Rig) -> None:
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


async def test_call_falls_back_during_a_cooldown(rig: Rig) -> None:
    await rig.ask("openai/429-retry-after-60")
    later = await rig.ask("openai/429-retry-after-60", models=["groq/ok"])

    assert later.provider == "groq"
    assert len(rig.fakes["openai"].requests) == 1


async def test_overloaded_provider_with_retry_after_cools_down(rig: Rig) -> None:
    await rig.ask("openai/503-retry-after-60")
    later = await rig.ask("openai/503-retry-after-60")

    assert isinstance(later.refused, ProviderOverloaded | ProviderRateLimited)
    assert len(rig.fakes["openai"].requests) == 1


async def test_rate_limit_of_one_key_is_retried_with_another(rigs: Rigs) -> None:
    rig = await rigs(environment={"OPENAI_API_KEY": "sk-openai-one,sk-openai-two"})
    rig.fakes["openai"].behave = lambda received: (
        "429-retry-after-60" if "one" in received.headers["authorization"] else "ok"
    )

    result = await rig.ask("openai/ok")

    assert result.provider == "openai"
    assert rig.attempts(result) == [("openai", "first", "provider_rate_limited"), ("openai", "retry", None)]
    assert not rig.clock.slept


async def test_retry_after_beyond_the_callers_deadline_is_forwarded(rig: Rig) -> None:
    result = await rig.ask("openai/429-retry-after-4", headers=[(b"x-gatewayz-timeout", b"3")])

    assert result.refused.retry_after_s == 4
    assert len(rig.fakes["openai"].requests) == 1


async def test_rejected_key_is_retried_with_another(rigs: Rigs) -> None:
    rig = await rigs(environment={"OPENAI_API_KEY": "sk-openai-one,sk-openai-two"})
    rig.fakes["openai"].behave = lambda received: "401" if "one" in received.headers["authorization"] else None

    results = [await rig.ask("openai/ok") for _ in range(4)]

    assert all(one.answer for one in results)
    assert rig.attempts(results[0]) == [("openai", "first", "provider_auth_error"), ("openai", "retry", None)]
    assert len(rig.fakes["openai"].requests) == 5  # the refused key rests from then on
