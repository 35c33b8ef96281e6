"""Looks for the followed request in each part of the stack. Every function returns what it saw, or raises."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Mapping

import msgspec

from gatewayz.doctor.hops import Broken, NotYet, Unknowable
from gatewayz.doctor.probe import ROUTE, Answer
from gatewayz.doctor.reader import Reader

SERIES = f'http_requests_total{{endpoint="{ROUTE}",method="POST",status_code="200"}}'
DURATION_BUCKETS = f'http_request_duration_seconds_bucket{{endpoint="{ROUTE}"}}'
CLOCK_SLACK_S = 5.0
"""How far the clock of a store's machine may be off before a time window misses what it should hold."""
EXEMPLARS_TRIED = 10
"""Where the Collector samples traces, some exemplars point nowhere; one that leads somewhere is enough."""

_ACCEPTED = re.compile(rb"^otelcol_receiver_accepted_spans(?:_total)?(?:\{[^}]*\})? ([0-9.eE+]+)", re.MULTILINE)
_REFUSED = re.compile(
    rb"^otelcol_receiver_(?:refused|failed)_spans(?:_total)?(?:\{[^}]*\})? ([0-9.eE+]+)", re.MULTILINE
)


# --- The Collector


def accepted_spans(collector: Reader) -> tuple[float, float]:
    """Spans that the Collector has accepted and refused since its start."""
    text = collector.bytes("/metrics")
    if text is None or b"otelcol_" not in text:
        raise collector.not_this_part()
    return sum(map(float, _ACCEPTED.findall(text))), sum(map(float, _REFUSED.findall(text)))


def see_otlp_accepted(collector: Reader, before: tuple[float, float] | None) -> str:
    accepted, refused = accepted_spans(collector)
    if before is None:
        raise Unknowable("The Collector answers now but did not before the request: run the doctor again.")
    if refused > before[1]:
        raise NotYet(
            "The Collector refuses spans: its log says why, most often memory_limiter under too small a limit."
        )
    if accepted <= before[0]:
        raise NotYet(
            f"The Collector at {collector.part.url} is up but no span has reached it: start the gateway with "
            "OTEL_EXPORTER_OTLP_ENDPOINT set to the Collector's OTLP address (http://host:4317)."
        )
    return f"spans accepted rose from {before[0]:.0f} to {accepted:.0f}"


# --- Tempo


class _Span(msgspec.Struct, rename="camel"):
    name: str
    trace_id: str
    kind: str | int = ""


class _ScopeSpans(msgspec.Struct):
    spans: list[_Span] = []


class _ResourceSpans(msgspec.Struct, rename="camel"):
    scope_spans: list[_ScopeSpans] = []


class _Trace(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] = []


class _TraceReply(msgspec.Struct):
    trace: _Trace | None = None


def spans_in_tempo(tempo: Reader, trace_id: str) -> list[tuple[str, str]]:
    """(kind, name) of each span of the trace; empty when Tempo does not have it."""
    reply = tempo.json(f"/api/v2/traces/{trace_id}", {}, _TraceReply)
    if reply is None and tempo.bytes("/api/status/buildinfo") is None:
        raise tempo.not_this_part()
    if reply is None or reply.trace is None:
        return []
    kinds: Mapping[str | int, str] = {
        2: "SERVER",
        3: "CLIENT",
        "SPAN_KIND_SERVER": "SERVER",
        "SPAN_KIND_CLIENT": "CLIENT",
    }
    return [
        (kinds.get(span.kind, "other"), span.name)
        for resource in reply.trace.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
        if base64.b64decode(span.trace_id).hex() == trace_id
    ]


def see_trace(tempo: Reader, answer: Answer) -> str:
    spans = spans_in_tempo(tempo, answer.trace_id)
    if not spans:
        raise NotYet(
            f"Tempo answers but has no trace {answer.trace_id}: look for errors of otlp_grpc/tempo in the Collector's log, "
            "and whether the Collector samples traces."
        )
    names = dict(spans)
    missing = [kind for kind in ("SERVER", "CLIENT") if kind not in names]
    if missing:
        raise NotYet(
            f"Trace {answer.trace_id} is in Tempo without its {' and '.join(missing)} span: "
            "look at gatewayz_telemetry_dropped_total, it counts what the gateway had to drop."
        )
    return f"SERVER “{names['SERVER']}” and CLIENT “{names['CLIENT']}” in one trace"


# --- Prometheus


class _Sample(msgspec.Struct):
    value: tuple[float, str]
    metric: dict[str, str] = {}


class _Vector(msgspec.Struct):
    result: list[_Sample] = []


class _VectorReply(msgspec.Struct):
    data: _Vector


class _Exemplar(msgspec.Struct):
    labels: dict[str, str]
    timestamp: float


class _ExemplarSeries(msgspec.Struct):
    exemplars: list[_Exemplar] = []


class _ExemplarReply(msgspec.Struct):
    data: list[_ExemplarSeries] = []


class _FlagsReply(msgspec.Struct):
    data: dict[str, str]


def vector(prometheus: Reader, query: str) -> list[_Sample]:
    reply = prometheus.json("/api/v1/query", {"query": query}, _VectorReply)
    if reply is None:
        raise prometheus.not_this_part()
    return reply.data.result


