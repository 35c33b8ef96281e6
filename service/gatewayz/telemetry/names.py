"""Every name that GatewayZ's telemetry uses: the contract between gateway, Collector, rules and dashboards.

Nothing else may invent a name: docs/telemetry.md is generated from these tables, and tests hold the Collector's
configuration, the rules and the dashboards against them. ``emitted`` states whether something produces the name today; a
name that is reserved for later is listed so that it gets no other meaning in between.

Sources: the OpenTelemetry HTTP conventions; the GenAI conventions as of v1.41 (their successors are under development and
rename the metrics, while dashboards and libraries use these); ``gatewayz.*`` where no convention has a name.
"""

# ruff: noqa: E501 - tables: one row, one line

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from gatewayz.records import (
    AttemptReason,
    BreakerState,
    ConnectionEnd,
    CostSource,
    ErrorType,
    Operation,
    OutcomeStep,
    RequestOutcome,
    SkipReason,
    UsageSource,
)

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.41.0"
SCOPE: Final = "gatewayz"

SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""The first eleven are the ones that existing dashboards use; answers of an LLM need the rest."""
OVERHEAD_SECONDS: Final = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
)
"""What the gateway itself takes: the interesting part lies below a millisecond."""
CHUNK_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24)
DATABASE_SECONDS: Final = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BYTES: Final = (100.0, 1e3, 1e4, 1e5, 1e6, 1e7)
TOKENS: Final = tuple(float(4**power) for power in range(14))
"""1, 4, 16 … 67,108,864: the GenAI convention's."""

# Attribute names, for the code that writes them.
HTTP_METHOD: Final = "http.request.method"
HTTP_METHOD_ORIGINAL: Final = "http.request.method_original"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
HTTP_REQUEST_SIZE: Final = "http.request.body.size"
HTTP_RESPONSE_SIZE: Final = "http.response.body.size"
URL_PATH: Final = "url.path"
URL_SCHEME: Final = "url.scheme"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
CLIENT_ADDRESS: Final = "client.address"
USER_AGENT: Final = "user_agent.original"
PROTOCOL_VERSION: Final = "network.protocol.version"
ERROR_TYPE: Final = "error.type"
DB_SYSTEM: Final = "db.system.name"
DB_OPERATION: Final = "db.operation.name"
DB_CONNECTION_STATE: Final = "db.client.connection.state"

OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_CHOICES: Final = "gen_ai.request.choice.count"
REQUEST_STOP: Final = "gen_ai.request.stop_sequences"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - not that kind of token

REQUEST_ID: Final = "gatewayz.request.id"
KEY_ID: Final = "gatewayz.key.id"
CUSTOMER_ID: Final = "gatewayz.customer.id"
OUTCOME: Final = "gatewayz.outcome"
ATTEMPTS: Final = "gatewayz.attempts"
CACHE_RESULT: Final = "gatewayz.cache.result"
PROVIDER: Final = "gatewayz.provider.name"
MODEL: Final = "gatewayz.model"
ATTEMPT_NUMBER: Final = "gatewayz.attempt.number"
ATTEMPT_REASON: Final = "gatewayz.attempt.reason"
USAGE_SOURCE: Final = "gatewayz.usage.source"
POSSIBLY_BILLED: Final = "gatewayz.usage.possibly_billed"
COST_USD: Final = "gatewayz.cost.usd"
COST_NANO_USD: Final = "gatewayz.cost.nano_usd"
COST_SOURCE: Final = "gatewayz.cost.source"
SKIP_REASON: Final = "gatewayz.skip.reason"
BREAKER_STATE: Final = "gatewayz.circuit_breaker.state"
REASON: Final = "reason"
SIGNAL: Final = "signal"
RESULT: Final = "result"

CANDIDATE_SKIPPED: Final = "gatewayz.candidate.skipped"
"""Span event on the request: why a candidate was passed over."""
BREAKER_CHANGED: Final = "gatewayz.circuit_breaker.changed"
"""Span event on the request whose attempt opened or closed a circuit breaker."""

