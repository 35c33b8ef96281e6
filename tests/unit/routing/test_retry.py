from __future__ import annotations

import pytest

from gatewayz.config import RetryPolicy
from gatewayz.errors import (
    CallerCancelled,
    GatewayError,
    Overloaded,
    ProviderAuthFailed,
    ProviderBadRequest,
    ProviderConnectionFailed,
    ProviderConnectTimeout,
    ProviderFirstChunkTimeout,
    ProviderIdleTimeout,
    ProviderMalformedResponse,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderServerError,
    ProviderStreamCut,
    Unavailable,
)
from gatewayz.routing.retry import Verdict, back_off_s, pause_s, verdict

POLICY = RetryPolicy()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ProviderServerError("x"), "again"),
        (ProviderConnectionFailed("x"), "again"),
        (ProviderStreamCut("x"), "again"),
        (ProviderOverloaded("x"), "again"),
        (ProviderRateLimited("x"), "again"),
        (ProviderConnectTimeout("x"), "elsewhere"),
        (ProviderFirstChunkTimeout("x"), "elsewhere"),
        (ProviderIdleTimeout("x"), "elsewhere"),
        (ProviderMalformedResponse("x"), "elsewhere"),
        (ProviderAuthFailed("x"), "elsewhere"),
        (ProviderBadRequest("x", upstream_status=404), "elsewhere"),
        (Overloaded("x"), "elsewhere"),
        (ProviderBadRequest("x", upstream_status=400), "final"),
        (ProviderBadRequest("x", upstream_status=422), "final"),
        (Unavailable("x"), "final"),
        (CallerCancelled("x"), "final"),
    ],
)
def test_verdict_by_error(error: GatewayError, expected: Verdict) -> None:
    assert verdict(error) == expected


def pause(
    error: GatewayError,
    *,
    tries: int = 1,
    others: bool = False,
    left_s: float = 60,
    key: bool = False,
    chance: float = 0.5,
) -> float | None:
    return pause_s(error, POLICY, tries=tries, others=others, another_key=key, left_s=left_s, random=lambda: chance)


def test_back_off_is_between_zero_and_a_step_that_doubles() -> None:
    assert [back_off_s(POLICY, tries, lambda: 1.0) for tries in range(1, 6)] == [0.25, 0.5, 1.0, 2.0, 2.0]
    assert back_off_s(POLICY, 3, lambda: 0.0) == 0


def test_second_try_at_a_candidate_is_the_last() -> None:
    assert pause(ProviderServerError("x")) == 0.125
    assert pause(ProviderServerError("x"), tries=2) is None


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("wanted_s", [0.2, 1, 4.5])
def test_pause_is_never_shorter_or_much_longer_than_retry_after(wanted_s: float, chance: float) -> None:
    waited = pause(ProviderRateLimited("x", retry_after_s=wanted_s), chance=chance)
    assert waited is not None
    assert wanted_s <= waited <= max(wanted_s * 1.1, wanted_s + 0.05)


def test_long_retry_after_is_not_waited_for() -> None:
    assert pause(ProviderRateLimited("x", retry_after_s=6)) is None
    assert pause(ProviderRateLimited("x", retry_after_s=1), others=True) is None
    assert pause(ProviderRateLimited("x", retry_after_s=3), left_s=2) is None


def test_busy_candidate_is_not_retried_where_there_are_others() -> None:
    assert pause(ProviderOverloaded("x"), others=True) is None
    assert pause(ProviderOverloaded("x")) == 0.125


def test_another_key_is_tried_without_a_pause() -> None:
    assert pause(ProviderRateLimited("x", retry_after_s=60), key=True) == 0
    assert pause(ProviderAuthFailed("x"), key=True) == 0
    assert pause(ProviderBadRequest("x", upstream_status=400), key=True) is None
