"""The instruments, by what the gateway reports: one method per event, never a name or an attribute at the call.

Synchronous ones are our own cheap ones (light_instruments.py); observable ones are the SDK's. Attribute values come from closed
sets only: models as the catalogue knows them, route templates, providers of the catalogue, error types.
"""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics.export import AggregationTemporality, Gauge, Metric, NumberDataPoint, Sum
from opentelemetry.trace import SpanContext

from gatewayz import __version__
from gatewayz.records import Attempt, Outcome
from gatewayz.telemetry import names
from gatewayz.telemetry.delivery.queue import Account
from gatewayz.telemetry.light_instruments import LightCounter, LightHistogram, LightInstrument, Values
from gatewayz.telemetry.names import Instrument

Source = Callable[[], Iterable[tuple[float, Mapping[str, str]]]]
"""Where an observable instrument gets its values: (value, attributes) pairs, asked for at each collection."""


class Instruments:
    """All synchronous instruments of one worker, and the live counts behind its gauges."""

    def __init__(self, *, exemplars: bool = True, enabled: bool = True) -> None:
        def histogram(instrument: Instrument) -> LightHistogram:
            return LightHistogram(instrument, exemplars=exemplars)

        self._enabled = enabled
        self._operation_duration = histogram(names.OPERATION_DURATION)
        self._token_usage = histogram(names.TOKEN_USAGE)
        self._first_chunk = histogram(names.FIRST_CHUNK)
        self._output_chunk = histogram(names.OUTPUT_CHUNK)
        self._stream_duration = histogram(names.STREAM_DURATION)
        self._overhead = histogram(names.OVERHEAD)
        self._request_size = histogram(names.REQUEST_SIZE)
        self._response_size = histogram(names.RESPONSE_SIZE)
        self._database = histogram(names.DATABASE_DURATION)
        self._rejected = LightCounter(names.REJECTED)
        self._errors = LightCounter(names.TELEMETRY_ERRORS)
        self._outcome_failures = LightCounter(names.OUTCOME_FAILURES)
        self._cost = LightCounter(names.COST, parts_per_unit=1_000_000_000)
        self._pricing = LightCounter(names.PRICING_LOOKUPS)
        self._reloads = LightCounter(names.CONFIG_RELOADS)
        self._closed = LightCounter(names.CONNECTIONS_CLOSED)
        # A counter that appears with its first event hides that event from rate(): these begin at 0.
        for reason in names.REJECTIONS:
            self._rejected.add(0, (reason,))
        for where in names.ERROR_PLACES:
            self._errors.add(0, (where,))
        for step in names.OUTCOME_STEPS:
            self._outcome_failures.add(0, (step,))
        for result in names.PRICING_RESULTS:
            self._pricing.add(0, (result,))
        for result in names.RELOAD_RESULTS:
            self._reloads.add(0, (result,))
        for end in names.CONNECTION_ENDS:
            self._closed.add(0, (end,))
        self._measures: tuple[LightInstrument, ...] = (
            *(
                self._operation_duration,
                self._token_usage,
                self._first_chunk,
                self._output_chunk,
                self._stream_duration,
            ),
            *(self._overhead, self._request_size, self._response_size, self._database, self._rejected, self._errors),
            *(self._cost, self._pricing, self._reloads, self._closed, self._outcome_failures),
        )
        self.in_flight: Counter[tuple[str, str | None]] = Counter()
        """Requests open now, by method and route; kept by the event loop's thread alone."""
        self.streams_open: Counter[str] = Counter()
        """Provider streams open now, by provider."""

    def attempt_ended(self, attempt: Attempt, outcome: Outcome, duration_s: float, span: SpanContext) -> None:
        """Duration always; tokens and stream figures where there are any. ``error.type`` distinguishes failures."""
        if not self._enabled:
            return
        model = outcome.known_model
        base: Values = (attempt.operation, attempt.otel_provider, attempt.provider, model)
        answered_by = outcome.response_model
        if answered_by is not None and answered_by != model:
            # The provider's text: an unbounded set.
            answered_by = names.OTHER
        self._operation_duration.record(duration_s, (*base, answered_by, outcome.error_type), span)
        usage = outcome.usage
        if usage.source != "none":
            tokens = self._token_usage
            tokens.record(usage.input_tokens, (*base, "input", usage.source), span)
            tokens.record(usage.output_tokens, (*base, "output", usage.source), span)
            if usage.cache_read_tokens:
                tokens.record(usage.cache_read_tokens, (*base, "cache_read", usage.source), span)
            if usage.cache_write_tokens:
                tokens.record(usage.cache_write_tokens, (*base, "cache_write", usage.source), span)
            if usage.reasoning_tokens:
                tokens.record(usage.reasoning_tokens, (*base, "reasoning", usage.source), span)
        cost = outcome.cost
        if cost is not None:
            self._pricing.add(1, (cost.source,))
            if cost.source == "priced":
                self._cost.add(cost.nano_usd, (attempt.otel_provider, attempt.provider, model))
        if outcome.time_to_first_chunk_s is not None:
            self._first_chunk.record(outcome.time_to_first_chunk_s, base, span)
        if outcome.stream_s is not None:
            self._stream_duration.record(outcome.stream_s, (attempt.otel_provider, attempt.provider, model), span)
            if outcome.chunks > 1:
                self._output_chunk.record(outcome.stream_s / (outcome.chunks - 1), base, span)

    def request_ended(
        self,
        method: str,
        route: str | None,
        overhead_s: float,
        sizes: tuple[int, int],
        error_type: str | None,
        span: SpanContext,
    ) -> None:
        """``sizes`` are the bodies' of request and answer."""
        if not self._enabled:
            return
        self._overhead.record(overhead_s, (route,), span)
        where = (method, route)
        self._request_size.record(sizes[0], where, span)
        self._response_size.record(sizes[1], where, span)
        if error_type in names.REJECTIONS:
            self._rejected.add(1, (error_type,))

    def database_operation(self, system: str, operation: str, duration_s: float, span: SpanContext | None) -> None:
        if self._enabled:
            self._database.record(duration_s, (system, operation), span)

    def configuration_reloaded(self, result: str) -> None:
        """``result`` is one of names.RELOAD_RESULTS."""
        if self._enabled:
            self._reloads.add(1, (result,))

    def connection_closed(self, reason: str) -> None:
        """``reason`` is one of names.CONNECTION_ENDS."""
        if self._enabled:
            self._closed.add(1, (reason,))

    def outcome_failed(self, step: str) -> None:
        """``step`` is one of names.OUTCOME_STEPS."""
        if self._enabled:
            self._outcome_failures.add(1, (step,))

    def failed(self, where: str) -> None:
        """Telemetry itself raised, and the exception was swallowed; ``where`` is a constant of the calling code."""
        self._errors.add(1, (where,))

    def metrics(self, now_ns: int) -> Iterator[Metric]:
        """Everything recorded so far, as the SDK's data."""
        for measure in self._measures:
            metric = measure.metric(now_ns)
            if metric is not None:
                yield metric


