"""Runs fold into rows, rows into tables with their targets, tables into the document."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks import report
from benchmarks.measure import rows_of
from benchmarks.processes import BenchmarkFailed
from benchmarks.records import Machine, Plan, Result, Run, fold
from benchmarks.shapes import SHAPES
from benchmarks.subjects import SubjectName

MACHINE = Machine(
    cpu="Some CPU",
    cores=2,
    cores_apart=True,
    memory_gb=8,
    kernel="6.1",
    python="3.11.7",
    packages={"uvicorn": "0.54.0"},
    gateway="0.1.0",
    taken_at="2026-11-21 10:00 UTC",
    load_average=0.1,
)


def run(
    subject: SubjectName = "on",
    shape: str = "unary",
    connections: int = 16,
    *,
    cpu_us: float = 300,
    p99_ms: float = 8,
    events: int = 0,
    void: str | None = None,
) -> Run:
    return Run(
        subject=subject,
        shape=shape,
        connections=connections,
        start=1,
        requests=100,
        events=events,
        cpu_us=cpu_us,
        per_second=3000,
        p50_ms=4,
        p99_ms=p99_ms,
        first_byte_p50_ms=3,
        pss_mb=70,
        busy=0.9,
        others_busy=0.2,
        void=void,
    )


def result(*runs: Run, machine: Machine = MACHINE) -> Result:
    plan = Plan(
        shapes=tuple(shape for shape in SHAPES if any(run.shape == shape for run in runs)),
        connections=tuple(dict.fromkeys(run.connections for run in runs)),
        subjects=tuple(dict.fromkeys(run.subject for run in runs)),
        starts=2,
        runs=2,
        seconds=3,
        warm_up_s=1,
    )
    return Result(machine, plan, {"on": 1.5}, runs, rows_of(plan, list(runs)))


def test_a_row_is_the_median_of_its_runs_with_their_spread() -> None:
    row = fold([run(cpu_us=310), run(cpu_us=290), run(cpu_us=900)])

    assert (row.cpu_us, row.cpu_us_min, row.cpu_us_max, row.runs) == (310, 290, 900, 3)
    assert row.event_us is None


def test_the_cost_of_an_event_is_that_of_all_requests_over_all_events() -> None:
    assert fold([run(shape="paced", cpu_us=2000, events=5000)]).event_us == 40


def test_one_void_run_voids_the_row_and_its_figures_are_not_shown() -> None:
    voided = result(run(cpu_us=311), run(cpu_us=312, void="3 of 100 requests failed: status 503"))

    assert [row.void for row in voided.voids] == ["3 of 100 requests failed: status 503"]
    text = report.markdown(voided)
    assert "void: 3 of 100 requests failed: status 503" in text
    assert "311" not in text


def test_targets_met_and_missed_are_marked_on_the_gateway_with_telemetry_alone() -> None:
    text = report.markdown(result(run(cpu_us=399, p99_ms=11), run("off", cpu_us=999, p99_ms=99)))

    assert "✓ CPU per request ≤ 400 µs; ✗ p99 ≤ 10 ms" in text
    assert text.count("≤ 400") == 1


def test_a_missed_target_is_said_in_a_sentence() -> None:
    missed = report.missed(result(run(shape="paced", connections=64, cpu_us=3500, events=5000)))

    assert missed == ["paced at 64 connections: CPU per event 70.0 µs, target 60 µs"]


def test_what_makes_figures_doubtful_is_noted() -> None:
    busy = msgspec.structs.replace(MACHINE, load_average=3.0, cores_apart=False)
    text = report.markdown(result(run(), machine=busy))

    assert "Others were at work" in text
    assert "One core only" in text
    assert "Note" not in report.markdown(result(run()))


def test_the_report_replaces_what_is_between_the_markers(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")

    report.write("new\n", document)
    report.write("newer\n", document)

    assert document.read_text() == f"before\n{report.BEGIN}\n\nnewer\n\n{report.END}\nafter\n"


def test_a_document_without_markers_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("no markers\n")

    with pytest.raises(BenchmarkFailed, match="must hold the lines"):
        report.write("new\n", document)
    assert document.read_text() == "no markers\n"


def test_the_document_of_the_repository_has_the_markers() -> None:
    text = report.DOCUMENT.read_text()

    assert text.count(report.BEGIN) == text.count(report.END) == 1
