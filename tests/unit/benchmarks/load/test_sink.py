"""The sink decodes what an OTLP exporter sends, over gRPC and HTTP, compressed or not."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import cast

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from benchmarks.load.program import Server, sink_counts

SPANS = ExportTraceServiceRequest(
    resource_spans=[
        ResourceSpans(
            scope_spans=[
                ScopeSpans(
                    spans=[
                        Span(name="POST /v1/chat/completions", kind=Span.SPAN_KIND_SERVER, trace_id=b"t" * 16),
                        Span(name="chat gpt-4o-mini", kind=Span.SPAN_KIND_CLIENT, start_time_unix_nano=1),
                    ]
                ),
                ScopeSpans(spans=[Span(name="chat other", kind=Span.SPAN_KIND_CLIENT), Span(name="no kind")]),
            ]
        ),
        ResourceSpans(scope_spans=[ScopeSpans(spans=[Span(name="GET /", kind=Span.SPAN_KIND_SERVER)])]),
    ]
)
LOGS = ExportLogsServiceRequest(
    resource_logs=[
        ResourceLogs(
            scope_logs=[
                ScopeLogs(
                    log_records=[
                        LogRecord(body=AnyValue(string_value='{"message":"request completed","status":200}')),
                        LogRecord(body=AnyValue(string_value='{"message":"gateway ready"}')),
                    ]
                )
            ]
        )
    ]
)
METRICS = ExportMetricsServiceRequest(
    resource_metrics=[ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=[Metric(name="a"), Metric(name="b")])])]
)
SERIES = [
    Metric(name="a", gauge=Gauge(data_points=[NumberDataPoint(), NumberDataPoint()])),
    Metric(name="b", sum=Sum(data_points=[NumberDataPoint()])),
    Metric(name="c", histogram=Histogram(data_points=[HistogramDataPoint(), HistogramDataPoint()])),
]


def export(channel: grpc.Channel, service: str, request: bytes) -> None:
    """One OTLP call; the answer of a sink that accepted everything is an empty message."""
    # grpc's stubs leave the types of a call without serializers open.
    call = cast("Callable[..., bytes]", channel.unary_unary(f"/opentelemetry.proto.collector.{service}/Export"))
    assert call(request, timeout=5) == b""


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_grpc_exports_are_decoded_and_counted(serve: Callable[[str], Server], compression: grpc.Compression) -> None:
    sink = serve("sink").address
    with grpc.insecure_channel(sink, compression=compression) as channel:
        for _ in range(3):
            export(channel, "trace.v1.TraceService", SPANS.SerializeToString())
        export(channel, "logs.v1.LogsService", LOGS.SerializeToString())
        export(channel, "metrics.v1.MetricsService", METRICS.SerializeToString())

    counts = sink_counts(sink)
    assert (counts.server_spans, counts.client_spans, counts.other_spans) == (6, 6, 3)
    assert (counts.completed_logs, counts.other_logs) == (1, 1)
    assert counts.metrics == 2
    assert (counts.exports, counts.undecodable) == (5, 0)


def test_series_are_those_of_each_exporters_latest_metrics(serve: Callable[[str], Server]) -> None:
    def metrics(count: int) -> bytes:
        scope = ScopeMetrics(metrics=SERIES[:count])
        return ExportMetricsServiceRequest(
            resource_metrics=[ResourceMetrics(scope_metrics=[scope])]
        ).SerializeToString()

    sink = serve("sink").address
    # Two channels with a setting that differs, for else they would share a connection.
    own = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(sink, options=own) as one, grpc.insecure_channel(sink, options=own) as other:
        export(one, "metrics.v1.MetricsService", metrics(1))
        export(one, "metrics.v1.MetricsService", metrics(3))
        assert sink_counts(sink).series == 5
        export(other, "metrics.v1.MetricsService", metrics(2))
        assert sink_counts(sink).series == 8


def test_http_exports_are_counted_as_well(serve: Callable[[str], Server]) -> None:
    sink = serve("sink").address
    connection = http.client.HTTPConnection(sink, timeout=5)
    connection.request("POST", "/v1/traces", SPANS.SerializeToString(), {"content-type": "application/x-protobuf"})
    assert connection.getresponse().status == 200
    connection.close()

    assert sink_counts(sink).server_spans == 2


def test_what_is_no_protobuf_is_refused_and_counted(serve: Callable[[str], Server]) -> None:
    sink = serve("sink").address
    with grpc.insecure_channel(sink) as channel, pytest.raises(grpc.RpcError) as refused:
        export(channel, "trace.v1.TraceService", b"\x0a\xff\xff\xff\x0fno")
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT

    counts = sink_counts(sink)
    assert (counts.server_spans, counts.undecodable) == (0, 1)
