"""What telemetry delivered to a sink, as the tests look at it; and the trace of a caller."""

from __future__ import annotations

from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from gatewayz.telemetry.setup import Telemetry
from tests.fakes.otlp import GrpcSink, attributes

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
W3C = ((b"traceparent", f"00-{TRACE}-{PARENT}-01".encode()),)


def delivered(telemetry: Telemetry, sink: GrpcSink) -> tuple[Span, list[Span]]:
    """The request's span and its attempts', after closing."""
    telemetry.close(5)
    servers = [span for span in sink.received.spans if span.kind == Span.SPAN_KIND_SERVER]
    clients = [span for span in sink.received.spans if span.kind == Span.SPAN_KIND_CLIENT]
    assert len(servers) == 1
    return servers[0], clients


def points(sink: GrpcSink, name: str) -> list[HistogramDataPoint]:
    metric = sink.received.last_metrics().get(name)
    return [] if metric is None else list(metric.histogram.data_points)


def by_attribute(sink: GrpcSink, name: str, attribute: str) -> dict[str, HistogramDataPoint]:
    return {attributes(point.attributes)[attribute]: point for point in points(sink, name)}
