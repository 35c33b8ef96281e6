"""Who learns how an attempt ended: an ordered tuple of sinks, made in app.py."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from gatewayz.attempts.context import CallContext
from gatewayz.records import Attempt, Outcome, OutcomeStep
from gatewayz.routing.route_states import Visit
from gatewayz.telemetry.request import AttemptTelemetry

logger = logging.getLogger(__name__)


class EndedAttempt(Protocol):
    """What sinks may know of an attempt besides its outcome."""

    @property
    def attempt(self) -> Attempt: ...
    @property
    def visit(self) -> Visit: ...
    @property
    def telemetry(self) -> AttemptTelemetry: ...


class OutcomeSink(Protocol):
    """Takes the outcome of each attempt, once. It runs in the request's own task, often while that is being cancelled: it must
    not wait for anything. What it raises is logged and counted, and hurts neither the request nor the sinks after it."""

    @property
    def step(self) -> OutcomeStep: ...

    def attempt_ended(self, context: CallContext, attempt: EndedAttempt, outcome: Outcome) -> None: ...


class RouteStateSink:
    """Frees the attempt's place and tells circuit breaker and health of its route."""

    step: OutcomeStep = "route_state"

    def attempt_ended(self, context: CallContext, attempt: EndedAttempt, outcome: Outcome) -> None:
        attempt.visit.end(outcome)


class TelemetrySink:
    """Ends the attempt's span and records its metrics."""

    step: OutcomeStep = "telemetry"

    def attempt_ended(self, context: CallContext, attempt: EndedAttempt, outcome: Outcome) -> None:
        attempt.telemetry.end(outcome)


class OutcomeSinks:
    """The sinks in their order. ``on_failure`` is told each step that raised."""

    __slots__ = ("_on_failure", "_sinks")

    def __init__(self, sinks: Sequence[OutcomeSink], on_failure: Callable[[OutcomeStep], None]) -> None:
        self._sinks = tuple(sinks)
        self._on_failure = on_failure

    def attempt_ended(self, context: CallContext, attempt: EndedAttempt, outcome: Outcome) -> None:
        for sink in self._sinks:
            try:
                sink.attempt_ended(context, attempt, outcome)
            except Exception:  # noqa: BLE001 - logged and counted there
                self.failed(sink.step)

    def failed(self, step: OutcomeStep) -> None:
        """Logs and counts the exception that is being handled."""
        logger.exception("the outcome of an attempt was not recorded", extra={"step": step})
        self._on_failure(step)
