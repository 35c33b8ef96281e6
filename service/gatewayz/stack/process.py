"""A child process: started so that it cannot outlive us, logged to a file, stopped within a deadline."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

EXIT_WITH_PARENT = Path(__file__).with_name("exit_with_parent.py")

ROTATE_AT_BYTES = 20_000_000
"""A log that is longer when its process starts becomes ``NAME.log.1``: two starts' worth of the noisiest component."""


def exits_with_parent(command: Sequence[str], death_signal: signal.Signals) -> list[str]:
    """``command`` wrapped so that ``death_signal`` reaches it when this process ends."""
    return [sys.executable, "-I", "-S", str(EXIT_WITH_PARENT), str(int(death_signal)), str(os.getpid()), *command]


def describe_exit(status: int) -> str:
    """An exit status in words: ``exit status 1``, ``killed by SIGKILL``."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def kill_group(pid: int) -> None:
    """SIGKILL to whatever is left of the group that ``pid`` led."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # none left (macOS says "not permitted" of a group of zombies)


@dataclass(frozen=True, slots=True)
class Launch:
    """What to run, and how to know that it runs well."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready_url: str
    """Answers 200 once the process is ready."""
    url: str
    """What other programs talk to, and what a person opens."""
    working_directory: Path
    shown_url: str = ""
    """What the table says instead of ``url``, where a browser would be of no use."""
    grace_s: float = 10.0
    """From the first signal to SIGKILL."""
    ready_timeout_s: float = 0.0
    """Where it may need longer to get ready than the rest of the run."""
    death_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends it when this process ends: the stores survive a KILL, the gateway has workers of its own to end."""


class Child:
    """One running process. Made by ``Child.start``; the call must come from a thread that lives as long as the child should."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path, log_start: int) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._log_start = log_start

    @classmethod
    async def start(cls, name: str, launch: Launch, log: Path) -> Child:
        """Start it in a session of its own (a terminal's Ctrl-C must not reach it), its output appended to ``log``."""
        if log.exists() and log.stat().st_size > ROTATE_AT_BYTES:
            log.replace(log.with_name(log.name + ".1"))
        with log.open("ab") as sink:
            position = sink.seek(0, os.SEEK_END)
            process = await asyncio.create_subprocess_exec(
                *exits_with_parent(launch.command, launch.death_signal),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=launch.working_directory,
                env=dict(launch.environment),
                start_new_session=True,
            )
        return cls(name, process, log, position)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        status = await self._process.wait()
        kill_group(self.pid)  # workers that lost their parent
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself; nothing happens if it has ended."""
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def stop(self, number: signal.Signals, grace_s: float) -> int:
        """Signal, wait, KILL. Returns the exit status; the whole process group is gone then."""
        self.signal(number)
        try:
            return await asyncio.wait_for(self.wait(), grace_s)
        except TimeoutError:
            kill_group(self.pid)
            return await self.wait()
        except asyncio.CancelledError:
            kill_group(self.pid)
            await asyncio.shield(self._process.wait())
            raise

    def last_lines(self, count: int = 15) -> tuple[str, ...]:
        """The end of what this process has written, long lines cut."""
        return last_lines(self.log, self._log_start, count)


def last_lines(path: Path, since: int = 0, count: int = 15) -> tuple[str, ...]:
    """The last lines of a file, none from before byte ``since``."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(since, end - 16_384))
            text = file.read().decode(errors="replace")
    except OSError:
        return ()
    lines = [line for line in text.splitlines() if line.strip()]
    return tuple(line if len(line) <= 400 else line[:399] + "…" for line in lines[-count:])


async def run_tool(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    working_directory: Path | None = None,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    deadline_s: float | None = None,
) -> tuple[int, list[str], list[str]]:
    """Run a short-lived program to its end: exit status, lines of stdout, lines of stderr.

    ``on_line`` sees each line of stderr as it comes. On cancellation, and past the deadline (TimeoutError), the program and all
    that it started are killed first.
    """
    process = await asyncio.create_subprocess_exec(
        *exits_with_parent(command, signal.SIGKILL),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=working_directory,
        env=dict(environment),
        start_new_session=True,
        limit=4_000_000,  # a linker's error message is one very long line
    )
    assert process.stdout is not None  # noqa: S101  # asked for above
    assert process.stderr is not None  # noqa: S101

    async def read(stream: asyncio.StreamReader, on_line: Callable[[str], None] | None) -> list[str]:
        lines: list[str] = []
        async for raw in stream:
            line = raw.decode(errors="replace").rstrip()
            lines.append(line)
            if on_line is not None:
                on_line(line)
        return lines

    try:
        async with asyncio.timeout(deadline_s):
            out, err = await asyncio.gather(read(process.stdout, None), read(process.stderr, on_line))
            status = await process.wait()
    except BaseException:
        kill_group(process.pid)
        await asyncio.shield(process.wait())
        raise
    if log is not None:
        with log.open("a") as sink:
            sink.write(f"$ {' '.join(command)}\n" + "".join(f"{line}\n" for line in err))
    return status, out, err
