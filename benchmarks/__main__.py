"""``python -m benchmarks``: measure the gateway on this machine. ``python -m benchmarks profile``: see where its time goes.
``python -m benchmarks soak``: load it for long and see whether anything grows."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks import machine, measure, report, summary
from benchmarks.load.program import build
from benchmarks.processes import BenchmarkFailed, choose_cores
from benchmarks.profile.run import profile
from benchmarks.records import Plan, Result
from benchmarks.routes.measure import chosen, measure_routes, route_rows
from benchmarks.routes.table import ROUTES
from benchmarks.shapes import SHAPES
from benchmarks.soak import report as soak_report
from benchmarks.soak.run import soak
from benchmarks.subjects import SUBJECTS

T = TypeVar("T")

RESULTS = Path(__file__).parent / "results"

NAMES = tuple(route.name for route in ROUTES)
FEW = ("chat-chat", "chat-messages", "chat-chat-stream", "chat-messages-stream", "fallback-asked")
FULL = Plan(SHAPES, (1, 16, 64), SUBJECTS, starts=2, runs=2, seconds=2.0, warm_up_s=1.0, routes=NAMES)
QUICK = msgspec.structs.replace(
    FULL,
    connections=(16,),
    starts=1,
    runs=1,
    seconds=1.1,
    warm_up_s=0.5,
    routes=FEW,
    route_seconds=0.5,
    route_warm_up_s=0.2,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 1 if a row is void or nothing could be measured. Missed targets are marked, not failed."""
    options = _parse(arguments)
    if options.command == "profile" and "bare" in (options.subject or ()):
        print("profile looks into the gateway: --subject on or --subject off.", file=sys.stderr)
        return 2
    try:
        if options.command == "profile":
            plan = _plan(options)
            subject = plan.subjects[-1]  # telemetry on, unless something else was asked for
            routes = chosen(plan)
            shape = routes[0] if options.route else plan.shapes[0]
            connections = 16 if options.connections is None else plan.connections[0]
            print(profile(shape, subject, connections, plan.seconds, options.clock, options.lines))
            return 0
        if options.command == "soak":
            return _soak(options)
        return _measure(options)
    except BenchmarkFailed as error:
        print(error, file=sys.stderr)
        return 1


def _measure(options: argparse.Namespace) -> int:
    cores = choose_cores()
    plan = _plan(options)
    program = build()
    described = machine.describe(cores)
    with tempfile.TemporaryDirectory(prefix="gatewayz-bench-") as scratch:
        runs, started_in_s = measure.measure(plan, program, cores, Path(scratch), _say) if plan.shapes else ([], {})
        along = measure_routes(plan, program, cores, Path(scratch), _say)
    rows, ways = measure.rows_of(plan, runs), route_rows(plan, along)
    result = Result(described, plan, started_in_s, tuple(runs), rows, tuple(along), ways)
    _keep("measure", described.taken_at, result)
    text = report.markdown(result)
    print(text)
    for sentence in report.missed(result):
        print(f"target missed: {sentence}")
    for row in result.voids:
        print(f"void: {row.shape} at {row.connections} connections, {row.subject}: {row.void}", file=sys.stderr)
    if options.write and result.voids:
        print("docs/performance.md is left as it was: void rows prove nothing.", file=sys.stderr)
    elif options.write:
        report.write(text)
        summary.write(summary.markdown(result))
    return 1 if result.voids else 0


def _soak(options: argparse.Namespace) -> int:
    result = soak(options.minutes, options.rate, _say)
    _keep("soak", result.machine.taken_at, result)
    text = soak_report.markdown(result)
    print(text)
    for sentence in result.faults():
        print(f"soak: {sentence}", file=sys.stderr)
    if options.write:
        soak_report.write(text)
    return 1 if result.faults() else 0


def _keep(kind: str, taken_at: str, result: msgspec.Struct) -> None:
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{kind}-{taken_at.replace(':', '').replace(' ', '-')}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("measure", "profile", "soak"), default="measure")
    parser.add_argument("--quick", action="store_true", help="one short run of each: does it work at all?")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--shape", action="append", choices=SHAPES, help="only this kind of answer (repeatable)")
    ways = f"only this way (repeatable): {', '.join(NAMES)}"
    parser.add_argument("--route", action="append", choices=NAMES, metavar="NAME", help=ways)
    parser.add_argument("--subject", action="append", choices=SUBJECTS, help="only this program (repeatable)")
    parser.add_argument("--connections", action="append", type=int, help="only this many connections (repeatable)")
    parser.add_argument("--starts", type=int, help="process starts")
    parser.add_argument("--runs", type=int, help="runs per start")
    parser.add_argument("--seconds", type=float, help="length of a run, or of the profiled load")
    parser.add_argument("--lines", type=int, default=40, help="profile: functions to list")
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu", help="profile: time used, or time passed")
    parser.add_argument("--minutes", type=float, default=30, help="soak: how long")
    parser.add_argument("--rate", type=float, default=200, help="soak: requests begun a second")
    return parser.parse_args(arguments)


def _plan(options: argparse.Namespace) -> Plan:
    base = QUICK if options.quick else FULL
    routes, shapes = base.routes, base.shapes
    if options.route or options.shape or options.subject:
        # Whoever asks for the one does not want the other.
        routes = _chosen(options.route, base.routes) if options.route else ()
        shapes = _chosen(options.shape, base.shapes) if options.shape or not options.route else ()
    return Plan(
        shapes=shapes,
        connections=tuple(options.connections or base.connections),
        subjects=_chosen(options.subject, base.subjects),
        starts=options.starts or base.starts,
        runs=options.runs or base.runs,
        seconds=options.seconds or base.seconds,
        warm_up_s=base.warm_up_s,
        routes=routes,
        route_seconds=base.route_seconds,
        route_warm_up_s=base.route_warm_up_s,
    )


def _chosen(given: list[T] | None, default: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(item for item in default if item in given) if given else default


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
