"""What the gateway reports to telemetry about one request.

Each of these ends once, whatever happens: ending again does nothing, and nothing here raises into a request. An exception
inside telemetry is swallowed and counted (``gatewayz.telemetry.errors``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, set_span_in_context

from gatewayz.records import Attempt, HttpRequest, Outcome, RequestEnd
from gatewayz.telemetry import logs, names, spans
from gatewayz.telemetry.instruments import Instruments
from gatewayz.telemetry.light_spans import SpanSource, silent_span
from gatewayz.telemetry.redact import clean, cut

_REQUEST_LOGGER = "gatewayz.request"
_ATTEMPT_LOGGER = "gatewayz.attempt"


@dataclass(frozen=True, slots=True)
class Emitters:
    """What every request's telemetry emits through: spans, instruments and log lines. One per worker."""

    spans: SpanSource
    instruments: Instruments
    log: logs.RequestLog


class RequestTelemetry:
    """One request: its SERVER span, its instruments, its one record. Made after authentication, ended after the last byte."""

    __slots__ = (
        "_attempts",
        "_emitters",
        "_ended",
        "_http",
        "_method",
        "_offset_ns",
        "request_id",
        "span",
        "span_id",
        "trace_id",
        "traceresponse",
    )

    def __init__(self, emitters: Emitters, http: HttpRequest) -> None:
        self._emitters = emitters
        self._http = http
        self.request_id = clean(http.request_id)
        self._method = spans.known_method(http.method)
        # One wall clock reading per request; everything after it is monotonic, so that no clock step makes a duration
        # negative or puts an attempt outside its request.
        now_ns = time.time_ns()
        self._offset_ns = max(now_ns, http.received_at_ns) - time.perf_counter_ns()
        self._attempts: list[AttemptTelemetry] = []
        self._ended = False
        try:
            self.span: Span = spans.start_request_span(emitters.spans, http)
        except Exception:  # noqa: BLE001 - never into a request
            emitters.instruments.failed("start")
            self.span = silent_span(RandomIdGenerator())
        context = self.span.get_span_context()
        self.trace_id = f"{context.trace_id:032x}"
        self.span_id = f"{context.span_id:016x}"
        self.traceresponse = spans.header(context)
        # Never detached: each request is served in a task of its own, and the task's context ends with it. Detaching in
        # another task (a stream's, say) is an error of its own.
        otel_context.attach(set_span_in_context(self.span))
        logs.request_id.set(self.request_id)
        emitters.instruments.in_flight[self._method, http.route] += 1

    def now_ns(self) -> int:
        """Wall-clock time by this request's own clock."""
        return time.perf_counter_ns() + self._offset_ns

    def event(self, name: str, attributes: Mapping[str, str]) -> None:
        """Something worth a mark on the request's span, as long as it goes on."""
        if self._ended:
            return
        try:
            self.span.add_event(name, attributes, self.now_ns())
        except Exception:  # noqa: BLE001 - never into a request
            self._emitters.instruments.failed("event")

    @property
    def ended(self) -> bool:
        return self._ended

    def start_attempt(self, attempt: Attempt) -> AttemptTelemetry:
        """A call to a provider begins now. End it in a ``finally``: what is never ended is never seen."""
        started = AttemptTelemetry(self, self._emitters, attempt)
        self._attempts.append(started)
        return started

    def end(self, end: RequestEnd) -> None:
        """The last byte is sent, or the caller has disconnected."""
        if self._ended:
            return
        self._ended = True
        emitters, http, end_ns, model = self._emitters, self._http, self.now_ns(), None
        try:
            emitters.instruments.in_flight[self._method, http.route] -= 1
            if end.model is not None:
                model = cut(end.model, spans.MODEL_LIMIT)
            duration_ns = max(0, end_ns - http.received_at_ns)
            context = self.span.get_span_context()
            emitters.instruments.request_ended(
                self._method,
                http.route,
                max(0, duration_ns - self._attempts_ns(end_ns)) / 1e9,
                (end.request_body_size, end.response_body_size),
                end.error_type,
                context,
            )
            emitters.log.write(
                logging.INFO,
                names.COMPLETED,
                _REQUEST_LOGGER,
                context,
                (self.trace_id, self.span_id),
                self.request_id,
                self._fields(end, model, duration_ns),
            )
        except Exception:  # noqa: BLE001 - never into a request
            emitters.instruments.failed("request")
        finally:
            try:
                spans.end_request_span(self.span, end, model, end_ns)
            except Exception:  # noqa: BLE001 - never into a request
                emitters.instruments.failed("request")

    def _fields(self, end: RequestEnd, model: str | None, duration_ns: int) -> dict[str, Any]:
        http = self._http
        fields: dict[str, Any] = {"method": self._method}
        if http.route is not None:
            fields["route"] = http.route
        fields["status"] = end.status
        fields["duration_ms"] = round(duration_ns / 1e6, 3)
        if http.key is not None:
            fields["key_id"] = http.key.key_id
            if http.key.customer_id is not None:
                fields["customer_id"] = http.key.customer_id
        if end.provider is not None:
            fields["provider"] = end.provider
        if model is not None:
            fields["model"] = model
            fields["stream"] = end.stream
        if end.attempts:
            fields["input_tokens"] = end.input_tokens
            fields["output_tokens"] = end.output_tokens
            fields["tokens_used"] = end.input_tokens + end.output_tokens
            if end.cost_nano_usd is not None:
                fields["cost_nano_usd"] = end.cost_nano_usd
                fields["cost_usd"] = end.cost_nano_usd / 1_000_000_000
            if end.unpriced:
                fields["unpriced"] = end.unpriced
        fields["attempts"] = end.attempts
        fields["outcome"] = end.outcome
        if end.error_type is not None:
            fields["error_type"] = end.error_type
        return fields

    def _attempts_ns(self, end_ns: int) -> int:
        """The time covered by at least one attempt: hedged attempts overlap, and none counts twice."""
        attempts = self._attempts
        if not attempts:
            return 0
        if len(attempts) == 1:
            return (attempts[0].end_ns or end_ns) - attempts[0].start_ns
        covered = reached = 0
        for start_ns, stop_ns in sorted((one.start_ns, one.end_ns or end_ns) for one in attempts):
            if stop_ns > reached:
                covered += stop_ns - max(start_ns, reached)
                reached = stop_ns
        return covered


