"""What waits to be delivered, bounded by bytes, with an account that always balances.

Everything that was ever put in is in exactly one place: delivered, dropped (with a reason), or queued, the batch under way
included. The counts change together under one lock, so that ``emitted = delivered + dropped + queued`` holds at every
moment at which it can be read.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

Raw = TypeVar("Raw")
Ready = TypeVar("Ready")


@dataclass(frozen=True, slots=True)
class Account:
    """One signal's account at one moment. ``emitted == delivered + sum(dropped.values()) + queued``."""

    signal: str
    emitted: int
    delivered: int
    dropped: dict[str, int]
    queued: int


class ByteQueue(Generic[Raw, Ready]):
    """A queue in two stages: items as they were made, then items ready for the wire.

    Producers ``put`` from any thread and never wait; one consumer turns raw items into ready ones and takes batches of
    these. Beyond ``capacity_bytes`` the oldest item that is not under way is dropped and counted.
    """

    def __init__(self, signal: str, capacity_bytes: int, wake_at: int) -> None:
        self.signal = signal
        self.wake = threading.Event()
        """Set when ``wake_at`` items wait, for a consumer that sleeps."""
        self._capacity_bytes = capacity_bytes
        self._wake_at = wake_at
        self._lock = threading.Lock()
        self._raw: deque[tuple[Raw, int]] = deque()
        self._ready: deque[tuple[Ready, int]] = deque()
        self._raw_bytes = 0
        self._ready_bytes = 0
        self._moving = 0
        """Items which the consumer holds: being prepared, or under way."""
        self._moving_bytes = 0
        self._emitted = 0
        self._delivered = 0
        self._dropped: dict[str, int] = {}
        self._closed = False

    def put(self, item: Raw, size: int) -> None:
        """Take an item of about ``size`` bytes."""
        with self._lock:
            self._emitted += 1
            if self._closed:
                self._drop("shutdown", 1)
                return
            self._raw.append((item, size))
            self._raw_bytes += size
            if self._raw_bytes + self._ready_bytes + self._moving_bytes > self._capacity_bytes:
                self._evict()
            waiting = len(self._raw)
        if waiting == self._wake_at:
            self.wake.set()

    def take_raw(self, limit: int) -> list[Raw]:
        """Up to ``limit`` of the oldest raw items; give each back with ``made_ready`` or ``give_up``."""
        items: list[Raw] = []
        with self._lock:
            while self._raw and len(items) < limit:
                item, size = self._raw.popleft()
                self._raw_bytes -= size
                items.append(item)
            self._moving += len(items)
        return items

    def made_ready(self, items: list[tuple[Ready, int]]) -> None:
        """Items from ``take_raw``, encoded, with the bytes which they now take."""
        with self._lock:
            if self._closed:
                return
            self._moving -= len(items)
            self._ready.extend(items)
            self._ready_bytes += sum(size for _, size in items)
            if self._raw_bytes + self._ready_bytes + self._moving_bytes > self._capacity_bytes:
                self._evict()

    def take_batch(self, limit: int, limit_bytes: int) -> list[Ready]:
        """The oldest ready items, at most ``limit`` and ``limit_bytes`` (but at least one). They count as
        queued until ``settle``; the consumer has one batch at a time."""
        items: list[Ready] = []
        with self._lock:
            taken = 0
            while self._ready and len(items) < limit and (not items or taken + self._ready[0][1] <= limit_bytes):
                item, size = self._ready.popleft()
                taken += size
                items.append(item)
            self._ready_bytes -= taken
            self._moving_bytes = taken
            self._moving += len(items)
        return items

    def settle(self, delivered: int, dropped: int = 0, reason: str = "") -> None:
        """The batch is done with: so many were accepted, so many given up."""
        with self._lock:
            if self._closed:
                return
            self._moving -= delivered + dropped
            self._moving_bytes = 0
            self._delivered += delivered
            if dropped:
                self._drop(reason, dropped)

    def give_up_batch(self, reason: str) -> None:
        """Whatever the consumer holds is lost to a failure of its own."""
        with self._lock:
            if self._closed or not self._moving:
                return
            self._drop(reason, self._moving)
            self._moving = self._moving_bytes = 0

    def give_up(self, count: int, reason: str) -> None:
        """So many raw items that were taken could not be made ready."""
        with self._lock:
            if self._closed:
                return
            self._moving -= count
            self._drop(reason, count)

    def close(self) -> None:
        """From now on everything that waits or comes is dropped for ``shutdown``. So is the batch under way: whether it
        arrived is unknown, and what the consumer still reports about it is ignored."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            remaining = len(self._raw) + len(self._ready) + self._moving
            self._raw.clear()
            self._ready.clear()
            self._raw_bytes = self._ready_bytes = self._moving_bytes = self._moving = 0
            if remaining:
                self._drop("shutdown", remaining)

    def account(self) -> Account:
        with self._lock:
            queued = len(self._raw) + len(self._ready) + self._moving
            return Account(self.signal, self._emitted, self._delivered, dict(self._dropped), queued)

    def _evict(self) -> None:
        dropped = 0
        while self._raw_bytes + self._ready_bytes + self._moving_bytes > self._capacity_bytes:
            if self._ready:
                self._ready_bytes -= self._ready.popleft()[1]
            elif self._raw:
                self._raw_bytes -= self._raw.popleft()[1]
            else:
                break
            dropped += 1
        if dropped:
            self._drop("overflow", dropped)

    def _drop(self, reason: str, count: int) -> None:
        self._dropped[reason] = self._dropped.get(reason, 0) + count