COMPLETED: Final = "request completed"
"""The message of the one record in which every request ends."""
ATTEMPT_FAILED: Final = "provider call failed"
"""The message of the record that a failed attempt leaves."""
ATTEMPT_DETACHED: Final = "detached provider call ended"
"""The message of the record of an orphaned call's attempt, which ended after its request: what it used."""

REQUESTS_SERIES: Final = "http_requests_total"
REQUEST_DURATION_SERIES: Final = "http_request_duration_seconds"

OTHER: Final = "other"
"""A model that the catalogue does not know."""
OTHER_METHOD: Final = "_OTHER"
KNOWN_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
)
"""Anything else is ``_OTHER``: a method is the caller's text."""

ERROR_TYPES: Final[tuple[str, ...]] = get_args(ErrorType)
REJECTIONS: Final = tuple(name for name in ERROR_TYPES if name.startswith("policy_") or name == "gateway_overloaded")
SIGNALS: Final = ("traces", "logs", "stdout")
ERROR_PLACES: Final = ("start", "event", "attempt", "request", "observe")
PRICING_RESULTS: Final = get_args(CostSource)
RELOAD_RESULTS: Final = ("applied", "rejected")
CONNECTION_ENDS: Final = get_args(ConnectionEnd)
OUTCOME_STEPS: Final = get_args(OutcomeStep)
DROP_REASONS: Final = ("overflow", "refused", "rejected", "encoding", "shutdown", "broken_pipe")

SpanName = Literal["request", "attempt", "store"]
Kind = Literal["histogram", "counter", "gauge", "updown"]
SeriesType = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Span:
    """``pattern`` is what the store shows; it never holds user text."""

    name: SpanName
    kind: Literal["SERVER", "CLIENT"]
    pattern: str
    meaning: str
    emitted: bool = True


@dataclass(frozen=True, slots=True)
class Attribute:
    """One span attribute. ``values`` is given where the set is closed."""

    name: str
    type: Literal["string", "int", "double", "boolean", "string[]"]
    meaning: str
    spans: tuple[SpanName, ...] = ("attempt",)
    values: tuple[str, ...] = ()
    emitted: bool = True


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument: what it counts, in which unit, split by which attributes."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    attributes: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    observable: bool = False
    emitted: bool = True


@dataclass(frozen=True, slots=True)
class Series:
    """One Prometheus family as it leaves the Collector; ``name`` is the family, without _bucket, _sum and _count."""

    name: str
    type: SeriesType
    labels: tuple[str, ...]
    meaning: str
    source: str
    emitted: bool = True


SPANS: Final = (
    Span("request", "SERVER", "{method} {route}", "One HTTP request, from its first byte to the last byte of its answer."),
    Span("attempt", "CLIENT", "{operation} {known model}", "One call to one provider; retries and fallbacks are attempts of their own."),
    Span("store", "CLIENT", "{operation}", "One call to Redis or the database on the control plane; the data plane has instruments instead."),
)  # fmt: skip

_BOTH: Final[tuple[SpanName, ...]] = ("request", "attempt")
_REQUEST: Final[tuple[SpanName, ...]] = ("request",)

