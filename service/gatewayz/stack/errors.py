"""The error of a stack that cannot be started or kept running."""

from __future__ import annotations


class StackError(Exception):
    """The stack cannot be started or kept. ``str()`` is one sentence for the person at the terminal: what failed and what to do.

    ``details`` are lines that back the sentence (the last log lines of a dead child, a compiler's message); they are shown
    below it, indented, and never stand alone.
    """

    def __init__(self, sentence: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.details = details
