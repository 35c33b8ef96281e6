"""The tables of the ways through the gateway, with the target for a translation beside them."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.records import Result, RouteRow
from benchmarks.routes.table import CONNECTIONS, ROUTES, Route

TRANSLATION_US = 120.0
"""Target: the most that a translation, there and back, may add to a request."""

_ROUTES = {route.name: route for route in ROUTES}


def route_tables(result: Result) -> list[str]:
    """Headings and tables; nothing where no route was measured."""
    parts: list[str] = []
    for stream in (False, True):
        rows = [(_ROUTES[row.route], row) for row in result.route_rows if _ROUTES[row.route].stream == stream]
        if rows:
            kind = "streams of about 100 events, back to back" if stream else "whole answers"
            parts.append(
                f"### Pass-through, translated, fallback: {kind} (4 KB in, 500 tokens out, {CONNECTIONS} connections)"
            )
            parts.append(_streams(rows) if stream else _whole(rows))
    return parts


def missed_by_routes(result: Result) -> list[str]:
    """A sentence per translation that takes too long."""
    return [
        f"{_ROUTES[row.route].title}: translation {row.translation_us:.0f} µs, target {TRANSLATION_US:g} µs"
        for row in result.route_rows
        if row.translation_us is not None and not _ROUTES[row.route].stream and row.translation_us > TRANSLATION_US
    ]


def _whole(rows: Sequence[tuple[Route, RouteRow]]) -> str:
    heads = ["way", "caller → provider", "CPU µs / request", "of it translation", "its functions", "p50 ms", "p99 ms"]
    heads.append("target")
    lines = [_line(heads), _line(["---", "---", "--:", "--:", "--:", "--:", "--:", "---"])]
    for route, one in rows:
        row = one.row
        if row.void:
            lines.append(_line([route.kind, route.title, f"void: {row.void}"]))
            continue
        alone = f"{one.pure.request_us:.0f} + {one.pure.answer_us:.0f}" if one.pure else ""
        target = ""
        if one.translation_us is not None:
            mark = "✓" if one.translation_us <= TRANSLATION_US else "✗"
            target = f"{mark} translation ≤ {TRANSLATION_US:g} µs"
        lines.append(
            _line(
                [
                    route.kind,
                    route.title,
                    f"{row.cpu_us:,.0f} ({row.cpu_us_min:,.0f}–{row.cpu_us_max:,.0f})",
                    _figure(one.translation_us, 0),
                    alone,
                    f"{row.p50_ms:.2f}",
                    f"{row.p99_ms:.2f}",
                    target,
                ]
            )
        )
    return "\n".join(lines)


def _streams(rows: Sequence[tuple[Route, RouteRow]]) -> str:
    heads = ["way", "caller → provider", "CPU µs / request", "CPU µs / event", "of it translation", "its functions"]
    heads += ["p50 ms", "p99 ms"]
    lines = [_line(heads), _line(["---", "---", *["--:"] * 6])]
    for route, one in rows:
        row = one.row
        if row.void:
            lines.append(_line([route.kind, route.title, f"void: {row.void}"]))
            continue
        lines.append(
            _line(
                [
                    route.kind,
                    route.title,
                    f"{row.cpu_us:,.0f} ({row.cpu_us_min:,.0f}–{row.cpu_us_max:,.0f})",
                    _figure(row.event_us, 1),
                    _figure(one.translation_event_us, 1),
                    _figure(one.pure.event_us if one.pure else None, 1),
                    f"{row.p50_ms:.2f}",
                    f"{row.p99_ms:.2f}",
                ]
            )
        )
    return "\n".join(lines)


def _figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
