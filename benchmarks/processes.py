"""Processes under measurement: started on a core of their own, read through ``/proc``, ended by pid."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchmarkFailed(Exception):
    """The benchmark cannot be carried out; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core the measured program has, and which one everything else shares."""

    measured: int
    others: int

    @property
    def apart(self) -> bool:
        """Whether the two really are two: if not, the latencies include the load generator's own work."""
        return self.measured != self.others


def choose_cores() -> Cores:
    """The last core that we may use for the measured program, the first for the rest."""
    if not hasattr(os, "sched_getaffinity") or not Path("/proc/self/stat").exists():
        raise BenchmarkFailed("The benchmark reads CPU time from /proc and pins processes: it runs on Linux only.")
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(measured=allowed[-1], others=allowed[0])


@contextmanager
def pinned(core: int) -> Generator[None]:
    """Children started inside run on ``core``, from their first instruction on and with every thread."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Child:
    """A process that we started, with all its descendants; leave the ``with`` block and it is gone."""

    def __init__(
        self, command: Sequence[str], *, core: int, log: Path, environment: Mapping[str, str], pipe_stdout: bool = False
    ) -> None:
        self.log = log
        # A session of its own, so that descendants can be ended with it; appended to, so that the log can be cut short.
        with log.open("ab") as output, pinned(core):
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipe_stdout else output,
                stderr=output,
                env=dict(environment),
                start_new_session=True,
            )
        self.pid = self.process.pid

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, patience_s: float = 15) -> None:
        """TERM, then KILL for the whole session; afterwards nothing of it runs."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                if self.process.poll() is None or number == signal.SIGKILL:
                    os.killpg(self.pid, number)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
        if self.process.stdout is not None:
            self.process.stdout.close()

    def cpu_s(self) -> float:
        """User and system time of the whole process tree so far, its threads included, in seconds."""
        return sum(cpu_of_s(pid) for pid in self.tree())

    def pss_mb(self) -> float:
        """Memory of the process tree in MB, pages shared with others counted by share."""
        return sum(pss_of_mb(pid) for pid in self.tree())

    def tree(self) -> list[int]:
        """Pids of the process and its living descendants."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (fields := _stat_fields(int(entry.name))):
                children.setdefault(int(fields[1]), []).append(int(entry.name))
        pids = [self.pid]
        for pid in pids:
            pids.extend(children.get(pid, ()))
        return pids

    def forget_log(self) -> None:
        """Cut the log: a gateway writes a line per request, which over a benchmark makes gigabytes."""
        os.truncate(self.log, 0)

    def last_words(self, lines: int = 8) -> str:
        """The end of the log, for a message about what went wrong."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def died(self) -> bool:
        return self.process.poll() is not None


def cpu_of_s(pid: int) -> float:
    """utime + stime of one process, its ended threads included; 0 if it is gone.

    The kernel's CPU clock of a process is the same sum in nanoseconds (clock_getcpuclockid(3) makes its number so),
    where /proc/pid/stat has ticks of 10 ms: too coarse for a handful of paced streams.
    """
    if sys.platform == "linux":
        try:
            return time.clock_gettime((~pid << 3) | 2)
        except OSError:
            pass
    fields = _stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S if fields else 0.0


def pss_of_mb(pid: int) -> float:
    """Proportional set size in MB; 0 if the process is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) / 1024 if found else 0.0


def _stat_fields(pid: int) -> list[str]:
    """Fields of /proc/pid/stat from the state on (proc(5)'s third); empty if the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    # The name before it is in parentheses and may itself hold spaces and parentheses.
    return text[text.rindex(")") + 2 :].split()


def wait_until(ready: Callable[[], bool], child: Child, what: str, deadline_s: float) -> float:
    """Poll until ``ready()``; the seconds it took. Raises BenchmarkFailed when the child ends first or time is up."""
    begun = time.monotonic()
    while not ready():
        if child.died():
            raise BenchmarkFailed(f"{what} ended with status {child.process.returncode}:\n{child.last_words()}")
        if time.monotonic() - begun > deadline_s:
            raise BenchmarkFailed(f"{what} was not ready after {deadline_s:.0f} s:\n{child.last_words()}")
        time.sleep(0.02)
    return time.monotonic() - begun
