"""Writes log lines to stdout without ever making the event loop wait for their reader.

A pipe whose reader stalls blocks its writer. So a thread writes, a bounded queue waits, and beyond the bound the oldest
lines go and are counted. Lines leave in pieces of at most 4096 bytes where they fit: that much is written atomically to a
pipe, so that the lines of two workers do not run into each other (POSIX, PIPE_BUF).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from gatewayz.telemetry.delivery.queue import Account, ByteQueue
from gatewayz.telemetry.delivery.thread import DeadlineThread

PIPE_BYTES = 4096
GATHER_S = 0.05
"""Lines gather so long before a write: a wake-up per line would cost more than the line."""
LINE_OVERHEAD_BYTES = 100
TAKE = 512


class LineWriter:
    """A thread that writes lines to a file descriptor. ``put`` from any thread."""

    def __init__(self, descriptor: int, capacity_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._descriptor = descriptor
        self._clock = clock
        self._queue: ByteQueue[bytes, bytes] = ByteQueue("stdout", capacity_bytes, wake_at=1)
        self._thread = DeadlineThread("gatewayz-stdout", self._run, wake=self._queue.wake.set, clock=clock)

    def start(self) -> None:
        self._thread.start()

    def put(self, line: bytes) -> None:
        """``line`` without its newline."""
        self._queue.put(line, len(line) + LINE_OVERHEAD_BYTES)

    def account(self) -> Account:
        return self._queue.account()

    def flush_until(self, deadline: float) -> None:
        """Write what is there until ``deadline`` (of the clock) and end. Returns at once."""
        self._thread.flush_until(deadline)

    def close(self) -> None:
        """Wait for the flush until its deadline; what is left then is dropped and counted."""
        self._thread.join()
        self._queue.close()

    def _run(self) -> None:
        while not self._thread.closing.is_set():
            self._queue.wake.wait()
            if not self._thread.closing.is_set():
                time.sleep(GATHER_S)
            self._queue.wake.clear()
            self._write_all()
        self._write_all()

    def _write_all(self) -> None:
        while lines := self._queue.take_raw(TAKE):
            piece: list[bytes] = []
            size = 0
            for line in lines:
                if piece and size + len(line) + 1 > PIPE_BYTES:
                    self._write(piece)
                    piece, size = [], 0
                piece.append(line)
                size += len(line) + 1
            self._write(piece)

    def _write(self, lines: list[bytes]) -> None:
        rest = memoryview(b"\n".join(lines) + b"\n")
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                # Another process made the descriptor non-blocking: it is shared with what opened the terminal.
                if self._clock() >= self._thread.deadline:
                    return
                time.sleep(0.02)
            except OSError:
                self._queue.settle(0, len(lines), "broken_pipe")
                return
        self._queue.settle(len(lines))
