"""What is known of a running attempt, and the one place where it ends."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from gatewayz.attempts.context import CallContext
from gatewayz.attempts.outcome_sinks import OutcomeSinks
from gatewayz.providers.base import Provider
from gatewayz.records import Attempt, Cost, ErrorType, Outcome, Usage
from gatewayz.routing.route_states import Visit
from gatewayz.telemetry.request import AttemptTelemetry
from gatewayz.wires.fold import Fold
from gatewayz.wires.token_estimate import request_tokens

PriceOf = Callable[[str, str, Usage, str | None], Cost]
"""Provider, model, usage, and the model that the provider says answered → what that cost."""

_UNANSWERED: frozenset[ErrorType] = frozenset(
    (
        "provider_connection_error",
        "provider_first_chunk_timeout",
        "provider_idle_timeout",
        "provider_stream_cut",
        "provider_malformed_response",
    )
)
"""Failures after which a provider may have done its work all the same. One that answers with an error has not."""


class AttemptRecord:
    """One attempt, which ends once, whatever happens: ``settle`` makes its Outcome and hands it to the sinks."""

    __slots__ = (
        *(
            "_body",
            "_context",
            "_ended",
            "_price_of",
            "_provider",
            "_sent",
            "_sinks",
            "_started_s",
            "attempt",
            "first_s",
        ),
        *("fold", "last_s", "on_end", "status", "telemetry", "visit"),
    )

    def __init__(
        self,
        context: CallContext,
        attempt: Attempt,
        provider: Provider,
        visit: Visit,
        fold: Fold,
        sinks: OutcomeSinks,
        *,
        body: bytes | None = None,
        price_of: PriceOf | None = None,
    ) -> None:
        """``body``: the request, for an estimate where the provider does not count; None where nothing is charged."""
        context.totals.attempts += 1
        self._context = context
        self._provider = provider
        self._sinks = sinks
        self._body = body
        self._price_of = price_of
        self._sent = False
        self._ended = False
        self.attempt = attempt
        self.telemetry: AttemptTelemetry = context.telemetry.start_attempt(attempt)
        self.visit = visit
        self.fold = fold
        self.status: int | None = None
        """HTTP status of the provider's answer."""
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.on_end: Callable[[], None] | None = None
        """Called at the end of an attempt that outlives the call to the gateway: a stream's."""
        self._started_s = perf_counter()

    def age_s(self) -> float:
        return perf_counter() - self._started_s

    def sent(self) -> None:
        """The provider is going to have the whole request."""
        self._sent = True

    def began(self) -> None:
        """The first part of a stream is here, and it is no failure."""
        self.first_s = self.last_s = perf_counter()
        self.visit.began()

    def settle(self, error_type: ErrorType | None, *, whole: bool = False, caller_deadline: bool = False) -> None:
        """Ends the attempt. ``whole``: with an answer in one piece; ``caller_deadline``: the caller allowed it less time than the
        provider has by configuration, and that was over. A second call changes nothing."""
        if self._ended:
            return
        self._ended = True
        try:
            outcome = self._outcome(error_type, whole, caller_deadline)
        except Exception:  # noqa: BLE001 - a defect in the counting costs the figures, not the record of the attempt
            self._sinks.failed("outcome")
            outcome = Outcome(
                self.status, self._known_model(), error_type=error_type, whole=whole, caller_deadline=caller_deadline
            )
        self._context.totals.add(outcome)
        self._sinks.attempt_ended(self._context, self, outcome)
        if self.on_end is not None:
            self.on_end()

    def _outcome(self, error_type: ErrorType | None, whole: bool, caller_deadline: bool) -> Outcome:
        fold, first_s, last_s = self.fold, self.first_s, self.last_s
        if error_type is None:
            self._provider.learn(self.attempt.model)
        usage = self._usage(error_type)
        unread = whole and self._context.disconnect.gone
        return Outcome(
            status=self.status,
            known_model=self._known_model(),
            usage=usage,
            cost=self._cost(usage),
            error_type="caller_cancelled" if unread else error_type,
            response_id=fold.response_id,
            response_model=fold.response_model,
            finish_reasons=fold.finish_reasons,
            time_to_first_chunk_s=None if first_s is None else first_s - self._started_s,
            chunks=fold.content_events,
            stream_s=None if first_s is None or last_s is None else last_s - first_s,
            possibly_billed=usage.source == "none" and self._may_be_billed(error_type),
            whole=whole,
            caller_deadline=caller_deadline,
        )

    def _known_model(self) -> str:
        return self._provider.known_model(self.attempt.model)

    def _usage(self, error_type: ErrorType | None) -> Usage:
        """The provider's count; where it has none, or not of everything, with an estimate in its place.

        A provider that fails before it has answered anything counts as unused. A caller that disconnects before that has not
        stopped the provider: it has the request, and most go on.
        """
        fold, body = self.fold, self._body
        usage = fold.usage
        if body is None:
            return usage
        if usage.source == "provider":
            if not fold.uncounted_tokens():
                return usage
        elif not self._was_used(error_type):
            return usage
        return Usage(
            input_tokens=usage.input_tokens or request_tokens(body),
            output_tokens=fold.output_so_far(),
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            source="estimate",
        )

    def _was_used(self, error_type: ErrorType | None) -> bool:
        if error_type == "caller_cancelled":
            return self._sent
        return error_type is None or self.fold.content_bytes > 0 or self.first_s is not None

    def _may_be_billed(self, error_type: ErrorType | None) -> bool:
        answered_well = self.status is None or 200 <= self.status < 300
        return self._sent and self._body is not None and answered_well and error_type in _UNANSWERED

    def _cost(self, usage: Usage) -> Cost | None:
        if self._price_of is None or usage.source == "none":
            return None
        return self._price_of(self.attempt.provider, self.attempt.model, usage, self.fold.response_model)
