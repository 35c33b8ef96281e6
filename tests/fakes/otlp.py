"""OTLP receivers on real sockets that do what a test tells them to: accept, refuse, reject some, hang, be away."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Behaviour:
    """What the next request gets: a gRPC status or an HTTP status, some items rejected, or a wait first."""

    code: grpc.StatusCode | None = None
    status: int = 200
    rejected: int = 0
    hang_s: float = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class Received:
    """What arrived and was accepted, in order."""

    traces: list[ExportTraceServiceRequest] = field(default_factory=list[ExportTraceServiceRequest])
    logs: list[ExportLogsServiceRequest] = field(default_factory=list[ExportLogsServiceRequest])
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list[ExportMetricsServiceRequest])
    sizes: list[int] = field(default_factory=list[int])
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    calls: int = 0

    def add(self, path: str, payload: bytes) -> None:
        self.sizes.append(len(payload))
        if "trace" in path:
            self.traces.append(ExportTraceServiceRequest.FromString(payload))
        elif "logs" in path:
            self.logs.append(ExportLogsServiceRequest.FromString(payload))
        else:
            self.metrics.append(ExportMetricsServiceRequest.FromString(payload))

    @property
    def spans(self) -> list[Span]:
        return [s for request in self.traces for r in request.resource_spans for sc in r.scope_spans for s in sc.spans]

    @property
    def records(self) -> list[LogRecord]:
        return [
            one for request in self.logs for r in request.resource_logs for sc in r.scope_logs for one in sc.log_records
        ]

    @property
    def resources(self) -> list[Resource]:
        return [r.resource for request in self.traces for r in request.resource_spans]

    def last_metrics(self) -> dict[str, Metric]:
        if not self.metrics:
            return {}
        return {m.name: m for r in self.metrics[-1].resource_metrics for sc in r.scope_metrics for m in sc.metrics}


class GrpcSink:
    """A receiver that can go away and come back on its port."""

    def __init__(self, *, start: bool = True) -> None:
        self.received = Received()
        self.behave: Callable[[str, int], Behaviour] = lambda path, number: Behaviour()
        self.port = 0
        self._server: grpc.Server | None = None
        self._released = threading.Event()
        self.start()
        if not start:
            self.stop()

    @property
    def environment(self) -> dict[str, str]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}"}

    def start(self) -> None:
        self._released.clear()
        # gRPC's Python API is untyped where handlers are concerned.
        server = cast("Any", grpc).server(ThreadPoolExecutor(8), options=(("grpc.so_reuseport", 0),))
        server.add_generic_rpc_handlers((_Handler(self),))
        port = server.add_insecure_port(f"127.0.0.1:{self.port}")
        assert port, "port is taken"
        self.port = port
        server.start()
        self._server = server

    def stop(self) -> None:
        self._released.set()
        if self._server is not None:
            self._server.stop(grace=None).wait(5)
            self._server = None

    def serve(self, path: str, payload: bytes, context: grpc.ServicerContext) -> bytes:
        self.received.calls += 1
        what = self.behave(path, self.received.calls)
        if what.hang_s:
            self._released.wait(what.hang_s)
        if what.code is not None:
            context.abort(what.code, "as the test wants it")
        self.received.metadata = {str(k): str(v) for k, v in context.invocation_metadata()}
        self.received.add(path.lower(), payload)
        if what.rejected:
            partial = ExportTracePartialSuccess(rejected_spans=what.rejected, error_message="too odd")
            return ExportTraceServiceResponse(partial_success=partial).SerializeToString()
        return b""


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, sink: GrpcSink) -> None:
        self._sink = sink

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        path = handler_call_details.method

        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            return self._sink.serve(path, request, context)

        return cast("Any", grpc).unary_unary_rpc_method_handler(handle)


class HttpSink:
    """The same over HTTP."""

    def __init__(self) -> None:
        self.received = Received()
        self.behave: Callable[[str, int], Behaviour] = lambda path, number: Behaviour()
        self.paths: list[str] = []
        self._released = threading.Event()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # the base class's name
                payload = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    payload = gzip.decompress(payload)
                sink.received.calls += 1
                what = sink.behave(self.path, sink.received.calls)
                if what.hang_s:
                    sink.wait(what.hang_s)
                if what.status == 200:
                    sink.paths.append(self.path)
                    sink.received.metadata = {k.lower(): v for k, v in self.headers.items()}
                    sink.received.add(self.path, payload)
                self.send_response(what.status)
                for name, value in what.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # the base class's signature
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def wait(self, seconds: float) -> None:
        self._released.wait(seconds)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        }

    def stop(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def plain(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    return getattr(value, kind)


def attributes(pairs: Any) -> dict[str, Any]:
    """OTLP attributes as a dictionary. Any: protobuf's repeated containers are generic only in its stubs."""
    return {pair.key: plain(pair.value) for pair in cast("list[KeyValue]", pairs)}
