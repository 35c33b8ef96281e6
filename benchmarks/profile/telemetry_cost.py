"""``python -m benchmarks.profile.telemetry_cost``: what telemetry alone costs a request, in µs of CPU.

Drives the facade as the gateway does (start, one attempt, both ends; streamed or not) at a settable rate, with the exporter
delivering to an OTLP receiver in another process. CPU is this process's, exporter and writer threads included, less that of
the same loop without telemetry. The run is void if the receiver did not get every span and log record.
"""

from __future__ import annotations

import argparse
import cProfile
import multiprocessing
import os
import pstats
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, cast

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gatewayz.config import Settings
from gatewayz.records import Attempt, HttpRequest, KeyIdentity, Outcome, RequestEnd, Usage
from gatewayz.telemetry.setup import Telemetry, start_telemetry

HEADERS = (
    (b"host", b"127.0.0.1:8000"),
    (b"accept", b"application/json"),
    (b"content-type", b"application/json"),
    (b"user-agent", b"OpenAI/Python 3.52.0"),
    (b"authorization", b"-"),
    (b"content-length", b"703"),
)
KEY = KeyIdentity("k3yid", "bench", "customer-1")
UNARY = Outcome(200, "gpt-4o", Usage(120, 80, source="provider"), None, "chatcmpl-abc", "gpt-4o", ("stop",))
STREAM = Outcome(
    200, "gpt-4o", Usage(120, 80, source="provider"), None, "chatcmpl-abc", "gpt-4o", ("stop",),
    time_to_first_chunk_s=0.21, chunks=50, stream_s=1.4,
)  # fmt: skip


def one(telemetry: Telemetry, number: int, outcome: Outcome, *, stream: bool) -> None:
    http = HttpRequest(
        "POST", "/v1/chat/completions", "/v1/chat/completions", "http", "1.1", HEADERS, f"req_{number:024x}",
        time.time_ns(), "127.0.0.1", "127.0.0.1", 8000, "OpenAI/Python 3.52.0", KEY,
    )  # fmt: skip
    request = telemetry.start_request(http)
    attempt = request.start_attempt(
        Attempt("chat", "openai", "openai", "gpt-4o", "api.openai.com", 443, stream, customer_id="customer-1")
    )
    attempt.end(outcome)
    request.end(RequestEnd(200, "ok", None, 703, 482, "gpt-4o", stream, "openai", 1))


def receiver(pipe: Connection) -> None:
    """Count spans and log records until asked for the counts."""
    counts = {"traces": 0, "logs": 0}

    class Handler(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
            path = handler_call_details.method

            def handle(payload: bytes, context: grpc.ServicerContext) -> bytes:
                if "Trace" in path:
                    for traces in ExportTraceServiceRequest.FromString(payload).resource_spans:
                        counts["traces"] += sum(len(scope.spans) for scope in traces.scope_spans)
                elif "Logs" in path:
                    for logs in ExportLogsServiceRequest.FromString(payload).resource_logs:
                        counts["logs"] += sum(len(scope.log_records) for scope in logs.scope_logs)
                return b""

            return cast("Any", grpc).unary_unary_rpc_method_handler(handle)

    server = cast("Any", grpc).server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((Handler(),))
    pipe.send(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    pipe.recv()
    pipe.send(counts)
    server.stop(None).wait()


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def paced(work: Callable[[int], None], count: int, rate: int) -> None:
    """``rate`` calls a second in ticks of 10 ms; 0 for as fast as it goes."""
    if not rate:
        for number in range(count):
            work(number)
        return
    per_tick = max(1, rate // 100)
    due = time.monotonic()
    for start in range(0, count, per_tick):
        for number in range(start, min(count, start + per_tick)):
            work(number)
        due += per_tick / rate
        time.sleep(max(0.0, due - time.monotonic()))


def measure(count: int, rate: int, *, stream: bool, off: bool) -> tuple[float, float, str]:
    """CPU µs per request in all, µs of the calling thread's time, and what was delivered."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=receiver, args=(there,))
    process.start()
    port = here.recv()
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
    if off:
        environment["OTEL_SDK_DISABLED"] = "true"
    null = os.open(os.devnull, os.O_WRONLY)
    telemetry = start_telemetry(Settings.model_validate({}), environment, stdout=null)
    outcome = STREAM if stream else UNARY
    paced(lambda number: one(telemetry, number, outcome, stream=stream), 2000, 0)
    time.sleep(1)
    before, thread_before = cpu_s(), time.thread_time()
    paced(lambda number: one(telemetry, number, outcome, stream=stream), count, rate)
    thread = time.thread_time() - thread_before
    telemetry.close(30)
    total = cpu_s() - before
    here.send(None)
    counts = here.recv()
    process.join()
    expected = 0 if off else count + 2000
    if (counts["traces"], counts["logs"]) != (2 * expected, expected):
        sys.exit(f"void: {counts} arrived of {expected} requests; {telemetry.accounts()}")
    return total / count * 1e6, thread / count * 1e6, f"{counts['traces']} spans, {counts['logs']} records"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rate", type=int, default=2000, help="requests a second; 0: as fast as it goes")
    parser.add_argument("--profile", action="store_true", help="profile the calling thread instead")
    options = parser.parse_args()
    if options.profile:
        profile(options.count)
        return
    empty_before = cpu_s()
    paced(lambda number: None, options.count, options.rate)
    empty = (cpu_s() - empty_before) / options.count * 1e6
    for name, stream, off in (("unary", False, False), ("stream", True, False), ("switched off", False, True)):
        total, thread, delivered = measure(options.count, options.rate, stream=stream, off=off)
        print(
            f"{name:12} {total - empty:6.1f} µs CPU per request, {thread - empty:6.1f} of it on the loop's thread ({delivered})"
        )


def profile(count: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    telemetry = start_telemetry(
        Settings.model_validate({}), {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, stdout=null
    )
    profiler = cProfile.Profile()
    profiler.enable()
    for number in range(count):
        one(telemetry, number, UNARY, stream=False)
    profiler.disable()
    telemetry.close(0.1)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
