"""Tempo and Loki as their documentation and our earlier runs show them: for each question, written out, its answer.

A question that is not in the table is refused, as a store refuses what it cannot parse. The live stores judge whether the
questions mean what we think; these show that we ask exactly them, and read what comes back.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from gatewayz.queries.traces import Attributes, AttributeValue, Span
from tests.contract.queries.samples import ODD_TEXT, SECOND_NS, Record, Samples

JsonValue = Any  # Any: whatever the stores put into their answers
Answer = tuple[int, JsonValue]

SELECTED = "select(name, resource.service.name{more}) with (most_recent=true)"
ODD = json.dumps(ODD_TEXT, ensure_ascii=False)


def trace_questions(samples: Samples) -> dict[str, list[tuple[str, int]]]:
    """TraceQL, and which span of which trace meets it."""
    service = f'resource.service.name = "{samples.service}" && '
    seed = samples.service.partition("-")[2]
    every = [("three levels", 0), ("failed", 0), ("orphan", 0), ("slow", 0)]
    return {
        f"{{ {conditions} }} | {SELECTED.format(more=more)}": found
        for conditions, more, found in (
            (f"{service}kind = server", "", every),
            (f'{service}name = "POST /v1/embeddings" && kind = server', "", [("orphan", 0)]),
            (f'{service}kind = server && .gatewayz.request.id = "req_{seed}"', "", [("three levels", 0)]),
            (f'kind = server && .gatewayz.request.id = "req_{seed}"', "", [("three levels", 0)]),
            (f"{service}kind = server && .http.response.status_code = 502", "", [("failed", 0)]),
            (f"{service}kind = server && .big = {2**53 + 1}", "", [("three levels", 0)]),
            (f"{service}kind = server && .odd = {ODD}", "", [("three levels", 0)]),
            (f'{service}kind = server && ."odd \\"name\\" <é>" = {ODD}', "", [("failed", 0)]),
            (f'{service}kind = server && .service.instance.id = "w1-{seed}"', "", every),
            (f"{service}kind = server && duration >= 2000000000ns", "", [("slow", 0)]),
            (f"{service}kind = server && duration <= 100000000ns", "", [("orphan", 0)]),
            (f"{service}kind = server && duration >= 200000000ns && duration <= 300000000ns", "", [("failed", 0)]),
            (f'{service}kind = client && .only.attempt = "yes"', "", [("three levels", 1), ("failed", 1)]),
            (f'{service}.only.attempt = "yes"', "", [("three levels", 1), ("failed", 1)]),
            (f'{service}.only.request = "yes" && .only.attempt = "yes"', "", []),
            (f"{service}kind = client && .gen_ai.request.stream = true", "", [("three levels", 1)]),
            (f"{service}kind = client && .gatewayz.cost.usd = 0.00025", "", [("three levels", 1)]),
            (f'{service}kind = server && .odd = "x\\" || true || \\""', "", []),
            (f'{service}kind = server && .odd = "x\\" }} || {{ true"', "", []),
            (
                f"{service}kind = server && .http.response.status_code = 502",
                ", .http.response.status_code, .error.type, .service.instance.id, .absent",
                [("failed", 0)],
            ),
            (f'resource.service.name = "{samples.other_service}" && kind = server', "", [("elsewhere", 0)]),
        )
    }


def log_questions(samples: Samples) -> dict[str, list[int]]:
    """LogQL, and the places of the records that meet it."""
    own = f'{{service_name="{samples.service}"}}'
    request, failed, orphan = (samples.trace_id(name) for name in ("three levels", "failed", "orphan"))
    fields = '| json | __error__=""'
    return {
        f'{{service_name=~".+"}} | trace_id="{request}"': [0, 1],
        f'{{service_name=~".+"}} | trace_id="{failed}"': [2, 3],
        f'{{service_name=~".+"}} | trace_id="{orphan}"': [],
        f'{{service_name=~".+"}} | trace_id="{"0" * 31}1"': [],
        own: [0, 1, 2, 3, 4, 5],
        f'{own} | level="error" or level="critical"': [2, 5],
        f'{own} | level="info"': [1, 3],
        f'{own} {fields} | provider="openai"': [1, 2, 4],
        f'{own} | level="info" {fields} | provider="openai" | status="200"': [1],
        f'{own} {fields} | tokens_input="12"': [3],
        f"{own} {fields} | odd={ODD}": [0],
        f"{own} {fields} | error_message={ODD}": [2],
        f'{own} {fields} | provider="x\\" or level=\\"info"': [],
        f'{own} {fields} | provider="x` | line_format `y"': [],
        f'{{service_name="{samples.other_service}"}}': [6],
    }


class Recorded:
    """Both stores behind one real HTTP server; ``refused`` holds the questions that were not in the table."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self.refused: list[str] = []
        self._records = list(samples.records)
        self._traces = trace_questions(samples)
        self._logs = log_questions(samples)
        self._server = _serve(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        match path.split("/")[1:]:
            case ["api", "v2", "traces", trace_id]:
                return self._trace(trace_id)
            case ["api", "search"]:
                return self._search(query)
            case ["api", "v2", "search", "tag", "name", "values"]:
                return self._span_names(query)
            case ["api", "status", "buildinfo"]:
                return 200, {"version": "2.8.4", "revision": "abc", "goVersion": "go1.24"}
            case ["loki", "api", "v1", "query_range"]:
                return self._lines(query)
            case _:
                return 404, "404 page not found"

    # --- Tempo

    def _trace(self, trace_id: str) -> Answer:
        for spans in self.samples.traces.values():
            if spans[0].trace_id == trace_id:
                return 200, {"trace": {"resourceSpans": list(map(_tempo_group, spans))}, "metrics": {}}
        return 404, "trace not found"

    def _search(self, query: Mapping[str, str]) -> Answer:
        if query["q"] not in self._traces:
            return self._refuse(f"invalid TraceQL query: {query['q']}")
        start_ns, end_ns = int(query["start"]) * SECOND_NS, int(query["end"]) * SECOND_NS
        found = [(self.samples.traces[name], place) for name, place in self._traces[query["q"]]]
        found = [one for one in found if one[0][-1].end_ns >= start_ns and one[0][0].start_ns <= end_ns]
        found.sort(key=lambda one: one[0][0].start_ns, reverse=True)
        traces = [_tempo_found(spans, spans[place]) for spans, place in found[: int(query["limit"])]]
        return 200, {"traces": traces, "metrics": {"inspectedTraces": len(traces), "completedJobs": 1}}

    def _span_names(self, query: Mapping[str, str]) -> Answer:
        spans = [
            span
            for trace in self.samples.traces.values()
            for span in trace
            if query["q"] == f'{{ resource.service.name = "{span.service}" }}'
        ]
        names = [{"type": "string", "value": name} for name in dict.fromkeys(span.name for span in spans)]
        return 200, {"tagValues": names, "metrics": {}}

    # --- Loki

    def _lines(self, query: Mapping[str, str]) -> Answer:
        text = query["query"]
        counted = text.startswith("sum by (level) (count_over_time(")
        if counted:
            text = text.removeprefix("sum by (level) (count_over_time(").rpartition(" [")[0]
        if text not in self._logs:
            return self._refuse(f"parse error at line 1: {text}")
        records = [self._records[place] for place in self._logs[text]]
        if counted:
            return 200, _loki_counts(records, int(query["start"]), int(query["end"]), int(query["step"]))
        records = [one for one in records if int(query["start"]) <= one.time_ns < int(query["end"])]
        newest = sorted(records, key=lambda one: one.time_ns, reverse=True)[: int(query["limit"])]
        assert query["direction"] == "backward"
        # Each set of labels is a stream of its own in an answer, whatever the order of the lines.
        streams = [{"stream": _loki_labels(one), "values": [[str(one.time_ns), one.text]]} for one in reversed(newest)]
        return 200, {"status": "success", "data": {"resultType": "streams", "result": streams, "stats": {}}}

    def _refuse(self, reason: str) -> Answer:
        self.refused.append(reason)
        return 400, reason


def _base64(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def _tempo_group(span: Span) -> JsonValue:
    ids = {"traceId": _base64(span.trace_id), "spanId": _base64(span.span_id)}
    if span.parent_id:
        ids["parentSpanId"] = _base64(span.parent_id)
    status: dict[str, str] = {} if span.status == "unset" else {"code": f"STATUS_CODE_{span.status.upper()}"}
    if span.status_message:
        status["message"] = span.status_message
    one = {
        **ids,
        "name": span.name,
        "kind": f"SPAN_KIND_{span.kind.upper()}",
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _pairs(span.attributes),
        "events": [
            {"timeUnixNano": str(event.time_ns), "name": event.name, "attributes": _pairs(event.attributes)}
            for event in span.events
        ],
        "links": [{"traceId": _base64(link.trace_id), "spanId": _base64(link.span_id)} for link in span.links],
        "status": status,
    }
    resource = {"attributes": _pairs(span.resource)}
    return {"resource": resource, "scopeSpans": [{"scope": {"name": "gatewayz"}, "spans": [one]}]}


def _tempo_found(trace: Iterable[Span], span: Span) -> JsonValue:
    root = next(iter(trace))
    matched = {
        "spanID": span.span_id,
        "name": span.name,
        "startTimeUnixNano": str(span.start_ns),
        "durationNanos": str(span.duration_ns),
        "attributes": _pairs({**span.resource, **span.attributes}),
    }
    return {
        "traceID": span.trace_id.lstrip("0"),
        "rootServiceName": root.service,
        "rootTraceName": root.name,
        "startTimeUnixNano": str(root.start_ns),
        "durationMs": root.duration_ns // 10**6,
        "spanSets": [{"spans": [matched], "matched": 1}],
    }


def _pairs(attributes: Attributes) -> list[JsonValue]:
    return [{"key": name, "value": _value(value)} for name, value in attributes.items()]


def _value(value: AttributeValue) -> JsonValue:
    match value:
        case str():
            return {"stringValue": value}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case None:
            return {}
        case Mapping():
            return {"kvlistValue": {"values": _pairs(value)}}
        case _:
            return {"arrayValue": {"values": [_value(item) for item in value]}}


def _loki_labels(record: Record) -> dict[str, str]:
    ids = {"trace_id": record.trace_id, "span_id": record.span_id} if record.trace_id else {}
    members = {name.replace(".", "_"): value for name, value in record.attributes.items()}
    own = {"service_name": record.service, "level": record.level, "detected_level": record.level}
    return members | ids | own | {"severity_text": record.level.upper()}


def _loki_counts(records: Iterable[Record], start_s: int, end_s: int, step_s: int) -> JsonValue:
    """At each step's end, what came since the end before it."""
    series: dict[str, dict[int, int]] = {}
    for record in records:
        end = -(-record.time_ns // (step_s * SECOND_NS)) * step_s
        if start_s <= end <= end_s:
            counts = series.setdefault(record.level, {})
            counts[end] = counts.get(end, 0) + 1
    result = [
        {"metric": {"level": level}, "values": [[end, str(count)] for end, count in sorted(counts.items())]}
        for level, counts in series.items()
    ]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def _serve(recorded: Recorded) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536  # head and body in one packet

        def log_message(self, format: str, *args: object) -> None:
            return

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
            status, answer = recorded.answer(unquote(address.path), query)
            data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server
