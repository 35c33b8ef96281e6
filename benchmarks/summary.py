"""The ten lines with which docs/performance.md begins, taken from the same record as the tables below them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.records import Result, Row
from benchmarks.report import DOCUMENT, TARGETS, Target, put_between
from benchmarks.routes.report import TRANSLATION_US
from benchmarks.shapes import Shape
from benchmarks.subjects import SubjectName

BEGIN, END = "<!-- summary: begin -->", "<!-- summary: end -->"


def markdown(result: Result) -> str:
    """When and where, and the table. A line whose runs were left out, or are void, is missing."""
    machine = result.machine
    lines = ["| with telemetry on, on one core | figure | target |", "| --- | --: | --- |"]
    lines += [f"| {line} |" for make in _LINES if (line := make(result)) is not None]
    return f"Taken {machine.taken_at} on {machine.cpu}.\n\n" + "\n".join(lines) + "\n"


def write(text: str, document: Path = DOCUMENT) -> None:
    """Put the table between its markers."""
    put_between(BEGIN, END, text, document)


def _cpu(result: Result) -> str | None:
    row = _row(result, "unary", 16)
    return row and f"CPU for a whole answer | {row.cpu_us:.0f} µs | {_verdict(row, 'CPU per request')}"


def _telemetry(result: Result) -> str | None:
    on, off = _row(result, "unary", 16), _row(result, "unary", 16, "off")
    return on and off and f"of it telemetry | {on.cpu_us - off.cpu_us:.0f} µs | "


def _rate(result: Result) -> str | None:
    row = _row(result, "unary", 16)
    return row and f"whole answers a second | {row.per_second:,.0f} | "


def _added(result: Result) -> str | None:
    on, bare = _row(result, "unary", 1), _row(result, "unary", 1, "bare")
    return on and bare and f"time that the gateway adds, median of single calls | {on.p50_ms - bare.p50_ms:.2f} ms | "


def _slowest(result: Result) -> str | None:
    row = _row(result, "unary", 16)
    return row and f"99 % of 16 calls at a time are answered within | {row.p99_ms:.1f} ms | {_verdict(row, 'p99')}"


def _event(result: Result) -> str | None:
    row = _row(result, "paced", 16)
    return row and (
        f"CPU for an event of a stream, 16 streams with one each 10 ms | {row.event_us or 0:.0f} µs | "
        f"{_verdict(row, 'CPU per event')}"
    )


def _translation(result: Result) -> str | None:
    whole = [figure for row, figure in _translated(result) if row.event_us is None]
    if not whole:
        return None
    late = sum(figure > TRANSLATION_US for figure in whole)
    mark = f"✗ ≤ {TRANSLATION_US:g} µs, missed by {late} of {len(whole)} ways" if late else f"✓ ≤ {TRANSLATION_US:g} µs"
    return f"CPU that a translation adds to a whole answer | {_range(whole)} µs | {mark}"


def _translated_event(result: Result) -> str | None:
    translated = [row.event_us for row, _ in _translated(result) if row.event_us is not None]
    passed = [
        one.row.event_us
        for one in result.route_rows
        if one.translation_us is None and one.row.event_us is not None and not one.row.void
    ]
    if not translated or not passed:
        return None
    return f"CPU for an event of a stream back to back, passed through; translated | {_range(passed)}; {_range(translated)} µs | "


def _fallback(result: Result) -> str | None:
    rows = {one.route: one.row for one in result.route_rows if not one.row.void}
    asked, once = rows.get("fallback-asked"), rows.get("chat-chat")
    return asked and once and f"CPU that a first provider's 503 adds | {asked.cpu_us - once.cpu_us:.0f} µs | "


def _memory(result: Result) -> str | None:
    sizes = [row.pss_mb for row in result.rows if row.subject == "on" and not row.void]
    return f"memory of a worker | {max(sizes):.0f} MB | " if sizes else None


_LINES: Sequence[Callable[[Result], str | None]] = (
    _cpu,
    _telemetry,
    _rate,
    _added,
    _slowest,
    _event,
    _translation,
    _translated_event,
    _fallback,
    _memory,
)


def _row(result: Result, shape: Shape, connections: int, subject: SubjectName = "on") -> Row | None:
    wanted = (shape, connections, subject)
    found = [row for row in result.rows if (row.shape, row.connections, row.subject) == wanted and not row.void]
    return found[0] if found else None


def _translated(result: Result) -> list[tuple[Row, float]]:
    """The rows of translated ways, each with what the translation adds to a request in µs."""
    return [
        (one.row, one.translation_us)
        for one in result.route_rows
        if one.translation_us is not None and not one.row.void
    ]


def _verdict(row: Row, what: str) -> str:
    target: Target = next(one for one in TARGETS if one.what == what and one.applies(row))
    mark = "✓" if target.figure(row) <= target.limit else "✗"
    return f"{mark} ≤ {target.limit:g} {target.unit}"


def _range(figures: Sequence[float]) -> str:
    low, high = f"{min(figures):.0f}", f"{max(figures):.0f}"
    return low if low == high else f"{low}–{high}"
