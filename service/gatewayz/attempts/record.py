"""What is known of a running attempt, and the one place where it ends."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from gatewayz.providers.base import Provider
from gatewayz.records import Cost, ErrorType, Outcome, Usage
from gatewayz.routing.routes import Visit
from gatewayz.telemetry.requests import AttemptTelemetry
from gatewayz.wires.base import Fold

PriceOf = Callable[[str, str, Usage, str | None], Cost]
"""Provider, model, usage, and the model that the provider says answered → what that cost."""


class AttemptRecord:
    """Ends once, whatever happens: the span, the visit to the route, and what hangs on them."""

    __slots__ = (
        "_ended",
        "_model",
        "_price_of",
        "_provider",
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
        provider: Provider,
        model: str,
        span: AttemptTelemetry,
        visit: Visit,
        fold: Fold,
        price_of: PriceOf | None = None,
    ) -> None:
        self._provider = provider
        self._model = model
        self._span = span
        self._price_of = price_of
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

    def began(self) -> None:
        """The first part of the answer is here, and nothing in it says that it failed."""
        self.first_s = self.last_s = perf_counter()
        self.visit.began()

    def settle(self, error_type: ErrorType | None, *, whole: bool = False) -> None:
        """Ends the attempt; ``whole``: with an answer in one piece. A second call changes nothing."""
        if self._ended:
            return
        self._ended = True
        fold = self.fold
        if error_type is None:
            self._provider.learn(self._model)
        first_s, last_s = self.first_s, self.last_s
        try:
            self.visit.end(error_type, whole=whole)
        finally:
            self._span.end(
                Outcome(
                    status=self.status,
                    known_model=self._provider.known_model(self._model),
                    usage=fold.usage,
                    cost=self._cost(),
                    error_type=error_type,
                    response_id=fold.response_id,
                    response_model=fold.response_model,
                    finish_reasons=fold.finish_reasons,
                    time_to_first_chunk_s=None if first_s is None else first_s - self._started_s,
                    chunks=fold.content_events,
                    stream_s=None if first_s is None or last_s is None else last_s - first_s,
                )
            )
            if self.then is not None:
                self.then()

    def _cost(self) -> Cost | None:
        usage = self.fold.usage
        if self._price_of is None or usage.source == "none":
            return None
        return self._price_of(self._provider.name, self._model, usage, self.fold.response_model)
