"""The vocabulary: what a call is, who may answer it, and how it ended.

Everything here is frozen, slotted and free of I/O, so that any layer may hold one and none can change it.
Times ending in ``_ns`` are integers: wall-clock ones (``*_at_ns``) count from the Unix epoch, so that a span can use
them as they are; durations ending in ``_s`` are seconds measured on the monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

Strategy = Literal["priority", "weighted", "latency", "cost"]
"""How a model group orders its targets."""

CostSource = Literal["priced", "unpriced"]
"""Whether a price was known (``gatewayz.cost.source``)."""

Operation = Literal["chat", "text_completion", "embeddings", "count_tokens"]
"""``gen_ai.operation.name``: the words of the GenAI semantic conventions, and one that they lack (``count_tokens``)."""

AttemptReason = Literal["first", "retry", "fallback"]
"""Why an attempt was made (``gatewayz.attempt.reason``)."""

SkipReason = Literal[
    "breaker_open", "rate_limited", "at_capacity", "untranslatable", "no_key", "not_configured", "disabled"
]
"""Why a candidate was passed over (``gatewayz.skip.reason``)."""

BreakerState = Literal["closed", "half_open", "open"]
"""State of a circuit breaker (``gatewayz.circuit_breaker.state``), in order of severity."""

OutcomeStep = Literal["outcome", "route_state", "telemetry"]
"""The steps in which an attempt ends: its outcome is made, then each sink takes it (``where`` of
``gatewayz.outcome.failures``)."""

ConnectionEnd = Literal["malformed", "headers_too_large", "headers_late", "silent", "write_late"]
"""Why the gateway closed a connection that its caller had not: no HTTP; too much head; a head that did not arrive; nothing at
all that arrived; an answer that was not read."""

UsageSource = Literal["provider", "estimate", "none"]
"""Where token counts come from (``gatewayz.usage.source``): an estimate is never passed off as the provider's count."""

RequestOutcome = Literal["ok", "caller_error", "refused", "provider_error", "gateway_error", "cancelled"]
"""How a request ended for the caller (``gatewayz.outcome``)."""

IncomingTrace = Literal["continue", "link", "ignore"]
"""What happens to an authenticated caller's trace context."""

KeyScope = Literal["inference", "usage:read", "admin:read", "admin:write"]
"""What a key may be used for: calls, reading usage and cost, reading or changing what the gateway is set to."""

ErrorType = Literal[
    "caller_invalid_request",
    "caller_unauthenticated",
    "caller_forbidden",
    "caller_not_found",
    "caller_payload_too_large",
    "caller_cancelled",
    "policy_rate_limited",
    "policy_credit_exhausted",
    "policy_model_not_allowed",
    "provider_connect_timeout",
    "provider_first_chunk_timeout",
    "provider_idle_timeout",
    "provider_connection_error",
    "provider_rate_limited",
    "provider_overloaded",
    "provider_auth_error",
    "provider_bad_request",
    "provider_server_error",
    "provider_stream_cut",
    "provider_malformed_response",
    "gateway_overloaded",
    "gateway_no_candidate",
    "gateway_internal",
    "_OTHER",
]
"""``error.type``: a closed list, prefixed by whose fault it was. ``_OTHER`` alarms: it means the list has a hole."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """What every record is. A frozen dataclass takes ten times as long to make, and a request makes seven; none can be part of a
    reference cycle, so the collector need not look at them."""


class State(msgspec.Struct):
    """What a request or an attempt under way consists of: made as fast as a record, but it changes."""


class KeyIdentity(Record, frozen=True):
    """Who is calling: what may be shown of an API key."""

    key_id: str
    name: str
    customer_id: str | None = None
    incoming_trace: IncomingTrace = "continue"
    scopes: tuple[KeyScope, ...] = ("inference",)


class Usage(Record, frozen=True):
    """Tokens of one attempt. ``input_tokens`` includes cached ones, ``output_tokens`` includes reasoning
    (GenAI conventions v1.41)."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    source: UsageSource = "none"


NO_USAGE = Usage()


class Cost(Record, frozen=True):
    """What one attempt cost: one integer, computed exactly from integer prices and rounded once. Span, counter and log line
    carry this very integer."""

    source: CostSource = "unpriced"
    nano_usd: int = 0
    """Billionths of a US dollar; 0 where nothing is known."""

    @property
    def usd(self) -> float:
        """For people: the float nearest to it. Never to be added up."""
        return self.nano_usd / 1_000_000_000


UNPRICED = Cost()


