"""Opens one worker's telemetry, and closes it.

Everything is made in ``start_telemetry``, nothing at import: threads and gRPC channels do not survive a fork, and two apps
with different settings can live in one process. Nothing is registered globally with OpenTelemetry either; who instruments
a library passes ``tracer_provider`` and ``meter_provider``.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, TraceBasedExemplarFilter
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NoOpTracerProvider, TracerProvider, get_current_span

from gatewayz import __version__
from gatewayz.config import Settings
from gatewayz.records import ConnectionEnd, HttpRequest, OutcomeStep
from gatewayz.telemetry import names
from gatewayz.telemetry.delivery import destination
from gatewayz.telemetry.delivery.encode import LogEncoder, LogItem, SpanEncoder
from gatewayz.telemetry.delivery.exporter import Exporter, QueueingProcessor
from gatewayz.telemetry.delivery.metric_readers import OtlpReader, OwnMetrics, PrometheusReader
from gatewayz.telemetry.delivery.queue import Account
from gatewayz.telemetry.delivery.stdout import LineWriter
from gatewayz.telemetry.delivery.transport import open_transport
from gatewayz.telemetry.instruments import Instruments, Observables, Source, delivery_metrics
from gatewayz.telemetry.light_spans import VALUE_LIMIT, RecordedSpans, SilentSpans, SpanSource
from gatewayz.telemetry.logs import JsonHandler, Lines, RequestLog
from gatewayz.telemetry.loop_lag import LoopLag
from gatewayz.telemetry.request import Emitters, RequestTelemetry
from gatewayz.telemetry.resource import make_resource

STDOUT_BYTES = 8_000_000
METRIC_INTERVAL_MS = 5000
"""As often as Prometheus reads the Collector."""
SPAN_DELAY_MS = 200
METRICS_SHARE = 0.25
STDOUT_SHARE = 0.1
"""Of the time for closing: kept for the metrics, which go after spans and logs because they report what became of them, and
for the last lines on stdout."""


class Telemetry:
    """One worker's telemetry; opened in the app's lifespan, closed in it."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], descriptor: int) -> None:
        disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        destinations = {} if disabled else _destinations(environment)
        interval_s = destination.milliseconds(environment, "OTEL_METRIC_EXPORT_INTERVAL", METRIC_INTERVAL_MS)
        delay_s = destination.milliseconds(environment, "OTEL_BSP_SCHEDULE_DELAY", SPAN_DELAY_MS)
        resource = make_resource(environment)
        self.instance_id = str(resource.attributes["service.instance.id"])
        self._scope = InstrumentationScope(names.SCOPE, __version__, names.SCHEMA_URL)
        self._started_ns = time.time_ns()
        self._closed = False
        self._lag = LoopLag()
        exemplars = environment.get("OTEL_METRICS_EXEMPLAR_FILTER", "").strip().lower() != "always_off"
        self._instruments = Instruments(exemplars=exemplars, enabled=not disabled)

        self._stdout = LineWriter(descriptor, STDOUT_BYTES)
        self._spans: Exporter[ReadableSpan] | None = None
        self._logs: Exporter[LogItem] | None = None
        if traces := destinations.get("traces"):
            self._spans = _exporter(traces, SpanEncoder(resource), settings.telemetry.queue_bytes, delay_s)
        if logs := destinations.get("logs"):
            self._logs = _exporter(logs, LogEncoder(resource, self._scope), settings.telemetry.queue_bytes, delay_s)

        own = OwnMetrics(self._scope, (self._instruments.metrics, self._delivery))
        self._prometheus = PrometheusReader(own)
        self._otlp_metrics: OtlpReader | None = None
        if metrics := destinations.get("metrics"):
            transport = open_transport(metrics)
            self._otlp_metrics = OtlpReader(own, transport, interval_s=interval_s, timeout_s=metrics.timeout_s)
        self.meter_provider: MeterProvider = NoOpMeterProvider()
        self.tracer_provider: TracerProvider = NoOpTracerProvider()
        spans: SpanSource = SilentSpans()
        if not disabled:
            readers = [reader for reader in (self._prometheus, self._otlp_metrics) if reader is not None]
            self.meter_provider = _meter_provider(resource, readers, exemplars=exemplars)
            # Ours, to be shared by both kinds of span: the provider's and our own cheaper ones.
            processor = SynchronousMultiSpanProcessor()
            if self._spans is not None:
                processor.add_span_processor(QueueingProcessor(self._spans))
            self.tracer_provider = _tracer_provider(resource, environment, processor, self.meter_provider)
            spans = RecordedSpans(resource, self._scope, processor)
        self._observables = Observables(
            self.meter_provider.get_meter(names.SCOPE, __version__, names.SCHEMA_URL), self._instruments.failed
        )
        self._observables.observe_worker(self._instruments, self._lag.seconds)

        lines = Lines(self._stdout.put, self._logs)
        level = logging.getLevelNamesMapping()[settings.telemetry.log_level]
        self._emitters = Emitters(spans, self._instruments, RequestLog(lines, level))
        self._restore_logging = _take_over_logging(JsonHandler(lines, level), level)
        for part in (self._stdout, self._spans, self._logs, self._otlp_metrics):
            if part is not None:
                part.start()

    def start_request(self, http: HttpRequest) -> RequestTelemetry:
        """After authentication, which decides what becomes of the caller's trace. The span becomes the current one."""
        return RequestTelemetry(self._emitters, http)

    def observe(self, name: str, callback: Source) -> None:
        """Register the source of an observable instrument of names.py; it is called on another thread at each export.

        Raises KeyError for a name that is not in the table, ValueError for one that is not observable.
        """
        self._observables.observe(name, callback)

    def record_db(self, system: str, operation: str, seconds: float) -> None:
        """One operation on a store: ``db.system.name`` (sqlite, postgresql, redis) and its verb (SELECT, GET)."""
        span = get_current_span().get_span_context()
        self._instruments.database_operation(system, operation, seconds, span if span.is_valid else None)

    def record_reload(self, result: str) -> None:
        """The configuration file was read again: ``applied`` or ``rejected``."""
        self._instruments.configuration_reloaded(result)

    def record_connection_closed(self, reason: ConnectionEnd) -> None:
        """The server ended a connection that its caller had not."""
        self._instruments.connection_closed(reason)

    def record_outcome_failure(self, step: OutcomeStep) -> None:
        """The outcome of an attempt could not be made, or a sink raised when it got it."""
        self._instruments.outcome_failed(step)

    def watch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Measure how late the loop runs its timers. Call it on the loop, once."""
        self._lag.watch(loop)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """This worker's metrics as Prometheus text or OpenMetrics: the body and its content type."""
        return self._prometheus.exposition(accept)

    def accounts(self) -> tuple[Account, ...]:
        """The delivery accounts, one per signal that is delivered anywhere."""
        return tuple(part.account() for part in (self._spans, self._logs, self._stdout) if part is not None)

    def close(self, deadline_s: float) -> None:
        """Deliver what waits within ``deadline_s`` seconds; what is left then is dropped and counted. Blocks."""
        if self._closed:
            return
        self._closed = True
        self._lag.stop()
        until = time.monotonic() + deadline_s
        items_until = until - deadline_s * (METRICS_SHARE + STDOUT_SHARE)
        metrics_until = until - deadline_s * STDOUT_SHARE
        exporters = [part for part in (self._spans, self._logs) if part is not None]
        for exporter in exporters:
            exporter.flush_until(items_until)
        for exporter in exporters:
            exporter.close()
        if self._otlp_metrics is not None:
            self._otlp_metrics.flush_until(metrics_until)
            self._otlp_metrics.close()
        self._restore_logging()
        self._stdout.flush_until(until)
        self._stdout.close()

    def _delivery(self, now_ns: int) -> Iterable[Any]:
        return delivery_metrics(self.accounts(), self._started_ns, now_ns)


