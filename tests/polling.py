"""Waiting for something that comes in its own time, without sleeping longer than needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 30.0
"""Generous: a loaded machine is no failure."""


def eventually(look: Callable[[], T | None], *, deadline_s: float = DEADLINE_S, every_s: float = 0.05) -> T:
    """What ``look`` returns as soon as that is true. AssertionError with its last value after ``deadline_s``."""
    until = time.monotonic() + deadline_s
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > until:
            raise AssertionError(f"not within {deadline_s} s; last seen: {seen!r}")
        time.sleep(every_s)