class Target(Record, frozen=True):
    """One member of a model group: ``model`` as a caller would name it (``openai/gpt-5``, or a plain name)."""

    model: str
    weight: float = 1.0


class ModelGroup(Record, frozen=True):
    """A name of the operator's own for one model (an alias) or several, as ``models:`` of gatewayz.yaml has it."""

    name: str
    targets: tuple[Target, ...]
    strategy: Strategy = "priority"
    sticky: bool = False
    """Lead each API key to the same one among equal targets (rendezvous hashing), for the sake of the provider's prompt
    cache. It matters where the strategy leaves a choice: ``weighted``, and ties of ``latency`` and ``cost``."""


class RequestParameters(Record, frozen=True):
    """Sampling parameters a span may carry; ``None`` where the caller was silent. Never message content."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    choice_count: int | None = None
    stop_sequences: tuple[str, ...] = ()


NO_PARAMETERS = RequestParameters()


class HttpRequest(Record, frozen=True):
    """The HTTP side of one request, as it arrived; ``headers`` are lower-case names in the order of arrival."""

    method: str
    route: str | None
    """The route template (``/v1/chat/completions``), ``None`` where no route matched. Never user text."""
    path: str
    scheme: str
    http_version: str
    headers: Sequence[tuple[bytes, bytes]]
    request_id: str
    received_at_ns: int
    client_address: str | None = None
    server_address: str | None = None
    server_port: int | None = None
    user_agent: str | None = None
    key: KeyIdentity | None = None


class Call(Record, frozen=True):
    """What the caller asks for, on any wire, after admission and parsing."""

    operation: Operation
    model: str
    """The model as the caller named it (``demo/fast`` or ``gpt-4o``)."""
    stream: bool
    fields: Mapping[str, bytes]
    """The body's top-level members, each value the raw JSON bytes: what is not understood passes through untouched."""
    body: bytes
    include_usage: bool = False
    """The caller asked for ``stream_options.include_usage``; if not, the usage event is for our meter only."""
    parameters: RequestParameters = NO_PARAMETERS


class Attempt(Record, frozen=True):
    """One call to one provider, about to be made."""

    operation: Operation
    provider: str
    """Our name of the provider: the key of its catalogue entry."""
    otel_provider: str
    """``gen_ai.provider.name``: the convention's word for it where there is one."""
    model: str
    """The model name sent upstream."""
    server_address: str
    server_port: int
    stream: bool
    number: int = 1
    reason: AttemptReason = "first"
    customer_id: str | None = None
    parameters: RequestParameters = NO_PARAMETERS


class Outcome(Record, frozen=True):
    """How one attempt ended: made once, when it is settled. Streaming and unary calls fold into the same record."""

    status: int | None
    """HTTP status of the provider's answer; ``None`` if none arrived."""
    known_model: str
    """The model as metrics may name it: one the catalogue knows, or ``other``."""
    usage: Usage = NO_USAGE
    error_type: ErrorType | None = None
    response_id: str | None = None
    response_model: str | None = None
    finish_reasons: tuple[str, ...] = ()
    time_to_first_chunk_s: float | None = None
    """Seconds from sending to the first chunk that carries content; streams only."""
    chunks: int = 0
    """Content-bearing chunks of a stream; 0 for a unary answer."""
    stream_s: float | None = None
    """Seconds from the first chunk to the last; streams only."""
    cost: Cost | None = None
    """``None`` where nothing can be said, since no usage is known."""
    possibly_billed: bool = False
    """The provider had the whole request and gave no answer: whether it charges for that, only its invoice tells."""
    whole: bool = False
    """The provider gave an answer in one piece. With ``caller_cancelled``, the caller had gone before it came."""
    caller_deadline: bool = False
    """The attempt ended at a time limit of the caller's that is shorter than the provider's own."""


class RequestEnd(Record, frozen=True):
    """How a request ended for the caller."""

    status: int
    outcome: RequestOutcome
    error_type: ErrorType | None = None
    request_body_size: int = 0
    response_body_size: int = 0
    model: str | None = None
    """The model as the caller named it, cut to a sane length."""
    stream: bool = False
    provider: str | None = None
    """The provider that answered; ``None`` if none did."""
    attempts: int = 0
    input_tokens: int = 0
    """Of all attempts, like ``output_tokens``."""
    output_tokens: int = 0
    cost_nano_usd: int | None = None
    """What all attempts cost, in billionths of a US dollar, as far as prices are known; ``None`` if none is."""
    unpriced: int = 0
    """Attempts that used tokens at an unknown price."""
