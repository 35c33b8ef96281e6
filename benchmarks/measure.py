"""The measurement: programs started side by side, loaded in turn, and nothing counted that did not arrive whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.program import ClientResult, Server, SinkCounts, run_client, sink_counts
from benchmarks.processes import BenchmarkFailed, Cores
from benchmarks.records import Plan, Row, Run, fold
from benchmarks.subjects import Asked, Subject, SubjectName, start

WARM_UP_CONNECTIONS = 16

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Bench:
    """The other end, running, and where things are put."""

    program: Path
    upstream: Server
    sink: Server
    cores: Cores
    scratch: Path
    arrival_s: float = 30.0
    """How long telemetry may take to arrive after the last answer: several export intervals of the stock SDK."""


def measure(
    plan: Plan, program: Path, cores: Cores, scratch: Path, say: Say
) -> tuple[list[Run], dict[SubjectName, float]]:
    """All runs of the plan, and how long each program took to its first answer (the best of its starts)."""
    runs: list[Run] = []
    started_in_s: dict[SubjectName, float] = {}
    with ExitStack() as stack:
        upstream = stack.enter_context(Server(program, "upstream", core=cores.others, log=scratch / "upstream.log"))
        sink = stack.enter_context(Server(program, "sink", core=cores.others, log=scratch / "sink.log"))
        bench = Bench(program, upstream, sink, cores, scratch)
        for number in range(1, plan.starts + 1):
            say(f"start {number} of {plan.starts}: {', '.join(plan.subjects)}")
            with ExitStack() as started:
                subjects = [started.enter_context(_start(bench, name, number)) for name in plan.subjects]
                for subject in subjects:
                    known = started_in_s.get(subject.name, subject.started_in_s)
                    started_in_s[subject.name] = min(known, subject.started_in_s)
                    for shape in plan.shapes:
                        warm_up(bench, subject, subject.asked(shape), plan.warm_up_s)
                for subject, asked, connections in _turns(plan, subjects):
                    run = measure_run(bench, subject, asked, connections, plan.seconds, number)
                    say(line(run))
                    runs.append(run)
    return runs, started_in_s


def rows_of(plan: Plan, runs: list[Run]) -> tuple[Row, ...]:
    """One row per kind of answer, number of connections and program, in the plan's order."""
    return tuple(
        fold([run for run in runs if (run.shape, run.connections, run.subject) == (shape, connections, name)])
        for shape in plan.shapes
        for connections in plan.connections
        for name in plan.subjects
    )


def warm_up(bench: Bench, subject: Subject, asked: Asked, seconds: float) -> None:
    """Load that does not count. Raises BenchmarkFailed when the program does not answer as it should: then none will."""
    before = sink_counts(bench.sink.address)
    seen, _ = _load(bench, subject, asked, WARM_UP_CONNECTIONS, seconds)
    if seen.ok != seen.sent:
        raise BenchmarkFailed(
            f"{subject.name} does not answer {asked.name}: {seen.reason}\n{subject.child.last_words()}"
        )
    if subject.name == "on":
        missing = _await_telemetry(bench, before, seen.ok, None)
        if missing:
            raise BenchmarkFailed(f"{subject.name}, {asked.name}: {missing}\n{subject.child.last_words()}")
    subject.child.forget_log()


