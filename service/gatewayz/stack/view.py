"""What does the person at the terminal get to see? The port; console.py prints it, tests and programs see nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["waiting", "building", "starting", "ready", "restarting", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the start of one process of the stack is."""

    name: str
    state: State
    text: str = ""
    done: int = 0
    total: int = 0
    """0: there is nothing to count."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the closing table."""

    name: str
    state: State
    url: str
    version: str
    source: str


class View(Protocol):
    """Where the runner reports what it does. Called from the event loop, so it must not block."""

    def note(self, text: str, details: Sequence[str] = ()) -> None:
        """A sentence worth keeping on the screen."""
        ...

    def progress(self, progress: Progress) -> None: ...

    def settled(self) -> None:
        """The start is over, one way or the other: what comes now are single events."""
        ...


class SilentView:
    """For tests and for programs that use the stack without a terminal."""

    def note(self, text: str, details: Sequence[str] = ()) -> None:
        return

    def progress(self, progress: Progress) -> None:
        return

    def settled(self) -> None:
        return
