"""The result for people: tables with the targets beside them, and their place in docs/performance.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import BenchmarkFailed
from benchmarks.records import Machine, Result, Row
from benchmarks.routes.report import missed_by_routes, route_tables
from benchmarks.shapes import Shape, title
from benchmarks.subjects import label

DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"

OTHERS_FULL = 0.9
"""Above this share of its core the load generator, not the gateway, sets the pace."""

LOAD_NOTICED = 0.5


@dataclass(frozen=True, slots=True)
class Target:
    """What the gateway with telemetry on should stay under."""

    shape: Shape
    connections: tuple[int, ...]
    """Where it holds. Not at 1: every wake-up then serves a single request, which doubles even the bare answer's cost."""
    what: str
    unit: str
    limit: float

    def applies(self, row: Row) -> bool:
        return row.subject == "on" and row.shape == self.shape and row.connections in self.connections

    def figure(self, row: Row) -> float:
        match self.what:
            case "CPU per request":
                return row.cpu_us
            case "CPU per event":
                return row.event_us or 0.0
            case _:
                return row.p99_ms


TARGETS = (
    Target("unary", (16, 64), "CPU per request", "µs", 400),
    Target("unary", (16,), "p99", "ms", 10),
    Target("paced", (16, 64), "CPU per event", "µs", 60),
)


def markdown(result: Result) -> str:
    """The whole report."""
    parts = [machine_line(result.machine), _plan(result), *_warnings(result)]
    for shape in result.plan.shapes:
        parts.append(f"### {title(shape)}")
        parts.append(_table([row for row in result.rows if row.shape == shape], streamed=shape != "unary"))
    parts += route_tables(result)
    if result.started_in_s:
        parts.append(_start_up(result))
    return "\n\n".join(parts) + "\n"


def missed(result: Result) -> list[str]:
    """A sentence per target that was missed."""
    return [
        f"{row.shape} at {row.connections} connections: {target.what} {target.figure(row):.1f} {target.unit}, "
        f"target {target.limit:g} {target.unit}"
        for row in result.rows
        for target in TARGETS
        if target.applies(row) and target.figure(row) > target.limit
    ] + missed_by_routes(result)


def write(text: str, document: Path = DOCUMENT) -> None:
    """Put the report between the markers of the document; everything else in it stays as it is."""
    put_between(BEGIN, END, text, document)


def put_between(begin: str, end: str, text: str, document: Path) -> None:
    """Replace what is between two lines of the document. Raises BenchmarkFailed where they are not there once each."""
    whole = document.read_text()
    if whole.count(begin) != 1 or whole.count(end) != 1 or whole.index(begin) > whole.index(end):
        raise BenchmarkFailed(f"{document.name} must hold the lines {begin} and {end}, once each and in this order.")
    head, _, rest = whole.partition(begin)
    _, _, tail = rest.partition(end)
    document.write_text(f"{head}{begin}\n\n{text}\n{end}{tail}")


def machine_line(machine: Machine) -> str:
    """When, on what and with what the figures were taken."""
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return (
        f"Taken {machine.taken_at} on {machine.cpu}, {machine.cores} cores, {machine.memory_gb:.0f} GB, "
        f"Linux {machine.kernel}, Python {machine.python}; GatewayZ {machine.gateway}, {packages}."
    )


def _plan(result: Result) -> str:
    plan = result.plan
    along = f" ({plan.route_seconds:g} s for each way through the gateway)" if plan.routes else ""
    if plan.starts * plan.runs == 1:
        return (
            f"One run of {plan.seconds:g} s each{along}. CPU is µs of user and system time of the whole process tree."
        )
    return (
        f"Median of {plan.starts * plan.runs} runs of {plan.seconds:g} s{along} over {plan.starts} process starts, "
        "the programs taking turns. CPU is µs of user and system time of the whole process tree; "
        "in brackets the lowest and highest run."
    )


def _warnings(result: Result) -> list[str]:
    warnings: list[str] = []
    if result.plan.starts * result.plan.runs < 3:
        warnings.append("A quick look, not a measurement: fewer than three runs.")
    if not result.machine.cores_apart:
        warnings.append("One core only: the latencies and rates hold the load generator's own work as well.")
    if result.machine.load_average > LOAD_NOTICED:
        warnings.append(
            f"Others were at work on this machine (load average {result.machine.load_average:.1f} before the start): "
            "latencies and rates are too bad by an unknown amount."
        )
    everything = (*result.rows, *(one.row for one in result.route_rows))
    full = [f"{row.shape}/{row.connections}/{row.subject}" for row in everything if row.others_busy > OTHERS_FULL]
    if full:
        rows = ", ".join(full)
        warnings.append(f"The load generator's core was full in {rows}: rates and latencies there are its limits.")
    return [f"**Note.** {warning}" for warning in warnings]


def _table(rows: list[Row], *, streamed: bool) -> str:
    heads = ["connections", "program", "CPU µs / request", "requests/s", "p50 ms", "p99 ms", "memory MB", "target"]
    if streamed:
        heads[3:3] = ["CPU µs / event"]
        heads[-2:-2] = ["first byte p50 ms"]
    lines = [_line(heads), _line(["--:", "---", *["--:"] * (len(heads) - 3), "---"])]
    lines += [_line(_cells(row, streamed=streamed)) for row in rows]
    return "\n".join(lines)


def _cells(row: Row, *, streamed: bool) -> list[str]:
    if row.void:
        return [str(row.connections), label(row.subject), f"void: {row.void}"]
    cells = [
        str(row.connections),
        label(row.subject),
        f"{row.cpu_us:,.0f} ({row.cpu_us_min:,.0f}–{row.cpu_us_max:,.0f})",
        f"{row.per_second:,.0f}",
        f"{row.p50_ms:.2f}",
        f"{row.p99_ms:.2f}",
        f"{row.pss_mb:.0f}",
        "; ".join(_verdict(target, row) for target in TARGETS if target.applies(row)),
    ]
    if streamed:
        cells[3:3] = [f"{row.event_us or 0:.1f}"]
        cells[-2:-2] = [f"{row.first_byte_p50_ms:.2f}"]
    return cells


def _verdict(target: Target, row: Row) -> str:
    mark = "✓" if target.figure(row) <= target.limit else "✗"
    return f"{mark} {target.what} ≤ {target.limit:g} {target.unit}"


def _start_up(result: Result) -> str:
    times = ", ".join(f"{label(name)} {seconds:.2f} s" for name, seconds in result.started_in_s.items())
    return f"From the start of the process to its first answer: {times}."


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