def delivery_metrics(accounts: Iterable[Account], started_ns: int, now_ns: int) -> Iterator[Metric]:
    """The delivery accounts. Each account is of one moment, so the sums agree in every export."""
    emitted: list[NumberDataPoint] = []
    delivered: list[NumberDataPoint] = []
    dropped: list[NumberDataPoint] = []
    queued: list[NumberDataPoint] = []
    for account in accounts:
        signal = {names.SIGNAL: account.signal}
        emitted.append(NumberDataPoint(signal, started_ns, now_ns, account.emitted))
        delivered.append(NumberDataPoint(signal, started_ns, now_ns, account.delivered))
        queued.append(NumberDataPoint(signal, 0, now_ns, account.queued))
        # A reason that never occurred is 0, not absent: a counter that appears with its first loss hides that loss
        # from rate().
        for reason in names.DROP_REASONS:
            count = account.dropped.get(reason, 0)
            attributes = {names.SIGNAL: account.signal, names.REASON: reason}
            dropped.append(NumberDataPoint(attributes, started_ns, now_ns, count))
    if not emitted:
        return
    for instrument, points in ((names.EMITTED, emitted), (names.DELIVERED, delivered), (names.DROPPED, dropped)):
        data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
        yield Metric(instrument.name, instrument.meaning, instrument.unit, data)
    yield Metric(names.QUEUE_SIZE.name, names.QUEUE_SIZE.meaning, names.QUEUE_SIZE.unit, Gauge(queued))


class Observables:
    """Registers sources for observable instruments; several may feed one instrument."""

    def __init__(self, meter: Meter, failed: Callable[[str], None]) -> None:
        self._meter = meter
        self._failed = failed
        self._sources: dict[str, list[Source]] = {}

    def observe(self, name: str, source: Source) -> None:
        """Raises KeyError for a name outside the table and ValueError for one that is not observable."""
        instrument = names.instrument(name)
        if not instrument.observable:
            raise ValueError(f"{name} is not an observable instrument")
        known = self._sources.get(name)
        if known is not None:
            known.append(source)
            return
        sources = self._sources[name] = [source]

        def callback(_: CallbackOptions) -> Iterable[Observation]:
            observations: list[Observation] = []
            for one in sources:
                try:
                    observations += [Observation(value, attributes) for value, attributes in one()]
                except Exception:  # noqa: BLE001 - a callback of other code must not stop the collection
                    self._failed("observe")
            return observations

        match instrument.kind:
            case "updown":
                self._meter.create_observable_up_down_counter(name, [callback], instrument.unit, instrument.meaning)
            case "counter":
                self._meter.create_observable_counter(name, [callback], instrument.unit, instrument.meaning)
            case _:
                self._meter.create_observable_gauge(name, [callback], instrument.unit, instrument.meaning)

    def observe_worker(self, instruments: Instruments, loop_lag_s: Callable[[], float | None]) -> None:
        """What every worker reports about itself."""
        started = time.monotonic()
        build = {"version": __version__, "python_version": platform.python_version()}

        def lag() -> Iterable[tuple[float, Mapping[str, str]]]:
            value = loop_lag_s()
            return [] if value is None else [(value, {})]

        def in_flight() -> Iterable[tuple[float, Mapping[str, str]]]:
            for (method, route), count in list(instruments.in_flight.items()):
                attributes = {names.HTTP_METHOD: method}
                if route is not None:
                    attributes[names.HTTP_ROUTE] = route
                yield count, attributes

        def streams() -> Iterable[tuple[float, Mapping[str, str]]]:
            for provider, count in list(instruments.streams_open.items()):
                yield count, {names.PROVIDER: provider}

        self.observe(names.UPTIME.name, lambda: [(time.monotonic() - started, {})])
        self.observe(names.BUILD_INFO.name, lambda: [(1, build)])
        self.observe(names.LOOP_LAG.name, lag)
        self.observe(names.IN_FLIGHT.name, in_flight)
        self.observe(names.STREAMS_OPEN.name, streams)
