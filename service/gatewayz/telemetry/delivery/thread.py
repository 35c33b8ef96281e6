"""A thread that delivers until it is asked to end, and may then go on until a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class DeadlineThread:
    """Runs ``run`` on a daemon thread. ``start`` it after fork."""

    def __init__(
        self,
        name: str,
        run: Callable[[], None],
        *,
        wake: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``wake`` ends a wait of ``run`` that does not look at ``closing``."""
        self.closing = threading.Event()
        """Set: deliver what is there, then return."""
        self.deadline = float("inf")
        """When to break off, by ``clock``."""
        self._clock = clock
        self._wake = wake
        self._thread = threading.Thread(target=run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def flush_until(self, deadline: float) -> None:
        """Ask it to deliver what is there until ``deadline`` and to end. Returns at once."""
        self.deadline = deadline
        self.closing.set()
        if self._wake is not None:
            self._wake()

    def left_s(self) -> float:
        """Seconds until the deadline; never below 0."""
        return max(0.0, self.deadline - self._clock())

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for its end: until the deadline, or ``timeout_s`` seconds."""
        self._thread.join(self.left_s() if timeout_s is None else timeout_s)
