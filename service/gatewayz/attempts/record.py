"""What is known of a running attempt, and the one place where it ends."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import msgspec

from gatewayz.attempts.context import CallContext
from gatewayz.attempts.outcome_sinks import OutcomeSinks
from gatewayz.providers.state import OTHER, ProviderState
from gatewayz.records import Attempt, Cost, ErrorType, Outcome, State, Usage
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


class AttemptRecord(State):
    """One attempt, which ends once, whatever happens: ``settle`` makes its Outcome and hands it to the sinks."""

    context: CallContext
    attempt: Attempt
    provider_state: ProviderState
    visit: Visit
    telemetry: AttemptTelemetry
    fold: Fold
    sinks: OutcomeSinks
    body: bytes | None = None
    """The request, for an estimate where the provider does not count; None where nothing is charged."""
    price_of: PriceOf | None = None
    status: int | None = None
    """HTTP status of the provider's answer."""
    first_s: float | None = None
    last_s: float | None = None
    on_end: Callable[[], None] | None = None
    """Called at the end of an attempt that outlives the call to the gateway: a stream's."""
    _started_s: float = msgspec.field(default_factory=perf_counter)
    _sent: bool = False
    _ended: bool = False

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
            self.sinks.failed("outcome")
            outcome = Outcome(self.status, OTHER, error_type=error_type, whole=whole, caller_deadline=caller_deadline)
        self.context.totals.add(outcome)
        self.sinks.attempt_ended(self.context, self, outcome)
        if self.on_end is not None:
            self.on_end()

    def _outcome(self, error_type: ErrorType | None, whole: bool, caller_deadline: bool) -> Outcome:
        fold, first_s, last_s = self.fold, self.first_s, self.last_s
        if error_type is None:
            self.provider_state.learn_model(self.attempt.model)
        usage = self._usage(error_type)
        unread = whole and self.context.disconnect.gone
        return Outcome(
            status=self.status,
            known_model=self.provider_state.known_model(self.attempt.model),
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

    def _usage(self, error_type: ErrorType | None) -> Usage:
        """The provider's count; where it has none, or not of everything, with an estimate in its place.

        A provider that fails before it has answered anything counts as unused. A caller that disconnects before that has not
        stopped the provider: it has the request, and most go on.
        """
        fold, body = self.fold, self.body
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
        return self._sent and self.body is not None and answered_well and error_type in _UNANSWERED

    def _cost(self, usage: Usage) -> Cost | None:
        if self.price_of is None or usage.source == "none":
            return None
        return self.price_of(self.attempt.provider, self.attempt.model, usage, self.fold.response_model)
