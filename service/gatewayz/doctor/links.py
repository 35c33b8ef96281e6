"""Looks for the followed request in each part of the stack. Every function returns what it saw, or raises."""

from __future__ import annotations

import time
from collections.abc import Callable

from gatewayz.doctor.hops import Broken, NotYet, Unknowable
from gatewayz.doctor.probe import ROUTE, Answer
from gatewayz.queries.collector import Collector, ReceivedSpans
from gatewayz.queries.errors import LeftOut, QueryError
from gatewayz.queries.logs import Logs
from gatewayz.queries.prometheus import Prometheus
from gatewayz.queries.reader import Reader
from gatewayz.queries.traces import Traces
from gatewayz.telemetry.names import COMPLETED, REQUESTS_SERIES

CLOCK_SLACK_S = 5.0
"""How far the clock of a store's machine may be off before a time window misses what it should hold."""
NO_TRACE = "0" * 31 + "1"
"""A valid id that no tracer ever makes: to see whether a store answers."""
EXEMPLARS_TRIED = 10
"""Where the Collector samples traces, some exemplars point nowhere; one that leads somewhere is enough."""


async def see_health(gateway: Reader) -> str:
    if (await gateway.get("/health")).status == 404:
        raise gateway.wrong_store()
    return f"{gateway.part.shown_url} answers"


async def see_otlp_accepted(collector: Collector, before: ReceivedSpans | None) -> str:
    received = await collector.received_spans()
    if before is None:
        raise Unknowable("The Collector answers now but did not before the request: run the doctor again.")
    if received.refused > before.refused:
        raise NotYet(
            "The Collector refuses spans: its log says why, most often memory_limiter under too small a limit."
        )
    if received.accepted <= before.accepted:
        raise NotYet(
            f"The Collector at {collector.part.shown_url} is up but no span has reached it: start the gateway with "
            "OTEL_EXPORTER_OTLP_ENDPOINT set to the Collector's OTLP address (http://host:4317)."
        )
    return f"spans accepted rose from {before.accepted:.0f} to {received.accepted:.0f}"


async def see_trace(traces: Traces, answer: Answer) -> str:
    store = traces.part.name
    trace = await traces.trace(answer.trace_id)
    if trace is None:
        raise NotYet(
            f"{store} answers but has no trace {answer.trace_id}: look for errors of the exporter to {store} in the "
            "Collector's log, and whether the Collector samples traces."
        )
    names = {span.kind: span.name for span in trace.spans}
    if "server" not in names or "client" not in names:
        missing = [kind.upper() for kind in ("server", "client") if kind not in names]
        raise NotYet(
            f"Trace {answer.trace_id} is in {store} without its {' and '.join(missing)} span: "
            "look at gatewayz_telemetry_dropped_total, it counts what the gateway had to drop."
        )
    return f"SERVER “{names['server']}” and CLIENT “{names['client']}” in one trace"


async def requests_counted(prometheus: Prometheus) -> float:
    return await prometheus.requests_counted(ROUTE, "POST", 200)


async def see_series(prometheus: Prometheus, before: float | None) -> str:
    counted = await requests_counted(prometheus)
    if before is None:
        raise Unknowable("Prometheus answers now but did not before the request: run the doctor again.")
    if counted > before:
        return f"{REQUESTS_SERIES} for this route rose from {before:.0f} to {counted:.0f}"
    url = prometheus.part.shown_url
    down = await prometheus.jobs_down()
    if down:
        raise NotYet(
            f"Prometheus cannot scrape {', '.join(down)} (target down): "
            f"{url}/api/v1/targets holds the last error of each target."
        )
    if not await prometheus.scrapes_something():
        raise NotYet(f"Prometheus at {url} scrapes nothing: start it with GatewayZ's prom.yml and its target files.")
    raise NotYet(
        f"Prometheus scrapes its targets, but {REQUESTS_SERIES} for this route did not rise: look whether the Collector's "
        "span_metrics sees the spans, and whether its exposition (port 8889) is among the targets."
    )


async def see_exemplar(prometheus: Prometheus, open_traces: Callable[[], Traces], answer: Answer) -> str:
    """An exemplar of the route's latency since the request was sent, and its trace in the store of traces."""
    trace_ids = await prometheus.exemplar_trace_ids(
        ROUTE, since_s=answer.sent_at_s - CLOCK_SLACK_S, until_s=time.time() + CLOCK_SLACK_S
    )
    if not trace_ids:
        raise await _no_exemplar(prometheus)
    trace_ids.sort(key=lambda trace_id: trace_id != answer.trace_id)
    try:
        traces = open_traces()
    except LeftOut:
        raise LeftOut(
            f"An exemplar names trace {trace_ids[0]}, but this stack runs without a store of traces."
        ) from None
    except QueryError:
        raise _not_asked(trace_ids[0], "the store of traces") from None
    store = traces.part.name
    for trace_id in trace_ids[:EXEMPLARS_TRIED]:
        try:
            found = await traces.trace(trace_id)
        except QueryError:
            raise _not_asked(trace_id, store) from None
        if found is not None:
            return (
                f"names trace {trace_id}{' (this request)' if trace_id == answer.trace_id else ''}, which {store} has"
            )
    raise NotYet(
        f"Exemplars name traces such as {trace_ids[0]} that {store} does not have: "
        f"look whether the Collector samples traces, and for errors of the exporter to {store} in its log."
    )


def _not_asked(trace_id: str, store: str) -> Unknowable:
    return Unknowable(f"An exemplar names trace {trace_id}, but {store} could not be asked for it.")


async def _no_exemplar(prometheus: Prometheus) -> NotYet | Broken:
    if not await prometheus.stores_exemplars():
        return Broken("Prometheus stores no exemplars: start it with --enable-feature=exemplar-storage.")
    return NotYet(
        "Prometheus has no exemplar for this route: look whether span_metrics has exemplars enabled "
        "and whether its flush interval equals the scrape interval."
    )


async def see_log_line(logs: Logs, answer: Answer) -> str:
    store = logs.part.name
    lines = await logs.of_trace(
        answer.trace_id,
        since_ns=int((answer.sent_at_s - CLOCK_SLACK_S) * 1e9),
        until_ns=int((time.time() + CLOCK_SLACK_S) * 1e9),
    )
    if not lines:
        raise NotYet(
            f"{store} answers but has no line of trace {answer.trace_id}: "
            f"look for errors of the exporter to {store} in the Collector's log."
        )
    if not all(line.is_json for line in lines):
        raise Broken(
            f"{store} has a line of this trace that is no JSON: something between the gateway and {store} rewrites log bodies."
        )
    if not any(line.message == COMPLETED for line in lines):
        raise NotYet(
            f"{store} has lines of trace {answer.trace_id} but not its “{COMPLETED}”: set GATEWAYZ_LOG_LEVEL to INFO or DEBUG."
        )
    return f"“{COMPLETED}” with trace id {answer.trace_id}"


async def traces_answer(traces: Traces) -> None:
    """Whether the store answers at all. Raises QueryError."""
    await traces.trace(NO_TRACE)


async def logs_answer(logs: Logs) -> None:
    """Whether the store answers at all. Raises QueryError."""
    now_ns = time.time_ns()
    await logs.of_trace(NO_TRACE, since_ns=now_ns - 10**9, until_ns=now_ns)
