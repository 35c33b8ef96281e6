"""What is known of a running attempt, and the one place where it ends."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from gatewayz.providers.state import ProviderState
from gatewayz.records import Cost, ErrorType, Outcome, Usage
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
"""Failures after which a provider may have done its work all the same. Whoever answers with an error has not."""


class AttemptRecord:
    """Ends once, whatever happens: the span, the visit to the route, and what hangs on them."""

    __slots__ = (
        "_ended",
        "_model",
        "_price_of",
        "_provider",
        "_request",
        "_sent",
        "_span",
        "_started_s",
        "first_s",
        "fold",
        "last_s",
        "status",
        "then",
        "visit",
    )

    def __init__(
        self,
        provider: ProviderState,
        model: str,
        span: AttemptTelemetry,
        visit: Visit,
        fold: Fold,
        price_of: PriceOf | None = None,
        request: bytes | None = None,
    ) -> None:
        """``request``: what was asked, for an estimate where the provider does not count; None where nothing is charged."""
        self._provider = provider
        self._model = model
        self._span = span
        self._price_of = price_of
        self._request = request
        self._sent = False
        self._started_s = perf_counter()
        self._ended = False
        self.visit = visit
        self.fold = fold
        self.status: int | None = None
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.then: Callable[[], None] | None = None
        """Called at the end of an attempt that outlives the call to the gateway: a stream's."""

    def age_s(self) -> float:
        return perf_counter() - self._started_s

    def sent(self) -> None:
        """The provider is going to have the whole request."""
        self._sent = True

    def began(self) -> None:
        """The first part of the answer is here, and nothing in it says that it failed."""
        self.first_s = self.last_s = perf_counter()
        self.visit.began()

    def settle(
        self, error_type: ErrorType | None, *, whole: bool = False, unread: bool = False, hurried: bool = False
    ) -> None:
        """Ends the attempt; ``whole``: with an answer in one piece; ``unread``: for which nobody waits any more; ``hurried``: it
        had less time than the provider's own. A second call changes nothing."""
        if self._ended:
            return
        self._ended = True
        fold = self.fold
        if error_type is None:
            self._provider.learn_model(self._model)
        first_s, last_s = self.first_s, self.last_s
        try:
            self.visit.end(error_type, whole=whole, hurried=hurried)
        finally:
            # Whatever goes wrong in the counting, what was taken is given back.
            try:
                usage = self._usage(error_type)
                self._span.end(
                    Outcome(
                        status=self.status,
                        known_model=self._provider.known_model(self._model),
                        usage=usage,
                        cost=self._cost(usage),
                        error_type="caller_cancelled" if unread and error_type is None else error_type,
                        response_id=fold.response_id,
                        response_model=fold.response_model,
                        finish_reasons=fold.finish_reasons,
                        time_to_first_chunk_s=None if first_s is None else first_s - self._started_s,
                        chunks=fold.content_events,
                        stream_s=None if first_s is None or last_s is None else last_s - first_s,
                        possibly_billed=usage.source == "none" and self._may_be_billed(error_type),
                    )
                )
            finally:
                if self.then is not None:
                    self.then()

    def _usage(self, error_type: ErrorType | None) -> Usage:
        """The provider's count; where it has none, or not of everything, with an estimate in its place.

        A provider that fails before it has said anything does not count as one that was used. A caller who leaves before that
        has not stopped it: it has the request, and most go on.
        """
        fold, request = self.fold, self._request
        usage = fold.usage
        if request is None:
            return usage
        if usage.source == "provider":
            if not fold.uncounted_tokens():
                return usage
        elif not self._was_used(error_type):
            return usage
        return Usage(
            input_tokens=usage.input_tokens or request_tokens(request),
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
        return self._sent and self._request is not None and answered_well and error_type in _UNANSWERED

    def _cost(self, usage: Usage) -> Cost | None:
        if self._price_of is None or usage.source == "none":
            return None
        return self._price_of(self._provider.name, self._model, usage, self.fold.response_model)
