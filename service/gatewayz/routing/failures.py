"""Which of a call's failures does its caller get to see? Every attempt is kept; one of them is the answer."""

from __future__ import annotations

from dataclasses import dataclass

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
from gatewayz.routing.route_states import Skipped

SHOWN = 6


@dataclass(frozen=True, slots=True)
class Failure:
    """One candidate that did not answer: it failed, or it was passed over."""

    candidate: Candidate
    error: GatewayError
    called: bool


class Failures:
    """What went wrong with one call so far."""

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: list[Failure] = []

    def add(self, candidate: Candidate, error: GatewayError, *, called: bool) -> None:
        # A traceback, its own or its cause's, holds the frames that it went through, and they hold this: a circle around the
        # whole request, which would stay in memory until the collector comes by. During an outage that is every request.
        error.__traceback__ = error.__cause__ = error.__context__ = None
        self._all.append(Failure(candidate, error, called))

    def forget(self) -> None:
        """The call is over; the error that it ends in is no part of this any more."""
        self._all.clear()

    def skip(self, candidate: Candidate, skipped: Skipped) -> None:
        """Passed over, which counts as a failure of the kind that it saves."""
        name, retry_after_s = candidate.provider.name, skipped.retry_after_s
        match skipped.reason:
            case "breaker_open":
                error: GatewayError = NoCandidate(
                    f"{name} has failed too often and is left alone for a while.", retry_after_s=max(retry_after_s, 1.0)
                )
            case "rate_limited":
                error = ProviderRateLimited(
                    f"{name} asked not to be called before its rate limit is reset.", retry_after_s=retry_after_s
                )
            case "at_capacity":
                error = Overloaded(
                    f"As many calls to {name} as the gateway allows are under way.", retry_after_s=retry_after_s
                )
        error.provider = name
        self._all.append(Failure(candidate, error, called=False))

    def of_others(self, candidate: Candidate) -> bool:
        """Whether somebody was asked, or passed over, before this candidate."""
        return any(one.candidate is not candidate for one in self._all)

    def final(self) -> GatewayError:
        """The most useful one: the last word of the candidate that was the caller's first choice, as long as it is about the
        call. A refusal by a substitute says nothing about the request as it was meant; a key of ours that was refused, nothing
        that the caller could act on. The message names all that were asked."""
        if not self._all:
            return NoCandidate("Nobody was left to ask.", retry_after_s=1.0)
        best = min(range(len(self._all)), key=self._rank)
        error = self._all[best].error
        if error.retry_after_s is not None:
            # Whoever can answer first decides when it is worth coming back.
            waits = [one.error.retry_after_s for one in self._all if one.error.retry_after_s is not None]
            error.retry_after_s = min(waits)
        if len(self._all) > 1 and not (isinstance(error, ProviderBadRequest) and error.body is not None):
            told = [f"{one.candidate.provider.name}: {one.error.error_type}" for one in self._all[:SHOWN]]
            error.message = f"{error.message} (Asked in turn: {', '.join(told)}.)"
        return error

    def _rank(self, place: int) -> tuple[int, int, int]:
        failure = self._all[place]
        first = self._all[0].candidate
        of_first = failure.candidate is first
        match failure.error:
            case InvalidRequest():  # this provider's wire could not say it
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