ATTRIBUTES: Final = (
    Attribute(HTTP_METHOD, "string", "Method; `_OTHER` if HTTP does not know it.", _REQUEST),
    Attribute(HTTP_METHOD_ORIGINAL, "string", "The unknown method as it was sent, cut.", _REQUEST),
    Attribute(HTTP_ROUTE, "string", "Route template; absent where no route matched.", _REQUEST),
    Attribute(HTTP_STATUS, "int", "Status; 499 if the caller hung up. On an attempt: the provider's.", _BOTH),
    Attribute(HTTP_REQUEST_SIZE, "int", "Bytes of the request's body.", _REQUEST),
    Attribute(HTTP_RESPONSE_SIZE, "int", "Bytes of the answer's body.", _REQUEST),
    Attribute(URL_PATH, "string", "Path without the query, cut at 1024 characters.", _REQUEST),
    Attribute(URL_SCHEME, "string", "http or https.", _REQUEST),
    Attribute(SERVER_ADDRESS, "string", "Host that was called: ours, or the provider's.", _BOTH),
    Attribute(SERVER_PORT, "int", "Its port.", _BOTH),
    Attribute(CLIENT_ADDRESS, "string", "Address of the caller.", _REQUEST),
    Attribute(USER_AGENT, "string", "User agent, cut at 256 characters.", _REQUEST),
    Attribute(PROTOCOL_VERSION, "string", "HTTP version.", _REQUEST),
    Attribute(ERROR_TYPE, "string", "Why it failed, prefixed by whose fault it was.", _BOTH, ERROR_TYPES),
    Attribute(REQUEST_ID, "string", "The `x-request-id` that the caller was given.", _REQUEST),
    Attribute(KEY_ID, "string", "Public id of the API key.", _REQUEST),
    Attribute(CUSTOMER_ID, "string", "Who the key belongs to.", _BOTH),
    Attribute(OUTCOME, "string", "How the request ended for the caller.", _REQUEST, get_args(RequestOutcome)),
    Attribute(ATTEMPTS, "int", "Calls made to providers.", _REQUEST),
    Attribute(CACHE_RESULT, "string", "What the answer cache did.", _REQUEST, ("hit", "miss", "bypass"), emitted=False),
    Attribute(PROVIDER, "string", "Our name of the provider; on a request, the one that answered.", _BOTH),
    Attribute(REQUEST_MODEL, "string", "Model as it was asked for, cut at 256 characters.", _BOTH),
    Attribute(REQUEST_STREAM, "boolean", "Present and true for streams.", _BOTH),
    Attribute(MODEL, "string", "The model as the catalogue knows it, or `other`: a closed set, fit for a dimension."),
    Attribute(OPERATION, "string", "What was asked of the model.", values=get_args(Operation)),
    Attribute(GEN_AI_PROVIDER, "string", "The GenAI convention's name of the provider."),
    Attribute(REQUEST_MAX_TOKENS, "int", "Most tokens that may be generated."),
    Attribute(REQUEST_TEMPERATURE, "double", "Sampling temperature."),
    Attribute(REQUEST_TOP_P, "double", "Nucleus sampling."),
    Attribute(REQUEST_TOP_K, "double", "Top-k sampling."),
    Attribute(REQUEST_FREQUENCY_PENALTY, "double", "Frequency penalty."),
    Attribute(REQUEST_PRESENCE_PENALTY, "double", "Presence penalty."),
    Attribute(REQUEST_SEED, "int", "Seed."),
    Attribute(REQUEST_CHOICES, "int", "Answers asked for, if not one."),
    Attribute(REQUEST_STOP, "string[]", "Stop sequences: at most four, cut at 64 characters, secrets removed."),
    Attribute(RESPONSE_ID, "string", "The provider's id of its answer."),
    Attribute(RESPONSE_MODEL, "string", "The model that the provider says answered."),
    Attribute(FINISH_REASONS, "string[]", "Why generation ended, one per choice."),
    Attribute(TIME_TO_FIRST_CHUNK, "double", "Seconds from sending to the first chunk with content; streams only."),
    Attribute(INPUT_TOKENS, "int", "Input tokens, cached ones included."),
    Attribute(OUTPUT_TOKENS, "int", "Output tokens, reasoning included."),
    Attribute(CACHE_READ_TOKENS, "int", "Input tokens read from the provider's cache."),
    Attribute(CACHE_WRITE_TOKENS, "int", "Input tokens written to the provider's cache."),
    Attribute(REASONING_TOKENS, "int", "Output tokens spent on reasoning."),
    Attribute(ATTEMPT_NUMBER, "int", "1 for the first attempt of a request."),
    Attribute(ATTEMPT_REASON, "string", "Why it was made.", values=get_args(AttemptReason)),
    Attribute(USAGE_SOURCE, "string", "Who counted the tokens; `estimate` as soon as a part of them is.", values=get_args(UsageSource)),
    Attribute(POSSIBLY_BILLED, "boolean", "Present and true where the provider got the whole request and gave no answer: whether it charges, only its invoice tells. Nothing is counted."),
    Attribute(COST_NANO_USD, "int", "What the attempt cost, in billionths of a US dollar; absent where no price is known."),
    Attribute(COST_USD, "double", "The same in US dollars, for reading."),
    Attribute(COST_SOURCE, "string", "Whether a price was known; absent where no usage is.", values=get_args(CostSource)),
    Attribute(SKIP_REASON, "string", f"On the event `{CANDIDATE_SKIPPED}`: why a candidate was passed over.", _REQUEST, get_args(SkipReason)),
    Attribute(BREAKER_STATE, "string", f"On the event `{BREAKER_CHANGED}`: what the breaker is from now on.", _REQUEST, get_args(BreakerState)),
)  # fmt: skip

