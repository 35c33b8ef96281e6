"""One look at one trace, from the id that a user has to what is printed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console

from gatewayz.queries.addresses import Addresses, find_addresses
from gatewayz.queries.errors import LeftOut, QueryError
from gatewayz.queries.logs import Logs
from gatewayz.queries.reader import new_client
from gatewayz.queries.stores import logs_at, traces_at
from gatewayz.queries.traces import Trace, Traces
from gatewayz.trace.document import as_json, document
from gatewayz.trace.lookup import Lines, NotFound, find_lines, find_trace
from gatewayz.trace.show import Screen
from gatewayz.trace.wanted import parse_wanted


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """``None`` means: not given. Then the environment, the running `gatewayz up`, and the standard ports are asked."""

    wanted: str
    """A trace id, the value of `traceresponse`, or an `x-request-id`."""
    environment: Mapping[str, str]
    data_dir: Path = Path("data")
    traces: str | None = None
    logs: str | None = None
    attributes: bool = False
    wait_s: float = 5.0
    """How long to wait for a trace that is not there yet."""
    within_s: float = 3 * 86_400.0
    """How far back a request's id is looked for."""
    timeout_s: float = 10.0
    json: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    trace: Trace
    store: str
    found: Lines


def run(options: TraceOptions) -> int:
    """Print the trace. 0: it was found, with or without its log lines; 1: it was not (one sentence says why)."""
    fancy = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    try:
        seen = asyncio.run(_look(options))
    except (NotFound, QueryError) as reason:
        if options.json:
            sys.stdout.write(as_json({"error": str(reason)}, ascii_only=not fancy) + "\n")
        else:
            Screen(Console(file=sys.stderr), fancy=fancy, attributes=False).say(str(reason), "red")
        return 1
    if options.json:
        sys.stdout.write(as_json(document(seen.trace, seen.store, seen.found), ascii_only=not fancy) + "\n")
        return 0
    screen = Screen(Console(file=sys.stdout), fancy=fancy, attributes=options.attributes)
    screen.trace(seen.trace, seen.store)
    screen.lines(seen.found, seen.trace)
    return 0


async def _look(options: TraceOptions) -> _Seen:
    wanted = parse_wanted(options.wanted)
    given = {"traces": options.traces, "logs": options.logs}
    addresses = find_addresses(given, options.environment, options.data_dir)
    async with new_client() as client:
        traces = _traces(addresses, client, options.timeout_s)
        trace = await find_trace(traces, wanted, wait_s=options.wait_s, within_s=options.within_s)
        found = await find_lines(lambda: _logs(addresses, client, options.timeout_s), trace, wait_s=options.wait_s)
    return _Seen(trace, traces.part.name, found)


def _traces(addresses: Addresses, client: httpx.AsyncClient, timeout_s: float) -> Traces:
    if addresses.traces is None:
        raise LeftOut(
            "The running stack has no store of traces: start `gatewayz up` with one, or name one with --traces."
        )
    return traces_at(addresses.traces, client, setting="--traces", deadline_s=timeout_s)


def _logs(addresses: Addresses, client: httpx.AsyncClient, timeout_s: float) -> Logs:
    if addresses.logs is None:
        raise LeftOut(
            "The running stack has no store of log lines: start `gatewayz up` with one, or name one with --logs."
        )
    return logs_at(addresses.logs, client, setting="--logs", deadline_s=timeout_s)
