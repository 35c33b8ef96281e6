"""After a failure: the same candidate again, another one, or none? And after how long?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from gatewayz.config import RetryPolicy
from gatewayz.errors import (
    GatewayError,
    Overloaded,
    ProviderAuthFailed,
    ProviderBadRequest,
    ProviderConnectionFailed,
    ProviderError,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderServerError,
    ProviderStreamCut,
)

Verdict = Literal["again", "elsewhere", "final"]

_NOT_FOUND = 404
"""Another provider may have a model that this one lacks."""


def verdict(error: GatewayError) -> Verdict:
    """What may follow: an attempt at the same candidate ``again`` (or at another), only one ``elsewhere``, or none, since no
    other attempt could change the result. A candidate that timed out is not tried again: the caller would wait as long again."""
    match error:
        case ProviderError(repeatable=False) if not isinstance(error, ProviderBadRequest):
            return "elsewhere"
        case ProviderBadRequest():
            return "elsewhere" if error.upstream_status == _NOT_FOUND else "final"
        case (
            ProviderRateLimited()
            | ProviderOverloaded()
            | ProviderServerError()
            | ProviderConnectionFailed()
            | ProviderStreamCut()
        ):
            return "again"
        case ProviderError() | Overloaded():
            return "elsewhere"
        case _:
            return "final"


def pause_s(
    error: GatewayError,
    policy: RetryPolicy,
    *,
    tries: int,
    others: bool,
    another_key: bool,
    left_s: float,
    random: Callable[[], float],
) -> float | None:
    """Seconds to wait before the same candidate is called again; None: it should not be.

    ``tries``: how often it was called; ``others``: another candidate could be called instead; ``another_key``: a key of ours
    that it has not refused yet may be used; ``left_s``: what is left of the call's time. A Retry-After is obeyed to the letter
    or not waited for at all: no candidate is called sooner.
    """
    if another_key and isinstance(error, ProviderAuthFailed | ProviderRateLimited):
        return 0.0  # it was about that key
    if verdict(error) != "again" or tries >= policy.tries_per_candidate:
        return None
    wanted_s = error.retry_after_s
    if wanted_s is not None:
        if wanted_s > (policy.max_wait_with_others_s if others else policy.max_wait_s):
            return None
        # Never early, and not all calls at the same moment.
        pause = wanted_s + random() * max(0.1 * wanted_s, 0.05)
    elif others and isinstance(error, ProviderRateLimited | ProviderOverloaded):
        return None  # it says that it is too busy; another one may not be
    else:
        pause = back_off_s(policy, tries, random)
    return pause if pause < left_s else None


def back_off_s(policy: RetryPolicy, tries: int, random: Callable[[], float]) -> float:
    """Exponential, with full jitter: anywhere between nothing and the whole step."""
    return random() * min(policy.max_backoff_s, policy.backoff_s * 2.0 ** (tries - 1))