_ATTEMPT = (OPERATION, GEN_AI_PROVIDER, PROVIDER, REQUEST_MODEL)

OPERATION_DURATION: Final = Instrument(
    "gen_ai.client.operation.duration", "histogram", "s", "Duration of an attempt, the whole stream included.",
    (*_ATTEMPT, RESPONSE_MODEL, ERROR_TYPE), SECONDS,
)  # fmt: skip
TOKEN_USAGE: Final = Instrument(
    "gen_ai.client.token.usage", "histogram", "{token}", "Tokens of an attempt. cache_read and cache_write are part of input, reasoning is part of output.",
    (*_ATTEMPT, TOKEN_TYPE, USAGE_SOURCE), TOKENS,
)  # fmt: skip
FIRST_CHUNK: Final = Instrument(
    "gen_ai.client.operation.time_to_first_chunk", "histogram", "s", "From sending to the first chunk that carries content; streams only.",
    _ATTEMPT, SECONDS,
)  # fmt: skip
OUTPUT_CHUNK: Final = Instrument(
    "gen_ai.client.operation.time_per_output_chunk", "histogram", "s", "Mean time between the chunks of one stream.",
    _ATTEMPT, CHUNK_SECONDS,
)  # fmt: skip
STREAM_DURATION: Final = Instrument(
    "gatewayz.stream.duration", "histogram", "s", "From a stream's first chunk to its last.",
    (GEN_AI_PROVIDER, PROVIDER, REQUEST_MODEL), SECONDS,
)  # fmt: skip
OVERHEAD: Final = Instrument(
    "gatewayz.request.overhead", "histogram", "s", "A request's time minus the union of its attempts: what the gateway itself took.",
    (HTTP_ROUTE,), OVERHEAD_SECONDS,
)  # fmt: skip
REJECTED: Final = Instrument(
    "gatewayz.requests.rejected", "counter", "{request}", "Requests refused by a policy or to protect the gateway.", (REASON,),
)  # fmt: skip
REQUEST_SIZE: Final = Instrument(
    "http.server.request.body.size", "histogram", "By", "Size of request bodies.", (HTTP_METHOD, HTTP_ROUTE), BYTES,
)  # fmt: skip
RESPONSE_SIZE: Final = Instrument(
    "http.server.response.body.size", "histogram", "By", "Size of answers.", (HTTP_METHOD, HTTP_ROUTE), BYTES,
)  # fmt: skip
DATABASE_DURATION: Final = Instrument(
    "db.client.operation.duration", "histogram", "s", "Duration of database and Redis operations.", (DB_SYSTEM, DB_OPERATION), DATABASE_SECONDS,
)  # fmt: skip
EMITTED: Final = Instrument(
    "gatewayz.telemetry.emitted", "counter", "{item}", "Spans, log records and lines that were made. emitted = delivered + dropped + queue size, always.",
    (SIGNAL,), observable=True,
)  # fmt: skip
DELIVERED: Final = Instrument(
    "gatewayz.telemetry.delivered", "counter", "{item}", "Those that the receiver has accepted.", (SIGNAL,), observable=True,
)  # fmt: skip
DROPPED: Final = Instrument(
    "gatewayz.telemetry.dropped", "counter", "{item}", "Those that were given up, with the reason.", (SIGNAL, REASON), observable=True,
)  # fmt: skip
QUEUE_SIZE: Final = Instrument(
    "gatewayz.telemetry.queue.size", "gauge", "{item}", "Those that still wait, the batch under way included.", (SIGNAL,), observable=True,
)  # fmt: skip
TELEMETRY_ERRORS: Final = Instrument(
    "gatewayz.telemetry.errors", "counter", "{error}", "Exceptions inside telemetry that were swallowed: each is a defect of ours.", ("where",),
)  # fmt: skip
OUTCOME_FAILURES: Final = Instrument(
    "gatewayz.outcome.failures", "counter", "{failure}", "Attempts whose outcome could not be made, or not be taken by a sink: each is a defect of ours.", ("where",),
)  # fmt: skip
IN_FLIGHT: Final = Instrument(
    "gatewayz.requests.in_flight", "updown", "{request}", "Requests being served now.", (HTTP_METHOD, HTTP_ROUTE), observable=True,
)  # fmt: skip
STREAMS_OPEN: Final = Instrument(
    "gatewayz.streams.open", "updown", "{stream}", "Streams from providers that are open now.", (PROVIDER,), observable=True,
)  # fmt: skip
UPTIME: Final = Instrument("gatewayz.uptime", "gauge", "s", "Since this worker started.", observable=True)
BUILD_INFO: Final = Instrument(
    "gatewayz.build.info", "gauge", "", "Always 1; the labels say what runs.", ("version", "python_version"), observable=True,
)  # fmt: skip
LOOP_LAG: Final = Instrument(
    "gatewayz.event_loop.lag", "gauge", "s", "Longest delay of a timer on the event loop in the last seconds: what blocks the loop shows here.", observable=True,
)  # fmt: skip
API_KEYS: Final = Instrument("gatewayz.api_keys.active", "gauge", "{key}", "Keys that are valid now.", observable=True)
PROVIDER_AVAILABLE: Final = Instrument(
    "gatewayz.provider.available", "gauge", "", "1 if the provider can be called (its key is there, it is switched on), else 0.", (PROVIDER,), observable=True,
)  # fmt: skip
COST: Final = Instrument(
    "gatewayz.cost", "counter", "{USD}", "What attempts cost, as far as prices are known.", (GEN_AI_PROVIDER, PROVIDER, REQUEST_MODEL),
)  # fmt: skip
PRICING_LOOKUPS: Final = Instrument(
    "gatewayz.pricing.lookups", "counter", "{lookup}", "Attempts that used tokens, by whether a price was known (priced, unpriced): an unpriced model must be visible.",
    (RESULT,),
)  # fmt: skip
CONFIG_RELOADS: Final = Instrument(
    "gatewayz.config.reloads", "counter", "{reload}", "Times that the configuration file was read again: applied, or rejected for a mistake in it.", (RESULT,),
)  # fmt: skip

