"""What a benchmark yields: runs, rows (medians of runs), and the whole result as it is kept in JSON."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec

from benchmarks.shapes import Shape
from benchmarks.subjects import SubjectName


class Plan(msgspec.Struct, frozen=True):
    """How much is measured."""

    shapes: tuple[Shape, ...]
    connections: tuple[int, ...]
    subjects: tuple[SubjectName, ...]
    starts: int
    """Process starts: one program differs by 15 % from start to start."""
    runs: int
    """Runs per start."""
    seconds: float
    """Length of a run."""
    warm_up_s: float
    """Per kind of answer and start, before anything counts."""
    routes: tuple[str, ...] = ()
    """Ways through the gateway (routes.py), each a row as well."""
    route_seconds: float = 1.2
    """Length of a run of those, which are many."""
    route_warm_up_s: float = 0.4


class Run(msgspec.Struct, frozen=True):
    """One run of one program."""

    subject: SubjectName
    shape: str
    """A kind of answer, or the name of a route."""
    connections: int
    start: int
    requests: int
    events: int
    cpu_us: float
    """User and system time of the program's process tree per completed request."""
    per_second: float
    p50_ms: float
    p99_ms: float
    first_byte_p50_ms: float
    pss_mb: float
    busy: float
    """Share of its core that the program used."""
    others_busy: float
    """Share of the other core that load generator, upstream and sink used."""
    void: str | None = None
    """Why the run does not count."""


class Row(msgspec.Struct, frozen=True):
    """Runs of one kind, folded: medians, and the spread of the CPU figure."""

    subject: SubjectName
    shape: str
    connections: int
    runs: int
    cpu_us: float
    cpu_us_min: float
    cpu_us_max: float
    event_us: float | None
    """CPU per server-sent event; streams only."""
    per_second: float
    p50_ms: float
    p99_ms: float
    first_byte_p50_ms: float
    pss_mb: float
    busy: float
    others_busy: float
    void: str | None = None


class TranslationCost(msgspec.Struct, frozen=True):
    """What the pure functions of one translation take, in µs of CPU."""

    request_us: float
    answer_us: float
    """Of a whole answer."""
    event_us: float
    """Of a stream's event, the mean over all kinds."""

    @property
    def unary_us(self) -> float:
        return self.request_us + self.answer_us


class RouteRow(msgspec.Struct, frozen=True):
    """What a way through the gateway costs, and what of that the translation does."""

    route: str
    row: Row
    translation_us: float | None = None
    """Per request: the median of the differences to the same call without translation, taken in the same turn."""
    translation_event_us: float | None = None
    """The same per event delivered."""
    pure: TranslationCost | None = None


class Machine(msgspec.Struct, frozen=True):
    """Where and with what the figures were taken."""

    cpu: str
    cores: int
    cores_apart: bool
    memory_gb: float
    kernel: str
    python: str
    packages: dict[str, str]
    gateway: str
    taken_at: str
    load_average: float
    """Runnable processes in the minute before the start: far above 0 means that others were at work."""


class Result(msgspec.Struct, frozen=True):
    """Everything of one benchmark."""

    machine: Machine
    plan: Plan
    started_in_s: dict[SubjectName, float]
    runs: tuple[Run, ...]
    rows: tuple[Row, ...]
    route_runs: tuple[Run, ...] = ()
    route_rows: tuple[RouteRow, ...] = ()

    @property
    def voids(self) -> list[Row]:
        return [row for row in (*self.rows, *(one.row for one in self.route_rows)) if row.void]


def fold(runs: Sequence[Run]) -> Row:
    """The row of these runs, which are of one kind. One void run voids the row."""
    cpu = [run.cpu_us for run in runs]
    events = [run.cpu_us * run.requests / run.events for run in runs if run.events]
    first = runs[0]
    return Row(
        subject=first.subject,
        shape=first.shape,
        connections=first.connections,
        runs=len(runs),
        cpu_us=statistics.median(cpu),
        cpu_us_min=min(cpu),
        cpu_us_max=max(cpu),
        event_us=statistics.median(events) if events else None,
        per_second=statistics.median(run.per_second for run in runs),
        p50_ms=statistics.median(run.p50_ms for run in runs),
        p99_ms=statistics.median(run.p99_ms for run in runs),
        first_byte_p50_ms=statistics.median(run.first_byte_p50_ms for run in runs),
        pss_mb=statistics.median(run.pss_mb for run in runs),
        busy=statistics.median(run.busy for run in runs),
        others_busy=statistics.median(run.others_busy for run in runs),
        void=next((run.void for run in runs if run.void), None),
    )
