"""``python -m benchmarks profile``: which functions of the gateway a request's CPU time goes to.

cProfile makes every Python call dearer and no C call, so shares are to be read and not sums; the figure in the first
line, taken beside it without the profiler, is the true one. The ``cpu`` clock counts what a thread itself used; the
``wall`` clock shows where it waited, for the interpreter lock above all.
"""

from __future__ import annotations

import pstats
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, NamedTuple, cast

from benchmarks.load.program import Server, build, get
from benchmarks.measure import Bench, measure_run, warm_up
from benchmarks.processes import choose_cores
from benchmarks.providers import write_scripts
from benchmarks.routes.table import Route
from benchmarks.shapes import Shape
from benchmarks.subjects import ROOT, SubjectName, gateway_environment, label, route_environment, start_gateway

WARM_UP_S = 1.0

Function = tuple[str, int, str]
"""pstats' own key: file, line, name."""


class Cost(NamedTuple):
    """One function over the profiled load, in seconds."""

    function: Function
    calls: int
    own_s: float
    total_s: float


def profile(
    shape: Shape | Route,
    subject: SubjectName,
    connections: int,
    seconds: float,
    clock: Literal["cpu", "wall"],
    lines: int,
) -> str:
    """Load the gateway, first as it is, then under cProfile; the report as text."""
    cores = choose_cores()
    program = build()
    with tempfile.TemporaryDirectory(prefix="gatewayz-profile-") as directory, ExitStack() as stack:
        scratch = Path(directory)
        scripts = write_scripts(scratch / "scripts.json")
        upstream = stack.enter_context(
            Server(program, "upstream", core=cores.others, log=scratch / "upstream.log", scripts=scripts)
        )
        sink = stack.enter_context(Server(program, "sink", core=cores.others, log=scratch / "sink.log"))
        bench = Bench(program, upstream, sink, cores, scratch)
        reports: list[str] = []
        for name in ("plain", "profiled"):
            home = scratch / name
            home.mkdir()
            stats = home / "stats" if name == "profiled" else None
            receiver = sink.address if subject == "on" else None
            if isinstance(shape, str):
                environment = gateway_environment(home, upstream.address, receiver)
            else:
                environment = route_environment(home, upstream.address, receiver, shape.breaker)
            profiled = [str(stats), clock] if stats else []
            with start_gateway(
                subject, core=cores.measured, scratch=home, environment=environment, profiled=profiled
            ) as gateway:
                asked = gateway.asked(shape) if isinstance(shape, str) else gateway.route(shape)
                warm_up(bench, gateway, asked, WARM_UP_S)
                if stats:
                    get(gateway.address, "/benchmarks/profile/start")
                run = measure_run(bench, gateway, asked, connections, seconds, 1)
                if stats:
                    get(gateway.address, "/benchmarks/profile/stop")
            note = f"  VOID: {run.void}" if run.void else ""
            reports.append(
                f"{label(subject)}, {asked.name}, {connections} connections, {name}: {run.cpu_us:.0f} µs per request{note}"
            )
            if stats:
                reports.append(_report("event loop", [stats], run.requests, lines))
                reports.append(_report("other threads", sorted(home.glob("stats.thread*")), run.requests, lines))
        return "\n\n".join(reports)


def _report(heading: str, files: Sequence[Path], requests: int, lines: int) -> str:
    costs = read_costs(files)
    whole_s = sum(cost.own_s for cost in costs)
    parts = [f"== {heading}: {whole_s * 1e6 / max(1, requests):.0f} µs per request under the profiler"]
    for title, order in (("own time", _by_own), ("time with everything called", _by_total)):
        parts.append(f"-- by {title}: own µs, total µs, calls per request")
        for cost in sorted(costs, key=order, reverse=True)[:lines]:
            own_us, total_us = cost.own_s * 1e6 / max(1, requests), cost.total_s * 1e6 / max(1, requests)
            calls = cost.calls / max(1, requests)
            parts.append(f"{own_us:8.2f} {total_us:8.2f} {calls:7.2f}  {place(cost.function)}")
    return "\n".join(parts)


def _by_own(cost: Cost) -> float:
    return cost.own_s


def _by_total(cost: Cost) -> float:
    return cost.total_s


def read_costs(files: Sequence[Path]) -> list[Cost]:
    """The profiles in the files, added up."""
    if not files:
        return []
    added = pstats.Stats(str(files[0]))
    for file in files[1:]:
        added.add(str(file))
    # pstats.Stats.stats is its documented-by-use table; typeshed leaves it out.
    table = cast("dict[Function, tuple[int, int, float, float, object]]", vars(added)["stats"])
    return [Cost(function, calls, own, total) for function, (_, calls, own, total, _) in table.items()]


def place(function: Function) -> str:
    """Where a function is, for people: the path within its package."""
    file, line, name = function
    if file == "~":
        return name
    for root in (str(ROOT / "service"), *sorted(sys.path, key=len, reverse=True)):
        if root and file.startswith(f"{root}/"):
            file = file[len(root) + 1 :]
            break
    return f"{file}:{line} {name}"
