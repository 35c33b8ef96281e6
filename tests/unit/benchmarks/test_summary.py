"""The ten lines at the head of docs/performance.md, from the record that the tables are made of."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks import report, summary
from benchmarks.records import Machine, Plan, Result, RouteRow, Row
from benchmarks.subjects import SubjectName

MACHINE = Machine("Some CPU", 2, True, 8, "6.1", "3.11.7", {}, "0.1.0", "2026-11-21 10:00 UTC", 0.1)
PLAN = Plan(("unary", "paced"), (1, 16), ("bare", "off", "on"), 1, 3, 2, 1)


def row(
    shape: str = "unary",
    connections: int = 16,
    subject: SubjectName = "on",
    *,
    cpu_us: float = 350,
    event_us: float | None = None,
    p50_ms: float = 5,
    void: str | None = None,
) -> Row:
    return Row(subject, shape, connections, 3, cpu_us, cpu_us, cpu_us, event_us, 2900, p50_ms, 9, 4, 120, 1, 0.1, void)


def result(*rows: Row, ways: tuple[RouteRow, ...] = ()) -> Result:
    return Result(MACHINE, PLAN, {}, (), rows, (), ways)


WAYS = (
    RouteRow("chat-chat", row("chat-chat", cpu_us=400)),
    RouteRow("chat-messages", row("chat-messages", cpu_us=500), 100),
    RouteRow("chat-gemini", row("chat-gemini", cpu_us=600), 200),
    RouteRow("chat-chat-stream", row("chat-chat-stream", cpu_us=1000, event_us=10)),
    RouteRow("chat-gemini-stream", row("chat-gemini-stream", cpu_us=2000, event_us=20), 1000, 10),
    RouteRow("fallback-asked", row("fallback-asked", cpu_us=700)),
)
WHOLE = result(
    row(),
    row(subject="off", cpu_us=270),
    row(connections=1, p50_ms=0.5),
    row(connections=1, subject="bare", p50_ms=0.2),
    row("paced", event_us=87),
    ways=WAYS,
)


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")][2:]


def test_summary_of_a_full_measurement_has_ten_lines() -> None:
    assert lines(summary.markdown(WHOLE)) == [
        "| CPU for a whole answer | 350 µs | ✓ ≤ 400 µs |",
        "| of it telemetry | 80 µs |  |",
        "| whole answers a second | 2,900 |  |",
        "| time that the gateway adds, median of single calls | 0.30 ms |  |",
        "| 99 % of 16 calls at a time are answered within | 9.0 ms | ✓ ≤ 10 ms |",
        "| CPU for an event of a stream, 16 streams with one each 10 ms | 87 µs | ✗ ≤ 60 µs |",
        "| CPU that a translation adds to a whole answer | 100–200 µs | ✗ ≤ 120 µs, missed by 1 of 2 ways |",
        "| CPU for an event of a stream back to back, passed through; translated | 10; 20 µs |  |",
        "| CPU that a first provider's 503 adds | 300 µs |  |",
        "| memory of a worker | 120 MB |  |",
    ]


def test_what_was_not_measured_or_is_void_is_left_out() -> None:
    assert lines(summary.markdown(result(row("paced", event_us=50), row(void="one request failed")))) == [
        "| CPU for an event of a stream, 16 streams with one each 10 ms | 50 µs | ✓ ≤ 60 µs |",
        "| memory of a worker | 120 MB |  |",
    ]


def test_summary_replaces_what_is_between_its_markers(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(f"before\n{summary.BEGIN}\nold\n{summary.END}\nafter\n")

    summary.write("new\n", document)

    assert document.read_text() == f"before\n{summary.BEGIN}\n\nnew\n\n{summary.END}\nafter\n"


def test_page_begins_with_the_summary_of_the_measurement_that_its_tables_show() -> None:
    page = report.DOCUMENT.read_text()
    head = page.partition(summary.BEGIN)[2].partition(summary.END)[0]
    tables = page.partition(report.BEGIN)[2].partition(report.END)[0]

    assert page.index(summary.BEGIN) < page.index(report.BEGIN)
    assert len(lines(head)) == 10
    taken = re.compile(r"Taken (.+?) on")
    assert taken.findall(head) == taken.findall(tables)