CONNECTIONS_CLOSED: Final = Instrument(
    "gatewayz.connections.closed", "counter", "{connection}", "Connections that the gateway closed for what their callers sent or did not: no HTTP (malformed), headers_too_large, headers_late, silent, an answer not read (write_late). What had begun as a request is among the requests, too.",
    (REASON,),
)  # fmt: skip

CIRCUIT_BREAKER: Final = Instrument(
    "gatewayz.circuit_breaker.state", "gauge", "", "1 for the breaker's current state (of a provider's models, the most severe), 0 for the others.", (PROVIDER, "state"), observable=True,
)  # fmt: skip
DB_CONNECTIONS: Final = Instrument(
    "db.client.connection.count", "updown", "{connection}", "Connections of a pool.", (DB_SYSTEM, DB_CONNECTION_STATE), observable=True,
)  # fmt: skip

INSTRUMENTS: Final = (
    OPERATION_DURATION, TOKEN_USAGE, FIRST_CHUNK, OUTPUT_CHUNK, STREAM_DURATION, OVERHEAD, REJECTED, REQUEST_SIZE, RESPONSE_SIZE, DATABASE_DURATION,
    EMITTED, DELIVERED, DROPPED, QUEUE_SIZE, TELEMETRY_ERRORS, OUTCOME_FAILURES, IN_FLIGHT, STREAMS_OPEN, UPTIME, BUILD_INFO, LOOP_LAG, API_KEYS, PROVIDER_AVAILABLE,
    COST, PRICING_LOOKUPS, CONFIG_RELOADS, CONNECTIONS_CLOSED, CIRCUIT_BREAKER, DB_CONNECTIONS,
    Instrument("gatewayz.credits.used", "counter", "{credit}", "Credits used.", (GEN_AI_PROVIDER, PROVIDER, REQUEST_MODEL), emitted=False),
    Instrument("gatewayz.cache.requests", "counter", "{request}", "Look-ups in the answer cache.", (RESULT, "layer"), emitted=False),
    Instrument("gatewayz.cache.size", "gauge", "By", "Size of the answer cache.", observable=True, emitted=False),
    Instrument("gatewayz.subscriptions", "gauge", "{subscription}", "Active subscriptions.", observable=True, emitted=False),
    Instrument("gatewayz.trials.active", "gauge", "{trial}", "Active trials.", observable=True, emitted=False),
)  # fmt: skip


