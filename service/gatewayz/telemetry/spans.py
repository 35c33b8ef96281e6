"""Which attributes stand on the two spans of the data plane, and when they are set.

Attributes are given when the span starts or in one call at its end, since each single call has its price. Texts from outside
are cut and cleaned of secrets before they get here.
"""

from __future__ import annotations

from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from gatewayz.records import NO_PARAMETERS, NO_USAGE, Attempt, HttpRequest, Outcome, RequestEnd, RequestParameters
from gatewayz.telemetry import names
from gatewayz.telemetry.incoming import caller_context
from gatewayz.telemetry.light_spans import SpanSource
from gatewayz.telemetry.redact import clean, cut

Attributes = dict[str, AttributeValue]

PATH_LIMIT = 1024
AGENT_LIMIT = 256
MODEL_LIMIT = 256
ID_LIMIT = 256
WORD_LIMIT = 32
STOP_SEQUENCES = 4
STOP_LIMIT = 64


def known_method(method: str) -> str:
    """The method as metrics and span names may have it."""
    return method if method in names.KNOWN_METHODS else names.OTHER_METHOD


def start_request_span(source: SpanSource, http: HttpRequest) -> Span:
    """The SERVER span, from the request's arrival.

    An authenticated caller's trace is continued, linked or ignored as its key allows; an anonymous caller's is linked from a
    trace of our own, so that no caller can write into another's trace.
    """
    parent: SpanContext | None = None
    links: tuple[Link, ...] = ()
    policy = http.key.incoming_trace if http.key is not None else "link"
    if policy != "ignore":
        caller = caller_context(http.headers)
        if caller is not None and policy == "continue":
            parent = caller
        elif caller is not None:
            links = (Link(caller),)
    # The convention's name for a method that HTTP does not know, since the method itself is the caller's text.
    method = http.method if http.method in names.KNOWN_METHODS else "HTTP"
    name = method if http.route is None else f"{method} {http.route}"
    return source.start(name, SpanKind.SERVER, parent, _request_attributes(http), links, http.received_at_ns)


def _request_attributes(http: HttpRequest) -> Attributes:
    method = known_method(http.method)
    attributes: Attributes = {
        names.HTTP_METHOD: method,
        names.URL_PATH: cut(http.path, PATH_LIMIT),
        names.URL_SCHEME: http.scheme,
        names.PROTOCOL_VERSION: http.http_version,
        names.REQUEST_ID: clean(http.request_id),
    }
    if method == names.OTHER_METHOD:
        attributes[names.HTTP_METHOD_ORIGINAL] = cut(http.method, WORD_LIMIT)
    if http.route is not None:
        attributes[names.HTTP_ROUTE] = http.route
    if http.server_address is not None:
        attributes[names.SERVER_ADDRESS] = http.server_address
    if http.server_port is not None:
        attributes[names.SERVER_PORT] = http.server_port
    if http.client_address is not None:
        attributes[names.CLIENT_ADDRESS] = http.client_address
    if http.user_agent is not None:
        attributes[names.USER_AGENT] = cut(http.user_agent, AGENT_LIMIT)
    if http.key is not None:
        attributes[names.KEY_ID] = http.key.key_id
        if http.key.customer_id is not None:
            attributes[names.CUSTOMER_ID] = http.key.customer_id
    return attributes


def end_request_span(span: Span, end: RequestEnd, model: str | None, end_ns: int) -> None:
    """ERROR for a 5xx, and for an answer that began as a success and broke: no status code could show it any more."""
    attributes: Attributes = {
        names.HTTP_STATUS: end.status,
        names.HTTP_REQUEST_SIZE: end.request_body_size,
        names.HTTP_RESPONSE_SIZE: end.response_body_size,
        names.OUTCOME: end.outcome,
        names.ATTEMPTS: end.attempts,
    }
    if end.error_type is not None:
        attributes[names.ERROR_TYPE] = end.error_type
    if model is not None:
        attributes[names.REQUEST_MODEL] = model
    if end.stream:
        attributes[names.REQUEST_STREAM] = True
    if end.provider is not None:
        attributes[names.PROVIDER] = end.provider
    span.set_attributes(attributes)
    broken = end.status < 400 and end.outcome in ("provider_error", "gateway_error")
    if end.status >= 500 or broken:
        span.set_status(Status(StatusCode.ERROR, end.error_type))
    span.end(end_ns)