@asynccontextmanager
async def open_telemetry(settings: Settings, environment: Mapping[str, str]) -> AsyncGenerator[Telemetry]:
    """The telemetry section of an app, on the running loop. Closing waits at most ``flush_s`` for what is queued.

    Raises ConfigurationError for an OTEL_* variable that cannot be used.
    """
    telemetry = start_telemetry(settings, environment)
    try:
        telemetry.watch_loop(asyncio.get_running_loop())
        yield telemetry
    finally:
        await asyncio.to_thread(telemetry.close, settings.telemetry.flush_s)


def start_telemetry(settings: Settings, environment: Mapping[str, str], *, stdout: int | None = None) -> Telemetry:
    """Telemetry of this process, running; the caller closes it. ``stdout`` is the descriptor that log lines go to.

    Raises ConfigurationError for an OTEL_* variable that cannot be used.
    """
    return Telemetry(settings, environment, _stdout_descriptor() if stdout is None else stdout)


def check_environment(environment: Mapping[str, str]) -> None:
    """Raises ConfigurationError for an OTEL_* variable that ``start_telemetry`` could not use. Opens nothing."""
    _destinations(environment)
    destination.milliseconds(environment, "OTEL_METRIC_EXPORT_INTERVAL", METRIC_INTERVAL_MS)
    destination.milliseconds(environment, "OTEL_BSP_SCHEDULE_DELAY", SPAN_DELAY_MS)