def requests_counted(prometheus: Reader) -> float:
    return sum(float(sample.value[1]) for sample in vector(prometheus, f"sum({SERIES})"))


def see_series(prometheus: Reader, before: float | None) -> str:
    counted = requests_counted(prometheus)
    if before is None:
        raise Unknowable("Prometheus answers now but did not before the request: run the doctor again.")
    if counted > before:
        return f"http_requests_total for this route rose from {before:.0f} to {counted:.0f}"
    down = sorted({sample.metric.get("job", "?") for sample in vector(prometheus, "up == 0")})
    if down:
        raise NotYet(
            f"Prometheus cannot scrape {', '.join(down)} (target down): "
            f"{prometheus.part.url}/api/v1/targets holds the last error of each target."
        )
    if not vector(prometheus, "up"):
        raise NotYet(
            f"Prometheus at {prometheus.part.url} scrapes nothing: start it with GatewayZ's prom.yml and its target files."
        )
    raise NotYet(
        "Prometheus scrapes its targets, but http_requests_total for this route did not rise: look whether the Collector's "
        "span_metrics sees the spans, and whether its exposition (port 8889) is among the targets."
    )


def see_exemplar(prometheus: Reader, tempo: Reader, answer: Answer) -> str:
    """An exemplar of the route's latency since the request was sent, and its trace in Tempo."""
    window = {"start": f"{answer.sent_at_s - CLOCK_SLACK_S:.3f}", "end": f"{time.time() + CLOCK_SLACK_S:.3f}"}
    reply = prometheus.json("/api/v1/query_exemplars", {"query": DURATION_BUCKETS, **window}, _ExemplarReply)
    if reply is None:
        raise prometheus.not_this_part()
    found = sorted(
        (exemplar for series in reply.data for exemplar in series.exemplars),
        key=lambda one: one.timestamp,
        reverse=True,
    )
    trace_ids = [exemplar.labels["trace_id"] for exemplar in found if "trace_id" in exemplar.labels]
    if not trace_ids:
        raise _no_exemplar(prometheus)
    trace_ids.sort(key=lambda trace_id: trace_id != answer.trace_id)
    for trace_id in list(dict.fromkeys(trace_ids))[:EXEMPLARS_TRIED]:
        try:
            spans = spans_in_tempo(tempo, trace_id)
        except (Broken, NotYet):
            raise Unknowable(f"An exemplar names trace {trace_id}, but Tempo could not be asked for it.") from None
        if spans:
            return f"names trace {trace_id}{' (this request)' if trace_id == answer.trace_id else ''}, which Tempo has"
    raise NotYet(
        f"Exemplars name traces such as {trace_ids[0]} that Tempo does not have: "
        "look whether the Collector samples traces, and for errors of otlp_grpc/tempo in its log."
    )


def _no_exemplar(prometheus: Reader) -> NotYet | Broken:
    flags = prometheus.json("/api/v1/status/flags", {}, _FlagsReply)
    if flags is not None and "exemplar-storage" not in flags.data.get("enable-feature", ""):
        return Broken("Prometheus stores no exemplars: start it with --enable-feature=exemplar-storage.")
    return NotYet(
        "Prometheus has no exemplar for this route: look whether span_metrics has exemplars enabled "
        "and whether its flush interval equals the scrape interval."
    )


# --- Loki


class _Stream(msgspec.Struct):
    values: list[tuple[str, str]] = []


class _Streams(msgspec.Struct):
    result: list[_Stream] = []


class _LogReply(msgspec.Struct):
    data: _Streams


class _Line(msgspec.Struct):
    message: str = ""
    trace_id: str = ""


def log_lines(loki: Reader, trace_id: str, since_s: float) -> list[str]:
    """The log lines that carry the trace id as native trace context."""
    parameters = {
        "query": f'{{service_name=~".+"}} | trace_id="{trace_id}"',
        "start": str(int((since_s - CLOCK_SLACK_S) * 1e9)),
        "end": str(int((time.time() + CLOCK_SLACK_S) * 1e9)),
        "limit": "100",
    }
    reply = loki.json("/loki/api/v1/query_range", parameters, _LogReply)
    if reply is None:
        raise loki.not_this_part()
    return [line for stream in reply.data.result for _, line in stream.values]


def see_log_line(loki: Reader, answer: Answer) -> str:
    lines = log_lines(loki, answer.trace_id, answer.sent_at_s)
    if not lines:
        raise NotYet(
            f"Loki answers but has no line of trace {answer.trace_id}: look for errors of otlp_http/loki in the Collector's log."
        )
    for line in lines:
        try:
            fields = msgspec.json.decode(line, type=_Line)
        except msgspec.DecodeError:
            raise Broken(
                "Loki has a line of this trace that is no JSON: something between the gateway and Loki rewrites log bodies."
            ) from None
        if fields.message == "request completed" and fields.trace_id == answer.trace_id:
            return f"“request completed” with trace id {answer.trace_id}"
    raise NotYet(
        f"Loki has lines of trace {answer.trace_id} but not its “request completed”: set GATEWAYZ_LOG_LEVEL to INFO or DEBUG."
    )
