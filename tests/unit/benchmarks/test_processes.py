"""Processes are pinned, read and ended as promised."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks.processes import BenchmarkFailed, Child, Cores, pinned, wait_until
from tests.polling import eventually

ENVIRONMENT = {"PATH": os.environ.get("PATH", "")}


def python(script: str, cores: Cores, log: Path) -> Child:
    return Child([sys.executable, "-c", script], core=cores.measured, log=log, environment=ENVIRONMENT)


BUSY = "import time\nwhile time.process_time() < 0.3: pass\ntime.sleep(60)"


def test_cpu_time_covers_descendants(cores: Cores, tmp_path: Path) -> None:
    script = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {BUSY!r}])\ntime.sleep(60)"
    with python(script, cores, tmp_path / "log") as child:
        assert eventually(lambda: child.cpu_s() >= 0.3, deadline_s=10)
        assert len(child.tree()) == 2
        assert child.pss_mb() > 1


def test_a_stopped_child_leaves_no_descendant(cores: Cores, tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "time.sleep(60)\n"
    )
    with python(script, cores, tmp_path / "log") as child:
        assert eventually(lambda: len(child.tree()) == 2, deadline_s=10)
        pids = child.tree()
    assert eventually(lambda: not any(alive(pid) for pid in pids), deadline_s=10)


def alive(pid: int) -> bool:
    """Running: a zombie that nobody has waited for yet is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_runs_on_its_core_and_we_stay_where_we_were(cores: Cores, tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    with python("import time; time.sleep(60)", cores, tmp_path / "log") as child:
        assert os.sched_getaffinity(child.pid) == {cores.measured}
    assert os.sched_getaffinity(0) == before


def test_pinning_ends_with_its_block_even_on_an_error(cores: Cores) -> None:
    before = os.sched_getaffinity(0)

    def fails() -> None:
        with pinned(cores.others):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - raised two lines above
        fails()
    assert os.sched_getaffinity(0) == before


def test_waiting_for_a_child_that_ends_shows_its_last_words(cores: Cores, tmp_path: Path) -> None:
    with (
        python("import sys; sys.exit('the port is taken')", cores, tmp_path / "log") as child,
        pytest.raises(BenchmarkFailed, match=r"The gateway ended with status 1:\nthe port is taken"),
    ):
        wait_until(lambda: False, child, "The gateway", 20)


def test_waiting_has_a_deadline(cores: Cores, tmp_path: Path) -> None:
    with (
        python("import time; time.sleep(60)", cores, tmp_path / "log") as child,
        pytest.raises(BenchmarkFailed, match="was not ready"),
    ):
        wait_until(lambda: False, child, "The gateway", 0.1)
