"""The hand-written encoder says what the SDK's own encoder says, for any span."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from gatewayz.telemetry.delivery.encode import Attributes, LogEncoder, LogItem, SpanEncoder, any_value, varint

RESOURCE = Resource({"service.name": "gatewayz-api", "process.pid": 7, "list": ["a", "b"]}, "https://example.com/1")

text = st.text(max_size=60)
numbers = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False)
scalars = st.one_of(text, numbers, floats, st.booleans(), st.binary(max_size=20))
values = st.one_of(
    scalars,
    st.lists(text, max_size=4),
    st.lists(numbers, max_size=4),
    st.lists(floats, max_size=4),
    st.lists(st.booleans(), max_size=4),
    st.dictionaries(st.text(min_size=1, max_size=8), scalars, max_size=3),
)
attributes = st.dictionaries(st.text(min_size=1, max_size=20), values, max_size=12)
contexts = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.booleans(),
    st.just(TraceFlags(1)),
    st.sampled_from([TraceState(), TraceState([("vendor", "x=1"), ("b", "2")])]),
)
times = st.integers(1, 2**63)


class Ids(IdGenerator):
    """Hypothesis wants no randomness of its own accord in a strategy."""

    def __init__(self) -> None:
        self._last = 2**120 - 3

    def generate_trace_id(self) -> int:
        self._last += 1
        return self._last

    def generate_span_id(self) -> int:
        self._last += 1
        return self._last % 2**64


class Keep(SpanProcessor):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


@st.composite
def spans(draw: st.DrawFn) -> list[ReadableSpan]:
    keep = Keep()
    limits = SpanLimits(max_span_attributes=8, max_events=3, max_links=3, max_event_attributes=2, max_link_attributes=2)
    provider = TracerProvider(ALWAYS_ON, RESOURCE, shutdown_on_exit=False, span_limits=limits, id_generator=Ids())
    provider.add_span_processor(keep)
    for _ in range(draw(st.integers(1, 3))):
        tracer = provider.get_tracer(
            draw(st.sampled_from(["a", "b"])), "1.2", draw(st.sampled_from([None, "https://s"]))
        )
        parent = draw(st.none() | contexts)
        span = tracer.start_span(
            draw(text),
            Context() if parent is None else set_span_in_context(NonRecordingSpan(parent), Context()),
            draw(st.sampled_from(SpanKind)),
            draw(attributes),
            [Link(c, a) for c, a in draw(st.lists(st.tuples(contexts, attributes), max_size=4))],
            draw(times),
        )
        for name, event_attributes, at in draw(st.lists(st.tuples(text, attributes, times), max_size=4)):
            span.add_event(name, event_attributes, at)
        if draw(st.booleans()):
            span.set_status(Status(StatusCode.ERROR, draw(st.none() | text)))
        elif draw(st.booleans()):
            span.set_status(Status(StatusCode.OK))
        span.end(draw(times))
    return keep.spans


@given(spans())
def test_spans_encode_as_the_sdk_encodes_them(made: list[ReadableSpan]) -> None:
    encoder = SpanEncoder(RESOURCE)
    for _ in range(2):  # the second time from the caches
        encoded = encoder.request([encoder.item(span) for span in made])
        stock = encode_spans(made)
        assert ExportTraceServiceRequest.FromString(encoded) == stock
        assert encoded == stock.SerializeToString()


@given(
    st.binary(min_size=1, max_size=200).map(lambda raw: raw.decode("latin-1").encode()),
    st.integers(0, 2**128 - 1),
    st.integers(1, 2**64 - 1),
)
def test_log_records_encode_as_the_sdk_encodes_them(line: bytes, trace_id: int, span_id: int) -> None:
    scope = InstrumentationScope("gatewayz", "0.1", "https://s")
    encoder = LogEncoder(RESOURCE, scope)
    item = LogItem(123456789, 13, "WARN", "warning", "gatewayz.x", line, trace_id, span_id if trace_id else 0)
    record = LogRecord(
        timestamp=123456789,
        observed_timestamp=123456789,
        severity_number=SeverityNumber.WARN,
        severity_text="WARN",
        body=line.decode(),
        attributes={"level": "warning", "logger": "gatewayz.x"},
    )
    # Set afterwards: the constructor takes the current span's ids for 0.
    record.trace_id, record.span_id, record.trace_flags = trace_id, item.span_id, TraceFlags(1 if trace_id else 0)
    stock = encode_logs([ReadableLogRecord(record, RESOURCE, scope)])
    encoded = encoder.request([encoder.item(item)])
    assert ExportLogsServiceRequest.FromString(encoded) == stock
    assert encoded == stock.SerializeToString()


def test_what_otlp_has_no_value_for_leaves_only_that_attribute_out() -> None:
    odd: dict[str, Any] = {"good": 1, "object": object(), "too large": 2**63, "also good": "x"}
    assert len(Attributes(b"\x4a").fields(odd)) == 2
    with pytest.raises(TypeError):
        any_value(object())


def test_lone_surrogates_do_not_stop_a_span() -> None:
    assert any_value("a\ud800b") == b"\x0a\x03a?b"


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, b"\0"),
        (127, b"\x7f"),
        (128, b"\x80\1"),
        (16383, b"\xff\x7f"),
        (16384, b"\x80\x80\1"),
        (-1, b"\xff" * 9 + b"\1"),
    ],
)
def test_varints_are_base_128_least_significant_first(number: int, encoded: bytes) -> None:
    assert varint(number) == encoded