class AttemptTelemetry:
    """One call to one provider: its CLIENT span and its instruments. Usage is counted here and nowhere else."""

    __slots__ = ("_attempt", "_emitters", "_ended", "_request", "end_ns", "span", "start_ns", "traceparent")

    def __init__(self, request: RequestTelemetry, emitters: Emitters, attempt: Attempt) -> None:
        self._request = request
        self._emitters = emitters
        self._attempt = attempt
        self.start_ns = request.now_ns()
        self.end_ns: int | None = None
        self._ended = False
        try:
            self.span: Span = spans.start_attempt_span(emitters.spans, request.span, attempt, self.start_ns)
        except Exception:  # noqa: BLE001 - never into a request
            emitters.instruments.failed("start")
            self.span = silent_span(RandomIdGenerator())
        self.traceparent = spans.header(self.span.get_span_context())
        if attempt.stream:
            emitters.instruments.streams_open[attempt.provider] += 1

    def end(self, outcome: Outcome) -> None:
        """The provider's answer is complete, failed, or not wanted any more."""
        if self._ended:
            return
        self._ended = True
        emitters, attempt, request = self._emitters, self._attempt, self._request
        end_ns = self.end_ns = request.now_ns()
        try:
            if attempt.stream:
                emitters.instruments.streams_open[attempt.provider] -= 1
            context = self.span.get_span_context()
            emitters.instruments.attempt_ended(attempt, outcome, (end_ns - self.start_ns) / 1e9, context)
            if outcome.error_type is not None and outcome.error_type != "caller_cancelled":
                self._warn(outcome)
            if request.ended:
                self._write_detached(outcome)
        except Exception:  # noqa: BLE001 - never into a request
            emitters.instruments.failed("attempt")
        finally:
            try:
                spans.end_attempt_span(self.span, attempt, outcome, end_ns)
            except Exception:  # noqa: BLE001 - never into a request
                emitters.instruments.failed("attempt")

    def _write_detached(self, outcome: Outcome) -> None:
        """The request's own record is written already, without what this attempt used."""
        attempt, context, usage = self._attempt, self.span.get_span_context(), outcome.usage
        fields: dict[str, Any] = {"provider": attempt.provider, "model": outcome.known_model}
        fields["input_tokens"] = usage.input_tokens
        fields["output_tokens"] = usage.output_tokens
        fields["tokens_used"] = usage.input_tokens + usage.output_tokens
        if outcome.cost is not None and outcome.cost.source == "priced":
            fields["cost_nano_usd"] = outcome.cost.nano_usd
            fields["cost_usd"] = outcome.cost.usd
        fields["attempt"] = attempt.number
        fields["duration_ms"] = round(((self.end_ns or self.start_ns) - self.start_ns) / 1e6, 3)
        ids = (self._request.trace_id, f"{context.span_id:016x}")
        self._emitters.log.write(
            logging.INFO, names.ATTEMPT_DETACHED, _ATTEMPT_LOGGER, context, ids, self._request.request_id, fields
        )

    def _warn(self, outcome: Outcome) -> None:
        """A failed attempt is worth a line even if the next one saves the request. No text of the provider's is in it."""
        attempt, context = self._attempt, self.span.get_span_context()
        fields: dict[str, Any] = {"provider": attempt.provider, "model": outcome.known_model}
        if outcome.status is not None:
            fields["status"] = outcome.status
        fields["error_type"] = outcome.error_type
        fields["attempt"] = attempt.number
        fields["reason"] = attempt.reason
        fields["duration_ms"] = round(((self.end_ns or self.start_ns) - self.start_ns) / 1e6, 3)
        ids = (self._request.trace_id, f"{context.span_id:016x}")
        self._emitters.log.write(
            logging.WARNING, names.ATTEMPT_FAILED, _ATTEMPT_LOGGER, context, ids, self._request.request_id, fields
        )