def start_attempt_span(source: SpanSource, request: Span, attempt: Attempt, start_ns: int) -> Span:
    """The CLIENT span. It gets its full name at the end, when it is known whether the catalogue knows the model."""
    attributes: Attributes = {
        names.OPERATION: attempt.operation,
        names.GEN_AI_PROVIDER: attempt.otel_provider,
        names.PROVIDER: attempt.provider,
        names.REQUEST_MODEL: cut(attempt.model, MODEL_LIMIT),
        names.SERVER_ADDRESS: attempt.server_address,
        names.SERVER_PORT: attempt.server_port,
        names.ATTEMPT_NUMBER: attempt.number,
        names.ATTEMPT_REASON: attempt.reason,
    }
    if attempt.stream:
        attributes[names.REQUEST_STREAM] = True
    if attempt.customer_id is not None:
        attributes[names.CUSTOMER_ID] = attempt.customer_id
    if attempt.parameters is not NO_PARAMETERS:
        _add_parameters(attributes, attempt.parameters)
    return source.start(attempt.operation, SpanKind.CLIENT, request.get_span_context(), attributes, (), start_ns)


def _add_parameters(attributes: Attributes, parameters: RequestParameters) -> None:
    for name, value in (
        (names.REQUEST_MAX_TOKENS, parameters.max_tokens),
        (names.REQUEST_TEMPERATURE, parameters.temperature),
        (names.REQUEST_TOP_P, parameters.top_p),
        (names.REQUEST_TOP_K, parameters.top_k),
        (names.REQUEST_FREQUENCY_PENALTY, parameters.frequency_penalty),
        (names.REQUEST_PRESENCE_PENALTY, parameters.presence_penalty),
        (names.REQUEST_SEED, parameters.seed),
    ):
        if value is not None:
            attributes[name] = value
    if parameters.choice_count is not None and parameters.choice_count != 1:
        attributes[names.REQUEST_CHOICES] = parameters.choice_count
    if parameters.stop_sequences:
        attributes[names.REQUEST_STOP] = tuple(
            [cut(text, STOP_LIMIT) for text in parameters.stop_sequences[:STOP_SEQUENCES]]
        )


def end_attempt_span(span: Span, attempt: Attempt, outcome: Outcome, end_ns: int) -> None:
    """ERROR when the attempt failed. A disconnect is no failure: error.type says so, the status stays unset."""
    usage = outcome.usage
    attributes: Attributes = {names.MODEL: outcome.known_model, names.USAGE_SOURCE: usage.source}
    if outcome.status is not None:
        attributes[names.HTTP_STATUS] = outcome.status
    if outcome.response_id is not None:
        attributes[names.RESPONSE_ID] = cut(outcome.response_id, ID_LIMIT)
    if outcome.response_model is not None:
        attributes[names.RESPONSE_MODEL] = cut(outcome.response_model, MODEL_LIMIT)
    if outcome.finish_reasons:
        attributes[names.FINISH_REASONS] = tuple([cut(reason, WORD_LIMIT) for reason in outcome.finish_reasons[:16]])
    if usage is not NO_USAGE and usage.source != "none":
        attributes[names.INPUT_TOKENS] = usage.input_tokens
        attributes[names.OUTPUT_TOKENS] = usage.output_tokens
        if usage.cache_read_tokens:
            attributes[names.CACHE_READ_TOKENS] = usage.cache_read_tokens
        if usage.cache_write_tokens:
            attributes[names.CACHE_WRITE_TOKENS] = usage.cache_write_tokens
        if usage.reasoning_tokens:
            attributes[names.REASONING_TOKENS] = usage.reasoning_tokens
    if outcome.possibly_billed:
        attributes[names.POSSIBLY_BILLED] = True
    if outcome.cost is not None:
        attributes[names.COST_SOURCE] = outcome.cost.source
        if outcome.cost.source == "priced":
            attributes[names.COST_NANO_USD] = outcome.cost.nano_usd
            attributes[names.COST_USD] = outcome.cost.usd
    if outcome.time_to_first_chunk_s is not None:
        attributes[names.TIME_TO_FIRST_CHUNK] = outcome.time_to_first_chunk_s
    if outcome.error_type is not None:
        attributes[names.ERROR_TYPE] = outcome.error_type
    span.set_attributes(attributes)
    if outcome.error_type is not None and outcome.error_type != "caller_cancelled":
        span.set_status(Status(StatusCode.ERROR, outcome.error_type))
    span.update_name(f"{attempt.operation} {outcome.known_model}")
    span.end(end_ns)


def header(context: SpanContext) -> bytes:
    """``traceparent`` or ``traceresponse`` of a span."""
    return b"00-%032x-%016x-01" % (context.trace_id, context.span_id)
