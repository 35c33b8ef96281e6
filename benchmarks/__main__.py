"""``python -m benchmarks``: measure the gateway on this machine. ``python -m benchmarks profile``: see where its time goes."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks import machine, measure, report
from benchmarks.processes import BenchmarkFailed, choose_cores
from benchmarks.profiling import profile
from benchmarks.records import Plan, Result
from benchmarks.shapes import SHAPES
from benchmarks.subjects import SUBJECTS
from benchmarks.tool import build

T = TypeVar("T")

RESULTS = Path(__file__).parent / "results"

FULL = Plan(SHAPES, (1, 16, 64), SUBJECTS, starts=2, runs=2, seconds=3.0, warm_up_s=1.0)
QUICK = Plan(SHAPES, (16,), SUBJECTS, starts=1, runs=1, seconds=1.1, warm_up_s=0.5)


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
            shape = plan.shapes[0]
            connections = 16 if options.connections is None else plan.connections[0]
            print(profile(shape, subject, connections, plan.seconds, options.clock, options.lines))
            return 0
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
        runs, started_in_s = measure.measure(plan, program, cores, Path(scratch), _say)
    result = Result(described, plan, started_in_s, tuple(runs), measure.rows_of(plan, runs))
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{described.taken_at.replace(':', '').replace(' ', '-')}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1))
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
    return 1 if result.voids else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("measure", "profile"), default="measure")
    parser.add_argument("--quick", action="store_true", help="one short run of each: does it work at all?")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--shape", action="append", choices=SHAPES, help="only this kind of answer (repeatable)")
    parser.add_argument("--subject", action="append", choices=SUBJECTS, help="only this program (repeatable)")
    parser.add_argument("--connections", action="append", type=int, help="only this many connections (repeatable)")
    parser.add_argument("--starts", type=int, help="process starts")
    parser.add_argument("--runs", type=int, help="runs per start")
    parser.add_argument("--seconds", type=float, help="length of a run, or of the profiled load")
    parser.add_argument("--lines", type=int, default=40, help="profile: functions to list")
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu", help="profile: time used, or time passed")
    return parser.parse_args(arguments)


def _plan(options: argparse.Namespace) -> Plan:
    base = QUICK if options.quick else FULL
    return Plan(
        shapes=_chosen(options.shape, base.shapes),
        connections=tuple(options.connections or base.connections),
        subjects=_chosen(options.subject, base.subjects),
        starts=options.starts or base.starts,
        runs=options.runs or base.runs,
        seconds=options.seconds or base.seconds,
        warm_up_s=base.warm_up_s,
    )


def _chosen(given: list[T] | None, default: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(item for item in default if item in given) if given else default


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