def instrument(name: str) -> Instrument:
    """The instrument of that name. Raises KeyError: a name outside the table is a mistake in the calling code."""
    for known in INSTRUMENTS:
        if known.name == name:
            return known
    raise KeyError(f"{name} is not in telemetry/names.py")


_UNIT_SUFFIXES: Final = {"s": "_seconds", "By": "_bytes"}


def series_of(known: Instrument) -> Series:
    """The family that the Collector's Prometheus exporter makes of an instrument when nothing renames it."""
    family = known.name.replace(".", "_") + _UNIT_SUFFIXES.get(known.unit, "")
    match known.kind:
        case "histogram":
            type_: SeriesType = "histogram"
        case "counter":
            type_ = "counter"
            family += "_total"
        case "gauge" | "updown":
            type_ = "gauge"
    labels = tuple(attribute.replace(".", "_") for attribute in known.attributes)
    return Series(family, type_, labels, known.meaning, f"instrument `{known.name}`", known.emitted)


_FROM_SPANS: Final = (
    Series(REQUESTS_SERIES, "counter", ("endpoint", "method", "status_code"), "Requests as callers saw them.", "request spans"),
    Series(REQUEST_DURATION_SERIES, "histogram", ("endpoint", "method", "status_code"), "Their duration, to the last byte.", "request spans"),
    Series("model_inference_requests_total", "counter", ("provider", "model", "status", "error_type", "reason"), "Calls to providers; status is success or error.", "attempt spans"),
    Series("model_inference_duration_seconds", "histogram", ("provider", "model", "status"), "Their duration.", "attempt spans"),
    Series("external_api_calls_total", "counter", ("service", "status"), "Calls over HTTP to anything outside.", "all CLIENT spans over HTTP"),
    Series("external_api_call_duration_seconds", "histogram", ("service", "status"), "Their duration.", "all CLIENT spans over HTTP"),
)  # fmt: skip