def _stdout_descriptor() -> int:
    try:
        return sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return 1


def _destinations(environment: Mapping[str, str]) -> dict[destination.Signal, destination.Destination]:
    signals: tuple[destination.Signal, ...] = ("traces", "logs", "metrics")
    found: dict[destination.Signal, destination.Destination] = {}
    for signal in signals:
        target = destination.destination(signal, environment)
        if target is not None:
            found[signal] = target
    return found


def _exporter(to: destination.Destination, encoder: Any, capacity_bytes: int, delay_s: float) -> Exporter[Any]:
    # Any: the encoder and what it takes belong together at both call sites.
    transport = open_transport(to)
    return Exporter(
        to.signal, encoder, transport, capacity_bytes=capacity_bytes, delay_s=delay_s, timeout_s=to.timeout_s
    )


def _meter_provider(resource: Resource, readers: list[Any], *, exemplars: bool) -> SdkMeterProvider:
    exemplar_filter = TraceBasedExemplarFilter() if exemplars else AlwaysOffExemplarFilter()
    return SdkMeterProvider(readers, resource, exemplar_filter, shutdown_on_exit=False)


def _tracer_provider(
    resource: Resource, environment: Mapping[str, str], processor: SynchronousMultiSpanProcessor, meters: MeterProvider
) -> SdkTracerProvider:
    """For instrumentation libraries, on the control plane."""
    text = environment.get("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT") or environment.get(
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"
    )
    longest = int(text) if text and text.isdecimal() else VALUE_LIMIT
    limits = SpanLimits(max_attribute_length=longest, max_span_attribute_length=longest)
    # Everything is sampled, whatever OTEL_TRACES_SAMPLER or a caller's flag says: the request series are made of spans.
    return SdkTracerProvider(
        sampler=ALWAYS_ON,
        resource=resource,
        shutdown_on_exit=False,
        active_span_processor=processor,
        span_limits=limits,
        meter_provider=meters,
    )


def _take_over_logging(handler: logging.Handler, level: int) -> Callable[[], None]:
    """Send every logger through ``handler``, uvicorn's too; its access log is off. Returns the way back."""
    root = logging.getLogger()
    before = root.level
    ours = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error")]
    access = logging.getLogger("uvicorn.access")
    state = [(one, one.handlers[:], one.propagate) for one in ours]
    access_disabled = access.disabled
    for one in ours:
        one.handlers.clear()
        one.propagate = True
    access.disabled = True
    root.addHandler(handler)
    root.setLevel(level)

    def restore() -> None:
        root.removeHandler(handler)
        root.setLevel(before)
        access.disabled = access_disabled
        for one, handlers, propagate in state:
            one.handlers[:] = handlers
            one.propagate = propagate

    return restore
