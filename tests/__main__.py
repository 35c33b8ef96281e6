"""``python -m tests``: every test, in two pytest processes side by side, which take half the time.

The second half waits much (for stores to come back, for timeouts to end) and the first computes much, so that they hardly get
in each other's way. The first is seen as it runs; what the second said, and goes on to say, follows. The last line counts both.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

SECOND_HALF = ("tests/stack", "tests/unit/stack", "tests/contract/faults")
PYTEST = (sys.executable, "-m", "pytest")
_COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)\b")


def main() -> int:
    """Exit status: the worse of both."""
    began_s = time.monotonic()
    first = [*PYTEST, *(f"--ignore={folder}" for folder in SECOND_HALF)]
    second = [*PYTEST, "-o", "cache_dir=.pytest_cache/second", *SECOND_HALF]
    with tempfile.TemporaryDirectory(prefix="gatewayz-tests-") as scratch:
        report = Path(scratch) / "first"
        log = Path(scratch) / "second"
        with log.open("wb") as output:
            beside = subprocess.Popen(second, stdout=output, stderr=subprocess.STDOUT)
        try:
            ahead = _shown(first, report)
            print("\nThe second half, which ran beside it:", flush=True)
            _follow(beside, log)
        finally:
            if beside.poll() is None:
                beside.send_signal(signal.SIGINT)  # it ends what its tests have started
            beside.wait()
        counts = counted([report.read_text(errors="replace"), log.read_text(errors="replace")])
    print(f"\n{line(counts)} in {time.monotonic() - began_s:.0f} s")
    return max(ahead, beside.returncode, key=abs)


def counted(reports: Iterable[str]) -> Counter[str]:
    """What the last lines of pytest's reports add up to."""
    total: Counter[str] = Counter()
    for report in reports:
        lines = [one for one in report.splitlines() if _COUNT.search(one) and " in " in one]
        for number, word in _COUNT.findall(lines[-1]) if lines else ():
            total["errors" if word == "error" else word] += int(number)
    return total


def line(counts: Counter[str]) -> str:
    """For people and for scripts: ``N passed, N failed``, and whatever else there was."""
    others = [word for word in counts if word not in ("passed", "failed")]
    return ", ".join(f"{counts[word]} {word}" for word in ("passed", "failed", *others))


def _shown(command: list[str], report: Path) -> int:
    """Runs it; what it says goes to the terminal and into the file."""
    with (
        report.open("wb") as kept,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process,
    ):
        said = cast("BufferedReader", process.stdout)
        while data := said.read1():
            _show(data)
            kept.write(data)
        return process.wait()


def _follow(process: subprocess.Popen[bytes], log: Path) -> None:
    with log.open("rb") as told:
        while process.poll() is None:
            _show_rest(told)
            time.sleep(0.2)
        _show_rest(told)


def _show_rest(told: BinaryIO) -> None:
    while data := told.read(65_536):
        _show(data)


def _show(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
