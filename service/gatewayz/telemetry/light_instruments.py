"""Synchronous instruments that cost what a dictionary costs.

The SDK's own record takes about 7 µs (a measurement object, attribute cleaning, two hashes, a context look-up), and a
chat completion makes six to nine of them. These keep cumulative histograms and counters under a tuple of attribute values
and hand them to the SDK's readers as the SDK's own data points, so that everything behind (OTLP, Prometheus, exemplars)
stays the SDK's. What they share with it: bucket bounds are inclusive at the top, one exemplar per bucket, at most 2,000
attribute sets (then everything new is counted under ``otel.metric.overflow``), and a series begins when it is first used.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from time import time_ns

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)
from opentelemetry.trace import SpanContext

from gatewayz.telemetry.names import Instrument

MAX_SERIES = 2000
EXEMPLAR_LIFE_NS = 20_000_000_000
"""An exemplar is exported until it is this old, not once: a reader that comes less often than we export sees it all the same.
Prometheus recognises a repeated one."""

_OVERFLOW = {"otel.metric.overflow": True}

Values = tuple[str | None, ...]
"""Attribute values in the order of the instrument's attributes; None where one does not apply."""

_Mark = tuple[float, int, SpanContext]


class _HistogramSeries:
    __slots__ = ("counts", "largest", "marks", "smallest", "started_ns", "total")

    def __init__(self, buckets: int, now_ns: int) -> None:
        self.started_ns = now_ns
        self.counts = [0] * (buckets + 1)
        self.marks: list[_Mark | None] = [None] * (buckets + 1)
        self.total: float = 0
        self.smallest = float("inf")
        self.largest = float("-inf")


class LightHistogram:
    """A cumulative explicit-bucket histogram; any thread may record."""

    __slots__ = ("_bounds", "_exemplars", "_lock", "_series", "instrument")

    def __init__(self, instrument: Instrument, *, exemplars: bool = True) -> None:
        self.instrument = instrument
        self._bounds = instrument.buckets
        self._exemplars = exemplars
        self._series: dict[Values | None, _HistogramSeries] = {}
        self._lock = threading.Lock()

    def record(self, value: float, values: Values, span: SpanContext | None) -> None:
        """Count ``value``; ``span`` becomes the exemplar of its bucket."""
        bucket = bisect_left(self._bounds, value)
        with self._lock:
            series = self._series.get(values)
            if series is None:
                series = self._new_series(values)
            series.counts[bucket] += 1
            series.total += value
            if value < series.smallest:
                series.smallest = value
            if value > series.largest:
                series.largest = value
            if span is not None and self._exemplars:
                series.marks[bucket] = (value, time_ns(), span)

    def _new_series(self, values: Values) -> _HistogramSeries:
        key = values if len(self._series) < MAX_SERIES else None
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _HistogramSeries(len(self._bounds), time_ns())
        return series

    def metric(self, now_ns: int) -> Metric | None:
        """All of it as the SDK's data, or None before the first record."""
        with self._lock:
            points = [
                HistogramDataPoint(
                    attributes=_attributes(self.instrument, values),
                    start_time_unix_nano=series.started_ns,
                    time_unix_nano=now_ns,
                    count=sum(series.counts),
                    sum=series.total,
                    bucket_counts=tuple(series.counts),
                    explicit_bounds=self._bounds,
                    min=series.smallest,
                    max=series.largest,
                    exemplars=list(_exemplars(series.marks, now_ns)),
                )
                for values, series in self._series.items()
            ]
        return _metric(self.instrument, Histogram(points, AggregationTemporality.CUMULATIVE)) if points else None


class LightCounter:
    """A cumulative monotonic sum; any thread may add.

    ``parts_per_unit``: what is added are whole parts of the instrument's unit (nano-dollars of a counter in dollars). They are
    added as integers and divided when they are read, so that the sum is exact however many there are.
    """

    __slots__ = ("_exemplars", "_lock", "_parts_per_unit", "_series", "instrument")

    def __init__(self, instrument: Instrument, *, exemplars: bool = True, parts_per_unit: int = 1) -> None:
        self.instrument = instrument
        self._exemplars = exemplars
        self._parts_per_unit = parts_per_unit
        self._series: dict[Values | None, list[float]] = {}
        self._lock = threading.Lock()

    def add(self, amount: float, values: Values = ()) -> None:
        with self._lock:
            series = self._series.get(values)
            if series is None:
                key = values if len(self._series) < MAX_SERIES else None
                series = self._series.setdefault(key, [0, time_ns()])
            series[0] += amount

    def metric(self, now_ns: int) -> Metric | None:
        """All of it as the SDK's data, or None before the first addition."""
        parts = self._parts_per_unit
        with self._lock:
            points = [
                NumberDataPoint(
                    _attributes(self.instrument, values),
                    int(started_ns),
                    now_ns,
                    amount if parts == 1 else amount / parts,
                )
                for values, (amount, started_ns) in self._series.items()
            ]
        return (
            _metric(self.instrument, Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True))
            if points
            else None
        )


LightInstrument = LightHistogram | LightCounter


def _attributes(instrument: Instrument, values: Values | None) -> Mapping[str, str | bool]:
    if values is None:
        return _OVERFLOW
    return {name: value for name, value in zip(instrument.attributes, values, strict=True) if value is not None}


def _exemplars(marks: Sequence[_Mark | None], now_ns: int) -> Iterator[Exemplar]:
    for mark in marks:
        if mark is not None and now_ns - mark[1] < EXEMPLAR_LIFE_NS:
            value, at_ns, span = mark
            yield Exemplar({}, value, at_ns, span.span_id, span.trace_id)


def _metric(instrument: Instrument, data: Histogram | Sum) -> Metric:
    return Metric(name=instrument.name, description=instrument.meaning, unit=instrument.unit, data=data)
