"""A soak sees growth where there is some, and every request that went otherwise than it should."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.load.program import SoakTally
from benchmarks.report import DOCUMENT
from benchmarks.soak import report as soak_report
from benchmarks.soak.mix import KINDS
from benchmarks.soak.records import Sample, SoakResult
from benchmarks.soak.run import WORKERS, soak
from tests.unit.benchmarks.test_report import MACHINE

OK = SoakTally("chat", 1000, 1000, "", 1.0, 9.0)


def sample(at_s: float, pss_mb: float = 130.0, *, descriptors: int = 100, pid: int = 7) -> Sample:
    uss_mb, cpu_s = pss_mb - 8, at_s / 2
    return Sample(pid, at_s, pss_mb, uss_mb, descriptors, threads=24, tasks=90, objects=9000, series=400, cpu_s=cpu_s)


def result(*samples: Sample, tally: SoakTally = OK, spans: int = 1000) -> SoakResult:
    return SoakResult(MACHINE, 30, 200, 1, samples, (tally,), spans)


def test_memory_that_only_breathes_is_flat() -> None:
    breathing = result(*(sample(at, 130 + 0.3 * (at // 10 % 2)) for at in range(0, 1800, 10)))

    assert breathing.faults() == []
    assert "Verdict: **nothing grew**" in soak_report.markdown(breathing)


def test_what_grows_before_the_warm_up_is_over_does_not_count() -> None:
    warming = result(*(sample(at, 100 + min(at, 299) / 10) for at in range(0, 1800, 10)))

    assert warming.faults() == []


def test_a_slow_leak_is_found_and_named() -> None:
    leaking = result(*(sample(at, 130 + at / 600) for at in range(0, 1800, 10)))

    assert [fault.split(" grew by")[0] for fault in leaking.faults()] == ["worker 1: PSS, MB", "worker 1: USS, MB"]
    assert "✗ < 0.5%" in soak_report.markdown(leaking)


def test_files_left_open_are_found() -> None:
    leaking = result(*(sample(at, descriptors=100 + at // 10) for at in range(0, 1800, 10)))

    assert [fault.split(" grew by")[0] for fault in leaking.faults()] == ["worker 1: open files"]


def test_files_that_come_and_go_with_the_traffic_are_none() -> None:
    busy = result(*(sample(at, descriptors=60 + at * 7919 % 241) for at in range(0, 1800, 10)))

    assert busy.faults() == []


def test_each_worker_is_judged_by_itself() -> None:
    samples = [sample(at, 130 - at / 600, pid=7) for at in range(0, 1800, 10)]
    samples += [sample(at, 130 + at / 600, pid=8) for at in range(0, 1800, 10)]

    assert [fault.split(":")[0] for fault in result(*samples).faults()] == ["worker 2", "worker 2"]


def test_a_request_that_went_otherwise_is_a_fault() -> None:
    samples = [sample(at) for at in range(0, 1800, 10)]
    wrong = result(*samples, tally=SoakTally("chat", 1000, 998, "status 500", 1.0, 9.0))

    assert wrong.faults() == ["chat: 2 of 1000 went otherwise (status 500)"]
    assert result(*samples, spans=999).faults() == ["1000 requests made 999 SERVER spans"]


def test_a_soak_of_seconds_says_nothing_about_growth() -> None:
    assert result(sample(0), sample(10)).faults() == ["too short to say anything about growth"]


def test_the_report_has_its_place_in_the_document(tmp_path: Path) -> None:
    copy = tmp_path / "performance.md"
    copy.write_text(DOCUMENT.read_text())

    soak_report.write("told\n", copy)

    assert f"{soak_report.BEGIN}\n\ntold\n\n{soak_report.END}" in copy.read_text()


def test_half_of_the_mix_is_streamed() -> None:
    assert sum(kind.weight for kind in KINDS) == 100
    assert sum(kind.weight for kind in KINDS if kind.stream) == 50


def test_a_short_soak_sends_every_kind_and_each_goes_as_it_should() -> None:
    said: list[str] = []
    seen = soak(0.1, 30, said.append)

    assert [tally.name for tally in seen.tallies] == [kind.name for kind in KINDS]
    assert [(tally.name, tally.reason) for tally in seen.tallies if tally.as_expected != tally.sent] == []
    assert all(tally.sent > 0 for tally in seen.tallies)
    assert seen.server_spans == seen.sent
    assert len({one.pid for one in seen.samples}) == WORKERS
    assert all(one.pss_mb > one.uss_mb > 0 and one.descriptors and one.threads and one.tasks for one in seen.samples)
    assert msgspec.json.decode(msgspec.json.encode(seen), type=SoakResult) == seen
