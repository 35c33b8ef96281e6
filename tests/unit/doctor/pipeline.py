"""A gateway and its stack in miniature: one real HTTP server that answers as each of them would, or as a broken one.

Traces are had as Jaeger and as Tempo tell them, log lines as VictoriaLogs and as Loki do.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

Fault = Literal[
    "gateway refuses key",
    "gateway is elsewhere",
    "gateway starts its own trace",
    "stream is cut",
    "collector gets nothing",
    "collector refuses spans",
    "trace store is something else",
    "trace store has no trace",
    "trace store lacks the attempt",
    "series does not rise",
    "target is down",
    "exemplar storage is off",
    "exemplar names a lost trace",
    "log store has no line",
    "log line is not JSON",
    "log store is not ready",
]

OWN_TRACE = "ab" * 16
JsonValue = Any  # Any: whatever the stores put into their answers


@dataclass
class Pipeline:
    """What the miniature has seen so far, and what is wrong with it."""

    faults: set[Fault] = field(default_factory=set[Fault])
    trace_ids: list[str] = field(default_factory=list[str])
    requests_before: int = 41
    authorizations: list[str | None] = field(default_factory=list[str | None])

    @property
    def counted(self) -> int:
        return self.requests_before + (0 if "series does not rise" in self.faults else len(self.trace_ids))

    def health(self) -> tuple[int, JsonValue]:
        return (404, {}) if "gateway is elsewhere" in self.faults else (200, {"status": "healthy"})

    def collector_metrics(self) -> str:
        accepted = 1000 + (
            0 if self.faults & {"collector gets nothing", "collector refuses spans"} else 2 * len(self.trace_ids)
        )
        refused = len(self.trace_ids) if "collector refuses spans" in self.faults else 0
        return (
            "# TYPE otelcol_receiver_accepted_spans_total counter\n"
            f'otelcol_receiver_accepted_spans_total{{receiver="otlp",transport="grpc"}} {accepted}\n'
            f'otelcol_receiver_refused_spans_total{{receiver="otlp",transport="grpc"}} {refused}\n'
        )

    def _has(self, trace_id: str) -> bool:
        return trace_id in self.trace_ids and "trace store has no trace" not in self.faults

    def _spans(self) -> list[tuple[str, int]]:
        server, client = ("POST /v1/chat/completions", 2), ("chat fast", 3)
        return [server] if "trace store lacks the attempt" in self.faults else [server, client]

    def trace_in_tempo(self, trace_id: str) -> tuple[int, JsonValue]:
        if not self._has(trace_id):
            return 404, {}
        names = {2: "SPAN_KIND_SERVER", 3: "SPAN_KIND_CLIENT"}
        ids = {"traceId": _base64(trace_id), "spanId": _base64("12" * 8)}
        spans = [{"name": name, "kind": names[kind], **ids} for name, kind in self._spans()]
        return 200, {"trace": {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}}

    def trace_in_jaeger(self, trace_id: str) -> tuple[int, JsonValue]:
        if not self._has(trace_id):
            return 404, {"error": {"httpCode": 404, "message": "No traces found"}}
        ids = {"traceId": trace_id, "spanId": "12" * 8}
        spans: list[JsonValue] = [{"name": name, "kind": kind, "status": {}, **ids} for name, kind in self._spans()]
        return 200, {"result": {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}}

    def query(self, query: str) -> JsonValue:
        down = "target is down" in self.faults
        if query.startswith("up == 0"):
            samples: list[JsonValue] = [{"metric": {"job": "gatewayz"}, "value": [0, "0"]}] if down else []
        elif query == "up":
            samples = [{"metric": {"job": "gatewayz"}, "value": [0, "0" if down else "1"]}]
        else:
            samples = [
                {
                    "metric": {"job": "gatewayz"},
                    "value": [time.time(), str(self.requests_before if down else self.counted)],
                }
            ]
        return {"status": "success", "data": {"resultType": "vector", "result": samples}}

    def exemplars(self) -> JsonValue:
        if "exemplar storage is off" in self.faults or not self.trace_ids:
            return {"status": "success", "data": []}
        trace_id = "cd" * 16 if "exemplar names a lost trace" in self.faults else self.trace_ids[-1]
        exemplar = {"labels": {"trace_id": trace_id, "span_id": "12" * 8}, "value": "0.01", "timestamp": time.time()}
        return {"status": "success", "data": [{"seriesLabels": {"job": "gatewayz"}, "exemplars": [exemplar]}]}

    def flags(self) -> JsonValue:
        off = "exemplar storage is off" in self.faults
        return {"status": "success", "data": {"enable-feature": "" if off else "exemplar-storage"}}

    def _lines(self, query: str) -> list[str]:
        named = re.search(r'"?trace_id"?:?="([0-9a-f]+)"', query)
        trace_id = named[1] if named else ""
        if trace_id not in self.trace_ids or "log store has no line" in self.faults:
            return []
        if "log line is not JSON" in self.faults:
            return ["request completed"]
        return [json.dumps({"message": "request completed", "trace_id": trace_id})]

    def lines_in_loki(self, query: str) -> tuple[int, JsonValue]:
        if "log store is not ready" in self.faults:
            return 503, {}
        lines = self._lines(query)
        streams = [{"stream": {"service_name": "gatewayz-api"}, "values": [["1", line]]} for line in lines]
        return 200, {"status": "success", "data": {"resultType": "streams", "result": streams}}

    def lines_in_victoria_logs(self, query: str) -> tuple[int, JsonValue]:
        if "log store is not ready" in self.faults:
            return 503, ""
        records = [{"_msg": line, "_time": "2026-11-28T12:00:00.000000001Z"} for line in self._lines(query)]
        return 200, "".join(json.dumps(record) + "\n" for record in records)


def _base64(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def serve(pipeline: Pipeline) -> ThreadingHTTPServer:
    """A listening server on a free port, answering in threads of its own; shut it down and close it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = (
            65_536  # head and body in one packet: else each answer waits for the reader's delayed acknowledgement
        )

        def log_message(self, format: str, *args: object) -> None:
            return

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            part, _, path = address.path.removeprefix("/").partition("/")
            match part, path:
                case "gateway", "health":
                    self.answer(*pipeline.health())
                case "collector", "metrics":
                    self.answer(200, pipeline.collector_metrics())
                case "jaeger" | "tempo", _ if "trace store is something else" in pipeline.faults:
                    self.answer(404, {})
                case "jaeger", _:
                    self.answer(*pipeline.trace_in_jaeger(path.rpartition("/")[2]))
                case "tempo", "api/status/buildinfo":
                    self.answer(200, {"version": "2.8"})
                case "tempo", _:
                    self.answer(*pipeline.trace_in_tempo(path.rpartition("/")[2]))
                case "prometheus", "api/v1/query":
                    self.answer(200, pipeline.query(query["query"]))
                case "prometheus", "api/v1/query_exemplars":
                    self.answer(200, pipeline.exemplars())
                case "prometheus", "api/v1/status/flags":
                    self.answer(200, pipeline.flags())
                case "victorialogs", "select/logsql/query":
                    self.answer(*pipeline.lines_in_victoria_logs(query["query"]))
                case "loki", "loki/api/v1/query_range":
                    self.answer(*pipeline.lines_in_loki(query["query"]))
                case _:
                    self.answer(404, {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            pipeline.authorizations.append(self.headers["authorization"])
            if "gateway refuses key" in pipeline.faults:
                self.answer(401, {"error": {"message": "Incorrect API key provided."}})
                return
            trace_id = (
                OWN_TRACE
                if "gateway starts its own trace" in pipeline.faults
                else self.headers["traceparent"].split("-")[1]
            )
            pipeline.trace_ids.append(trace_id)
            headers = {"x-request-id": "req_1", "traceresponse": f"00-{trace_id}-{'12' * 8}-01"}
            if body["stream"]:
                end = "" if "stream is cut" in pipeline.faults else "data: [DONE]\n\n"
                self.answer(200, 'data: {"choices":[{"delta":{"content":"open"}}]}\n\n' + end, headers)
            else:
                self.answer(
                    200, {"choices": [{"message": {"role": "assistant", "content": "The line is open."}}]}, headers
                )

        def answer(self, status: int, body: JsonValue, headers: dict[str, str] | None = None) -> None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server
