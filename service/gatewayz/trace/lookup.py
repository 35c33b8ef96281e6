"""Finds the trace and its log lines; waits a little for what is still on its way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gatewayz.queries.errors import QueryError
from gatewayz.queries.logs import LogLine, Logs
from gatewayz.queries.traces import Trace, Traces, TraceSearch
from gatewayz.telemetry.names import REQUEST_ID
from gatewayz.trace.wanted import Wanted

POLL_S = 0.3

FRESH_S = 5.0
"""So long after its end a trace's lines may still be on their way."""

AROUND_NS = 300 * 10**9
"""Log lines are looked for so long before and after the spans: a request that goes on leaves lines before its span ends."""

AHEAD_NS = 60 * 10**9
"""The gateway's clock may be ahead of ours."""


class NotFound(Exception):
    """The store answers and does not have it. The message is one sentence that says what may be the reason."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A trace's log lines, or why there are none to show."""

    store: str | None
    lines: Sequence[LogLine] = ()
    trouble: str | None = None


async def find_trace(
    traces: Traces,
    wanted: Wanted,
    *,
    wait_s: float,
    within_s: float,
    clock_ns: Callable[[], int] = time.time_ns,
) -> Trace:
    """The trace; a request's id is looked for among the requests of the last ``within_s``. Raises NotFound, QueryError."""
    until = time.monotonic() + wait_s
    while True:
        trace = await _look(traces, wanted, within_s, clock_ns())
        if trace is not None:
            return trace
        if time.monotonic() >= until:
            raise NotFound(
                f"{traces.part.name} at {traces.part.shown_url} has no {wanted}: it may take a second or two to arrive, "
                "it may be older than what is kept, or the Collector samples traces and left it out."
            )
        await asyncio.sleep(POLL_S)


async def _look(traces: Traces, wanted: Wanted, within_s: float, now_ns: int) -> Trace | None:
    trace_id = wanted.trace_id
    if wanted.request_id is not None:
        search = TraceSearch(
            since_ns=max(0, now_ns - int(within_s * 1e9)),
            until_ns=now_ns + AHEAD_NS,
            attributes={REQUEST_ID: wanted.request_id},
            limit=1,
        )
        trace_id = next((found.trace_id for found in await traces.search(search)), None)
    return None if trace_id is None else await traces.trace(trace_id)


async def find_lines(open_logs: Callable[[], Logs], trace: Trace, *, wait_s: float) -> Lines:
    """Waits for the lines of a trace that has only just ended: they take a second longer than its spans.

    Never raises QueryError: the trace is worth showing without them.
    """
    store = None
    until = time.monotonic() + min(wait_s, trace.end_ns / 1e9 + FRESH_S - time.time())
    try:
        logs = open_logs()
        store = logs.part.name
        while True:
            lines = await logs.of_trace(
                trace.trace_id, since_ns=trace.start_ns - AROUND_NS, until_ns=trace.end_ns + AROUND_NS
            )
            if lines or time.monotonic() >= until:
                return Lines(store, lines)
            await asyncio.sleep(POLL_S)
    except QueryError as error:
        return Lines(store, trouble=str(error))
