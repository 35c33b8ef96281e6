"""A soak for people: the verdict, the trends, and what became of each kind of request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import DOCUMENT, machine_line, put_between
from benchmarks.soak.records import MEMORY_LIMIT, TRUSTWORTHY_MINUTES, SoakResult

BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"


LATE_MS = 500.0
"""A load generator that is later than this had no processor."""


def markdown(result: SoakResult) -> str:
    """The whole report."""
    return (
        "\n\n".join([machine_line(result.machine), _traffic(result), *_notes(result), _trends(result), _kinds(result)])
        + "\n"
    )


def write(text: str, document: Path = DOCUMENT) -> None:
    """Put the report between its markers."""
    put_between(BEGIN, END, text, document)


def _traffic(result: SoakResult) -> str:
    last = result.samples[-1] if result.samples else None
    busy = f", {last.cpu_s / last.at_s:.0%} of a core" if last is not None and last.at_s else ""
    verdict = "nothing grew" if not result.faults() else "not as it should be, see below"
    return (
        f"{result.minutes:g} minutes at {result.rate:g} requests a second on {result.workers} workers{busy}: "
        f"{result.sent:,} requests, {result.unexpected:,} of them not answered as they should be, "
        f"{result.server_spans:,} SERVER spans received. "
        f"Verdict: **{verdict}**."
    )


def _notes(result: SoakResult) -> list[str]:
    notes: list[str] = []
    if result.minutes < TRUSTWORTHY_MINUTES:
        notes.append(f"Trends of less than {TRUSTWORTHY_MINUTES:g} minutes are mostly noise.")
    if result.latest_ms > LATE_MS:
        notes.append(
            f"The load generator was {result.latest_ms:,.0f} ms late at the worst: others were at work on this machine, and what "
            "came too late or not at all says little about the gateway."
        )
    notes += result.faults()
    return [f"**Note.** {note}" for note in notes]


def _trends(result: SoakResult) -> str:
    lines = [
        _line(["worker", "quantity", f"after {result.warm_up_s:.0f} s", "at the end", "trend per 10 min", "target"]),
        _line(["--:", "---", "--:", "--:", "--:", "---"]),
    ]
    for trend in result.trends():
        digits = 1 if trend.what.endswith("MB") else 0
        share = f" ({trend.per_ten_minutes / trend.first:+.2%})" if trend.first else ""
        mark = "✓" if trend.flat else "✗"
        most = f"< {MEMORY_LIMIT:.1%}" if trend.what.endswith("MB") else f"< {trend.limit:.0f}"
        lines.append(
            _line(
                [
                    str(trend.worker),
                    trend.what,
                    f"{trend.first:.{digits}f}",
                    f"{trend.last:.{digits}f}",
                    f"{trend.per_ten_minutes:+.2f}{share}",
                    f"{mark} {most}",
                ]
            )
        )
    return "\n".join(lines)


def _kinds(result: SoakResult) -> str:
    lines = [_line(["kind of request", "sent", "not as expected", "p50 ms", "p99 ms"]), _line(["---", *["--:"] * 4])]
    for tally in result.tallies:
        timed = tally.p99_ms > 0
        lines.append(
            _line(
                [
                    tally.name,
                    f"{tally.sent:,}",
                    f"{tally.sent - tally.as_expected:,}",
                    f"{tally.p50_ms:,.1f}" if timed else "",
                    f"{tally.p99_ms:,.1f}" if timed else "",
                ]
            )
        )
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
