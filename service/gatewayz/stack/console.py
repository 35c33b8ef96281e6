"""Shows the progress of the stack: moving lines on a terminal, plain ones in a log file."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from gatewayz.stack.view import Progress, Row, State

COLOURS: dict[State, str] = {
    "waiting": "dim",
    "building": "cyan",
    "starting": "cyan",
    "ready": "green",
    "restarting": "yellow",
    "stopped": "dim",
    "failed": "bold red",
}

PLAIN_EVERY_S = 20
"""A log file shows that a build goes on, not each of its thousand packages."""


class TerminalView:
    """One moving line for each part while the stack comes up, notes above them; afterwards a line for each event."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._settled = False

    def note(self, text: str, details: Sequence[str] = ()) -> None:
        self._console.print(Text(text), soft_wrap=True)
        for line in details:
            self._console.print(Text(f"    {line}", style="dim"), soft_wrap=True)

    def progress(self, progress: Progress) -> None:
        if self._settled:
            style = COLOURS[progress.state]
            self._console.print(Text(f"{progress.name:<15} ").append(describe(progress), style=style), soft_wrap=True)
            return
        if self._bars is None:
            self._bars = Bars(
                TextColumn("{task.fields[name]:<15}", markup=False),
                BarColumn(bar_width=20),
                TimeElapsedColumn(),
                TextColumn("{task.fields[text]}", markup=False),
                console=self._console,
                transient=True,
            )
            self._bars.start()
        ready = progress.state == "ready"
        total = 1 if ready else progress.total or None
        done = 1 if ready else progress.done
        name, text = progress.name, describe(progress)
        task = self._tasks.get(progress.name)
        if task is None:
            self._tasks[progress.name] = self._bars.add_task("", total=total, completed=done, name=name, text=text)
        else:
            self._bars.update(task, total=total, completed=done, name=name, text=text)

    def settled(self) -> None:
        self._settled = True
        bars, self._bars = self._bars, None
        if bars is not None:
            bars.stop()


class PlainView:
    """A line per change, without control codes."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._began_s = time.monotonic()
        self._last: dict[str, tuple[str, float]] = {}

    def note(self, text: str, details: Sequence[str] = ()) -> None:
        self._write(f"{text}\n" + "".join(f"    {line}\n" for line in details))

    def progress(self, progress: Progress) -> None:
        now = time.monotonic()
        # The same phase again is worth a line only after a while.
        phase = f"{progress.state} {progress.text.partition(':')[0]}"
        last_phase, last_s = self._last.get(progress.name, ("", 0.0))
        if phase == last_phase and now - last_s < PLAIN_EVERY_S:
            return
        self._last[progress.name] = (phase, now)
        self._write(f"[{now - self._began_s:5.0f} s] {progress.name:<14} {describe(progress)}\n")

    def settled(self) -> None:
        return


def describe(progress: Progress) -> str:
    """``compiling 812 of 1490 packages``, ``ready``."""
    words = progress.text or progress.state
    if progress.total and progress.state == "building":
        words += f" ({progress.done} of {progress.total} packages)"
    return words


def print_table(rows: Sequence[Row], console: Console) -> None:
    """The table of URLs and states; aligned plain text where there is no terminal."""
    if console.is_terminal:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("part", "state", "URL", "version", "found"):
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(row.name, Text(row.state, style=COLOURS[row.state]), row.url, row.version, row.source)
        console.print(table)
        return
    cells = [("part", "state", "URL", "version", "found")]
    cells += [(row.name, row.state, row.url, row.version, row.source) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(5)]
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.print(Text(line.rstrip()), soft_wrap=True)
