"""What belongs to one request, from its endpoint to its last attempt."""

from __future__ import annotations

import logging
from collections.abc import Collection
from math import inf

import msgspec

from gatewayz.attempts.disconnect import Disconnect
from gatewayz.errors import GatewayError
from gatewayz.records import BreakerState, KeyIdentity, Outcome, State
from gatewayz.routing.candidates import Candidate
from gatewayz.routing.options import DEFAULT, RoutingOptions
from gatewayz.telemetry import names
from gatewayz.telemetry.request import RequestTelemetry

logger = logging.getLogger(__name__)

Headers = Collection[tuple[bytes, bytes]]


class Totals(State):
    """What all attempts of one request have come to so far."""

    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano_usd: int | None = None
    """In billionths of a US dollar; None as long as no price was known."""
    unpriced: int = 0
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


class CallContext(State):
    """One request of the data plane: made once by its endpoint and handed on as one thing.

    What the request's record needs is written here as soon as it is known, so that a failure keeps it.
    """

    request_id: str
    key: KeyIdentity | None
    headers: Headers
    """The caller's, as they arrived: lower-case names."""
    telemetry: RequestTelemetry
    disconnect: Disconnect = msgspec.field(default_factory=Disconnect)
    totals: Totals = msgspec.field(default_factory=Totals)
    options: RoutingOptions = DEFAULT
    """What the caller asks of routing; set by the gateway, like the deadline."""
    deadline_s: float = inf
    """When the call must be over, by the gateway's monotonic clock."""
    caller_deadline: bool = False
    """The caller allows less time than the operator does."""
    model: str | None = None
    """The model as the caller named it."""
    stream: bool = False
    provider: str | None = None
    """The provider that answered."""
    error: GatewayError | None = None
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