_RENAMED: Final = (
    Series("tokens_used_total", "counter", ("provider", "model", "type"), "Tokens by type (input, output, cache_read, cache_write, reasoning), estimates included: the sum of the histogram, which has `gatewayz_usage_source` besides.", "instrument `gen_ai.client.token.usage`"),
    Series("time_to_first_chunk_seconds", "histogram", ("provider", "model"), "From sending to the first chunk with content.", "instrument `gen_ai.client.operation.time_to_first_chunk`"),
    Series("backend_ttfb_seconds", "histogram", ("provider", "model"), "The same, under its older name.", "instrument `gen_ai.client.operation.time_to_first_chunk`"),
    Series("streaming_duration_seconds", "histogram", ("provider", "model"), "From a stream's first chunk to its last.", "instrument `gatewayz.stream.duration`"),
    Series("database_queries_total", "counter", ("operation",), "Database operations: the count of the histogram.", "instrument `db.client.operation.duration`"),
    Series("database_query_duration_seconds", "histogram", ("operation",), "Their duration.", "instrument `db.client.operation.duration`"),
    Series("active_api_keys", "gauge", (), "Keys that are valid now.", "instrument `gatewayz.api_keys.active`"),
    Series("fastapi_requests_in_progress", "gauge", ("app_name", "method", "path"), "Requests being served now.", "instrument `gatewayz.requests.in_flight`"),
    Series("fastapi_request_size_bytes", "histogram", ("app_name", "method", "path"), "Size of request bodies.", "instrument `http.server.request.body.size`"),
    Series("fastapi_response_size_bytes", "histogram", ("app_name", "method", "path"), "Size of answers.", "instrument `http.server.response.body.size`"),
    Series("cache_hits_total", "counter", (), "Hits in the answer cache.", "instrument `gatewayz.cache.requests`", emitted=False),
    Series("cache_misses_total", "counter", (), "Misses in the answer cache.", "instrument `gatewayz.cache.requests`", emitted=False),
    Series("credits_used_total", "counter", ("provider", "model"), "Credits used.", "instrument `gatewayz.credits.used`", emitted=False),
)  # fmt: skip

_EXPORTER: Final = (
    Series("target_info", "gauge", ("job", "instance"), "Always 1; the resource of a worker as labels.", "resource"),
)  # fmt: skip

SERIES: Final = (*_FROM_SPANS, *_RENAMED, *(series_of(known) for known in INSTRUMENTS), *_EXPORTER)


def sample_names(series: Series) -> tuple[str, ...]:
    """The names that PromQL uses: a histogram's three, else the family's own."""
    if series.type == "histogram":
        return (f"{series.name}_bucket", f"{series.name}_count", f"{series.name}_sum")
    return (series.name,)


LOG_FIELDS: Final = {
    "timestamp": "RFC 3339, UTC, microseconds.",
    "level": "debug, info, warning, error or critical.",
    "message": "What happened: a constant sentence, the particulars are fields.",
    "logger": "Which part of the program says so.",
    "trace_id": "32 hex digits, inside a request.",
    "span_id": "16 hex digits, inside a request.",
    "request_id": "The `x-request-id` that the caller was given.",
    "method": "HTTP method.",
    "route": "Route template.",
    "status": "HTTP status.",
    "duration_ms": "Milliseconds, to the last byte.",
    "key_id": "Public id of the API key.",
    "customer_id": "Who the key belongs to.",
    "provider": "Our name of the provider.",
    "model": "The model as the caller named it.",
    "stream": "True for a streamed answer.",
    "input_tokens": "Input tokens of all attempts.",
    "output_tokens": "Output tokens of all attempts.",
    "tokens_used": "The sum of both.",
    "cost_nano_usd": "What all attempts cost, in billionths of a US dollar, as far as prices are known; absent if none is.",
    "cost_usd": "The same in US dollars, for reading.",
    "unpriced": "Attempts that used tokens at an unknown price; absent if there are none.",
    "attempts": "Calls made to providers.",
    "attempt": "Number of the attempt that failed.",
    "reason": "Why that attempt was made.",
    "outcome": "How the request ended for the caller.",
    "error_type": "Why it failed.",
    "error_message": "At most 200 characters, secrets and quoted text removed.",
    "exception": "Type, shortened message and stack of an exception.",
}
"""Fields of our own records; other records bring their ``extra`` fields as they are."""
