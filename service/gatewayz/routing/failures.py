"""Which of a call's failures does its caller get? Every failure is kept; one of them becomes the final error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from gatewayz.errors import (
    GatewayError,
    InvalidRequest,
    NoCandidate,
    Overloaded,
    ProviderAuthFailed,
    ProviderBadRequest,
    ProviderRateLimited,
)
from gatewayz.routing.candidates import Candidate
from gatewayz.routing.route_states import Skip

SHOWN = 6
"""The message of the final error names this many failures."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One candidate that did not answer: it was called and failed, or it was not called at all."""

    candidate: Candidate
    error: GatewayError
    called: bool

    @property
    def provider(self) -> str | None:
        """The provider whose failure it is; None where the call could not even be put to it."""
        return self.candidate.provider.name if self.called else self.error.provider


class Failures:
    """What has failed in one call so far."""

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: list[Failure] = []

    def add(self, candidate: Candidate, error: GatewayError, *, called: bool) -> None:
        # Without its traceback: the frames in it hold this object, and with it the whole call, which would stay in memory until
        # the garbage collector runs. During an outage that is every call.
        error.__traceback__ = error.__cause__ = error.__context__ = None
        self._all.append(Failure(candidate, error, called))

    def skip(self, candidate: Candidate, skip: Skip) -> None:
        """A candidate that was skipped counts as a failure of the kind that skipping it avoids."""
        self._all.append(Failure(candidate, _skip_error(candidate.provider.name, skip), called=False))

    def include_others(self, candidate: Candidate) -> bool:
        """Whether any other candidate has failed or was skipped."""
        return any(one.candidate is not candidate for one in self._all)

    def final(self) -> GatewayError:
        """A new error, made of the most useful failure: the latest of the caller's first choice, as long as it is about the call.

        A substitute's rejection says nothing about the request as it was meant, and a key of ours that was rejected is nothing
        that the caller could act on. The message names all candidates that failed; the time to come back is the shortest of all.
        """
        if not self._all:
            return NoCandidate("Nobody was left to ask.", retry_after_s=1.0)
        best = self._all[min(range(len(self._all)), key=self._rank)]
        error = best.error
        changes: dict[str, Any] = {"provider": best.provider}  # Any: attributes of several types
        if error.retry_after_s is not None:
            waits = [one.error.retry_after_s for one in self._all if one.error.retry_after_s is not None]
            changes["retry_after_s"] = min(waits)
        if len(self._all) > 1 and not (isinstance(error, ProviderBadRequest) and error.body is not None):
            names = [f"{one.candidate.provider.name}: {one.error.error_type}" for one in self._all[:SHOWN]]
            changes["message"] = f"{error.message} (Asked in turn: {', '.join(names)}.)"
        return error.replaced(**changes)

    def _rank(self, place: int) -> tuple[int, int, int]:
        failure = self._all[place]
        of_first = failure.candidate is self._all[0].candidate
        match failure.error:
            case InvalidRequest():  # it cannot be expressed in this provider's wire
                grade = 4
            case ProviderBadRequest():
                grade = 0 if of_first else 3
            case ProviderAuthFailed():
                grade = 2
            case _ if not failure.called:
                grade = 1
            case _:
                grade = 0
        # Among equals the first choice's own, and of those the latest.
        return (grade, 0 if of_first else 1, -place if of_first else place)


def _skip_error(provider: str, skip: Skip) -> GatewayError:
    match skip.reason:
        case "breaker_open":
            return NoCandidate(
                f"{provider} has failed too often and is left alone for a while.",
                retry_after_s=max(skip.retry_after_s, 1.0),
                provider=provider,
            )
        case "rate_limited":
            return ProviderRateLimited(
                f"{provider} asked not to be called before its rate limit is reset.",
                retry_after_s=skip.retry_after_s,
                provider=provider,
            )
        case "at_capacity":
            return Overloaded(
                f"As many calls to {provider} as the gateway allows are under way.",
                retry_after_s=skip.retry_after_s,
                provider=provider,
            )
        case _:
            assert_never(skip.reason)
