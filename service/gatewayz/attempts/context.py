"""What belongs to one request, from its endpoint to its last attempt."""

from __future__ import annotations

import logging
from collections.abc import Collection

from gatewayz.attempts.disconnect import Disconnect
from gatewayz.errors import GatewayError
from gatewayz.records import BreakerState, KeyIdentity, Outcome
from gatewayz.routing.candidates import Candidate
from gatewayz.routing.options import DEFAULT, RoutingOptions
from gatewayz.telemetry import names
from gatewayz.telemetry.request import RequestTelemetry

logger = logging.getLogger(__name__)

Headers = Collection[tuple[bytes, bytes]]


class Totals:
    """What all attempts of one request have come to so far."""

    __slots__ = ("attempts", "cost_nano_usd", "input_tokens", "output_tokens", "unpriced")

    def __init__(self) -> None:
        self.attempts = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_nano_usd: int | None = None
        """In billionths of a US dollar; None as long as no price was known."""
        self.unpriced = 0
        """Attempts that used tokens at an unknown price."""

    def add(self, outcome: Outcome) -> None:
        """An attempt has ended. (``attempts`` counts them when they begin.)"""
        usage, cost = outcome.usage, outcome.cost
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        if cost is None:
            return
        if cost.source == "priced":
            self.cost_nano_usd = (self.cost_nano_usd or 0) + cost.nano_usd
        else:
            self.unpriced += 1


class CallContext:
    """One request of the data plane: made once by its endpoint and handed on as one thing.

    What the request's record needs is written here as soon as it is known, so that a failure keeps it.
    """

    __slots__ = (
        *("caller_deadline", "deadline_s", "disconnect", "error", "headers", "key", "model", "options", "provider"),
        *("request_id", "stream", "telemetry", "totals", "traceresponse"),
    )

    def __init__(
        self,
        request_id: str,
        key: KeyIdentity | None,
        headers: Headers,
        telemetry: RequestTelemetry,
    ) -> None:
        self.request_id = request_id
        self.key = key
        self.headers = headers
        """The caller's, as they arrived: lower-case names."""
        self.telemetry = telemetry
        self.traceresponse = telemetry.traceresponse
        self.disconnect = Disconnect()
        self.totals = Totals()
        self.options: RoutingOptions = DEFAULT
        """What the caller asks of routing; set by the gateway, like the deadline."""
        self.deadline_s = float("inf")
        """When the call must be over, by the gateway's monotonic clock."""
        self.caller_deadline = False
        """The caller allows less time than the operator does."""
        self.model: str | None = None
        """The model as the caller named it."""
        self.stream = False
        self.provider: str | None = None
        """The provider that answered."""
        self.error: GatewayError | None = None
        """A failure after the answer had begun: the caller got status 200, the record must not say so."""

    def skipped(self, provider: str, reason: str) -> None:
        """A candidate was passed over; ``reason`` is a SkipReason."""
        self.telemetry.event(names.CANDIDATE_SKIPPED, {names.PROVIDER: provider, names.SKIP_REASON: reason})

    def breaker_changed(self, candidate: Candidate, state: BreakerState) -> None:
        """An attempt of this request has opened or closed a circuit breaker."""
        name, model = candidate.provider.name, candidate.model
        attributes = {names.PROVIDER: name, names.REQUEST_MODEL: model, names.BREAKER_STATE: state}
        self.telemetry.event(names.BREAKER_CHANGED, attributes)
        logger.warning("circuit breaker changed", extra={"provider": name, "model": model, "state": state})
