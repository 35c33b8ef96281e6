"""Our cheap instruments against the SDK's own: the same records must give the same data."""

from __future__ import annotations

import threading
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.trace import SpanContext, TraceFlags

from gatewayz.telemetry import light_instruments
from gatewayz.telemetry.light_instruments import LightCounter, LightHistogram
from gatewayz.telemetry.names import Instrument

INSTRUMENT = Instrument("x", "histogram", "s", "meaning", ("a", "b"), (0.1, 1.0, 10.0))
SPAN = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1))

values = st.one_of(st.floats(0, 100), st.sampled_from([0.1, 1.0, 10.0]), st.integers(0, 20))
labels = st.tuples(st.sampled_from(["p", "q"]), st.sampled_from(["r", None]))


def histogram_points(measure: LightHistogram, now_ns: int = 1) -> list[HistogramDataPoint]:
    metric = measure.metric(now_ns)
    return [] if metric is None else cast("list[HistogramDataPoint]", list(metric.data.data_points))


@given(st.lists(st.tuples(values, labels), min_size=1, max_size=60))
def test_histogram_equals_the_sdks(records: list[tuple[float, tuple[str | None, ...]]]) -> None:
    reader = InMemoryMetricReader()
    view = View(instrument_name="x", aggregation=ExplicitBucketHistogramAggregation(list(INSTRUMENT.buckets)))
    provider = MeterProvider([reader], views=[view], shutdown_on_exit=False)
    stock = provider.get_meter("m").create_histogram("x", "s", "meaning")
    own = LightHistogram(INSTRUMENT)
    for value, (a, b) in records:
        own.record(value, (a, b), None)
        stock.record(value, {name: one for name, one in (("a", a), ("b", b)) if one is not None})
    data = reader.get_metrics_data()
    assert data is not None
    expected = data.resource_metrics[0].scope_metrics[0].metrics[0]
    made = own.metric(1)
    assert made is not None
    assert (made.name, made.unit, made.description) == (expected.name, expected.unit, expected.description)

    def comparable(points: Any) -> list[Any]:
        return sorted(
            (sorted(dict(p.attributes or {}).items()), p.count, p.sum, list(p.bucket_counts), p.min, p.max)
            for p in cast("list[HistogramDataPoint]", points)
        )

    assert comparable(made.data.data_points) == comparable(expected.data.data_points)
    provider.shutdown()


def test_each_bucket_keeps_the_last_span_that_fell_into_it_for_a_while() -> None:
    own = LightHistogram(INSTRUMENT)
    other = SpanContext(1, 2, is_remote=False)
    own.record(0.5, ("p", None), other)
    own.record(0.6, ("p", None), SPAN)
    own.record(5, ("p", None), other)
    own.record(50, ("p", None), None)
    (point,) = histogram_points(own)
    assert [(e.value, e.trace_id, e.span_id) for e in point.exemplars] == [(0.6, 0xABC, 0xDEF), (5, 1, 2)]
    # Exported again, so that a slower reader sees it; not for ever.
    recorded = point.exemplars[0].time_unix_nano
    (again,) = histogram_points(own, recorded + light_instruments.EXEMPLAR_LIFE_NS - 10**9)
    assert len(again.exemplars) >= 1
    (late,) = histogram_points(own, recorded + 2 * light_instruments.EXEMPLAR_LIFE_NS)
    assert late.exemplars == []


def test_exemplars_can_be_switched_off() -> None:
    own = LightHistogram(INSTRUMENT, exemplars=False)
    own.record(0.5, ("p", None), SPAN)
    assert histogram_points(own)[0].exemplars == []


def test_too_many_attribute_sets_are_counted_as_overflow_and_the_sum_stays_right() -> None:
    own = LightHistogram(INSTRUMENT)
    for number in range(light_instruments.MAX_SERIES + 500):
        own.record(1, (str(number), None), None)
    own.record(1, ("0", None), None)
    points = histogram_points(own)
    assert len(points) == light_instruments.MAX_SERIES + 1
    (overflow,) = [point for point in points if point.attributes == {"otel.metric.overflow": True}]
    assert overflow.count == 500
    assert sum(point.count for point in points) == light_instruments.MAX_SERIES + 501


def test_a_counter_adds_up_across_threads() -> None:
    counter = LightCounter(Instrument("c", "counter", "{x}", "m", ("reason",)))
    histogram = LightHistogram(INSTRUMENT)

    def work() -> None:
        for _ in range(5000):
            counter.add(1, ("r",))
            histogram.record(1, ("p", "q"), SPAN)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    metric = counter.metric(1)
    assert metric is not None
    (point,) = cast("list[NumberDataPoint]", list(metric.data.data_points))
    assert (point.value, point.attributes) == (20000, {"reason": "r"})
    assert histogram_points(histogram)[0].count == 20000


def test_nothing_recorded_is_no_metric() -> None:
    assert LightHistogram(INSTRUMENT).metric(1) is None
    assert LightCounter(INSTRUMENT).metric(1) is None