def measure_run(
    bench: Bench, subject: Subject, asked: Asked, connections: int, seconds: float, start_number: int
) -> Run:
    """One run. The CPU time is read after the last span has arrived, so that all of the export is in it."""
    child = subject.child
    before = sink_counts(bench.sink.address)
    cpu_before_s, others_before_s = child.cpu_s(), _others_cpu_s(bench)
    seen, client_cpu_s = _load(bench, subject, asked, connections, seconds)
    busy_s = child.cpu_s() - cpu_before_s
    others_s = _others_cpu_s(bench) - others_before_s + client_cpu_s
    void = _fault(seen)
    if void is None and subject.name == "on":
        void = _await_telemetry(bench, before, seen.ok, seen.ok * asked.attempts)
    cpu_s = child.cpu_s() - cpu_before_s
    child.forget_log()
    return Run(
        subject=subject.name,
        shape=asked.name,
        connections=connections,
        start=start_number,
        requests=seen.ok,
        events=seen.events,
        cpu_us=cpu_s * 1e6 / max(1, seen.ok),
        per_second=seen.per_second,
        p50_ms=seen.p50_us / 1000,
        p99_ms=seen.p99_us / 1000,
        first_byte_p50_ms=seen.first_byte_p50_us / 1000,
        pss_mb=child.pss_mb(),
        busy=busy_s / max(seen.seconds, 1e-9),
        others_busy=others_s / max(seen.seconds, 1e-9),
        void=void,
    )


def _start(bench: Bench, name: SubjectName, number: int) -> Subject:
    return start(
        name,
        core=bench.cores.measured,
        scratch=bench.scratch / f"{name}-{number}",
        upstream=bench.upstream.address,
        sink=bench.sink.address,
    )


def _turns(plan: Plan, subjects: list[Subject]) -> Iterator[tuple[Subject, Asked, int]]:
    """Programs take turns run by run, each round begun by another, so that what changes on the machine hits all alike."""
    for shape in plan.shapes:
        for connections in plan.connections:
            for turn in range(plan.runs):
                first = turn % len(subjects)
                for subject in subjects[first:] + subjects[:first]:
                    yield subject, subject.asked(shape), connections


def _load(bench: Bench, subject: Subject, asked: Asked, connections: int, seconds: float) -> tuple[ClientResult, float]:
    return run_client(
        bench.program,
        address=subject.address,
        request=asked.request,
        end=asked.end,
        connections=connections,
        seconds=seconds,
        core=bench.cores.others,
    )


def _others_cpu_s(bench: Bench) -> float:
    return bench.upstream.child.cpu_s() + bench.sink.child.cpu_s()


def _fault(seen: ClientResult) -> str | None:
    """Why what the client saw does not count; None if all is well."""
    if not seen.ok:
        return f"nothing was answered: {seen.reason}"
    if seen.ok != seen.sent:
        return f"{seen.sent - seen.ok} of {seen.sent} requests failed: {seen.reason}"
    return None


def _await_telemetry(bench: Bench, before: SinkCounts, requests: int, attempts: int | None) -> str | None:
    """Wait for a SERVER span and a completed record per request, and a CLIENT span per attempt (None: one per request or
    more); what is wrong, or None."""
    least = requests if attempts is None else attempts
    expected = {"SERVER spans": requests, "CLIENT spans": least, "completed records": requests}
    deadline = time.monotonic() + bench.arrival_s
    while True:
        now = sink_counts(bench.sink.address)
        arrived = {
            "SERVER spans": now.server_spans - before.server_spans,
            "CLIENT spans": now.client_spans - before.client_spans,
            "completed records": now.completed_logs - before.completed_logs,
        }
        if all(arrived[what] >= count for what, count in expected.items()) or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    if now.undecodable > before.undecodable:
        return f"{now.undecodable - before.undecodable} exports could not be decoded"
    if attempts is None:
        expected["CLIENT spans"] = max(requests, arrived["CLIENT spans"])
    wrong = [f"{count} {what}" for what, count in arrived.items() if count != expected[what]]
    return f"{requests} requests made {' and '.join(wrong)}" if wrong else None


def line(run: Run) -> str:
    """A run in a line, for whoever waits."""
    figures = f"{run.cpu_us:8.1f} µs  {run.per_second:8.0f}/s  p50 {run.p50_ms:7.2f}  p99 {run.p99_ms:7.2f} ms"
    rest = f"  busy {run.busy:4.0%}, others {run.others_busy:4.0%}"
    return f"  {run.shape:6} {run.connections:3} {run.subject:5} {figures}{rest}" + (
        f"  VOID: {run.void}" if run.void else ""
    )
