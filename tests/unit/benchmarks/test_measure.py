"""A measurement yields its rows, and a program whose telemetry does not arrive is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.load.program import Server
from benchmarks.measure import Bench, measure, measure_run, rows_of, warm_up
from benchmarks.processes import BenchmarkFailed, Cores
from benchmarks.records import Plan
from benchmarks.shapes import SHAPES
from benchmarks.subjects import start

PLAN = Plan(SHAPES, (1, 4), ("bare",), starts=1, runs=1, seconds=0.2, warm_up_s=0.1)


def test_the_yardstick_fills_every_row(program: Path, cores: Cores, tmp_path: Path) -> None:
    said: list[str] = []
    runs, started_in_s = measure(PLAN, program, cores, tmp_path, said.append)

    rows = rows_of(PLAN, runs)
    assert [(row.shape, row.connections) for row in rows] == [(shape, n) for shape in SHAPES for n in (1, 4)]
    assert [row.void for row in rows] == [None] * 6
    assert all(row.cpu_us > 0 and row.per_second > 0 and row.pss_mb > 0 for row in rows)
    assert all((row.event_us is None) == (row.shape == "unary") for row in rows)
    assert started_in_s["bare"] > 0
    assert len(said) == 7


def test_a_gateway_whose_spans_do_not_arrive_voids_the_run(
    program: Path, cores: Cores, tmp_path: Path, serve: Callable[[str], Server]
) -> None:
    bench = Bench(program, serve("upstream"), serve("sink"), cores, tmp_path, arrival_s=0.2)
    with start("bare", core=cores.measured, scratch=tmp_path / "bare", upstream="", sink="") as bare:
        silent = replace(bare, name="on")
        run = measure_run(bench, silent, silent.asked("unary"), 1, 0.1, 1)
        assert run.void is not None
        assert f"{run.requests} requests made 0 SERVER spans" in run.void
        with pytest.raises(BenchmarkFailed, match="0 CLIENT spans"):
            warm_up(bench, silent, silent.asked("unary"), 0.1)


def test_a_program_that_answers_otherwise_cannot_be_measured(
    program: Path, cores: Cores, tmp_path: Path, serve: Callable[[str], Server]
) -> None:
    bench = Bench(program, serve("upstream"), serve("sink"), cores, tmp_path)
    with start("bare", core=cores.measured, scratch=tmp_path / "bare", upstream="", sink="") as bare:
        # The sink answers a request that is no export with 400.
        wrong = replace(bare, address=bench.sink.address)
        with pytest.raises(BenchmarkFailed, match="bare does not answer unary: status 400"):
            warm_up(bench, wrong, wrong.asked("unary"), 0.1)


def test_the_gateway_delivers_every_span_and_record_of_a_run(program: Path, cores: Cores, tmp_path: Path) -> None:
    plan = Plan(("unary", "burst"), (2,), ("off", "on"), starts=1, runs=1, seconds=0.3, warm_up_s=0.2)
    runs, _ = measure(plan, program, cores, tmp_path, lambda line: None)

    assert [(run.shape, run.subject, run.void) for run in runs] == [
        ("unary", "off", None),
        ("unary", "on", None),
        ("burst", "off", None),
        ("burst", "on", None),
    ]
    assert all(run.requests > 0 for run in runs)
