"""How has this provider done for this model in the last five minutes? Candidates are ordered by it."""

from __future__ import annotations

WINDOW_S = 300.0
_SLOTS = 10
_SLOT_S = WINDOW_S / _SLOTS

FEW = 5
"""Fewer attempts than this say nothing."""
FAILING_SHARE = 0.5
RECENT_S = 30.0
"""A failure longer ago is no reason to avoid a candidate: a primary must be back within half a minute of its recovery."""

RECENTLY_OK_S = 10.0
"""An answer shows for this long that a candidate works."""

_NEWEST = 0.2
"""Weight of the newest measurement: one outlier moves the average by a fifth, ten measurements replace it."""


class Health:
    """Counts of a sliding window, and how long answers take to begin. Times are seconds of a monotonic clock."""

    __slots__ = ("_answered_at_s", "_failed", "_failed_at_s", "_latency_s", "_measured_at_s", "_slot", "_total")

    def __init__(self) -> None:
        self._slot = -1
        self._total = [0] * _SLOTS
        self._failed = [0] * _SLOTS
        self._failed_at_s = float("-inf")
        self._answered_at_s = float("-inf")
        # Two, because a stream is measured to its first chunk and a whole answer to its end.
        self._latency_s = [0.0, 0.0]
        self._measured_at_s = [float("-inf")] * 2

    def record(self, now_s: float, *, failed: bool) -> None:
        self._move(now_s)
        slot = self._slot % _SLOTS
        self._total[slot] += 1
        if failed:
            self._failed[slot] += 1
            self._failed_at_s = now_s
            self._answered_at_s = float("-inf")
        else:
            self._answered_at_s = now_s

    def measured(self, now_s: float, latency_s: float, *, stream: bool) -> None:
        """A stream took so long to its first chunk, or a whole answer to its end."""
        self._answered_at_s = now_s
        known = self._latency_s[stream]
        if now_s - self._measured_at_s[stream] > WINDOW_S:
            self._latency_s[stream] = latency_s
        else:
            self._latency_s[stream] = known + (latency_s - known) * _NEWEST
        self._measured_at_s[stream] = now_s

    def latency_s(self, now_s: float, *, stream: bool) -> float | None:
        """The moving average; None when nothing was measured in the window."""
        return self._latency_s[stream] if now_s - self._measured_at_s[stream] <= WINDOW_S else None

    def availability(self, now_s: float) -> float:
        """Share of the window's attempts that did not fail; 1 where there were too few to tell."""
        self._move(now_s)
        total = sum(self._total)
        return 1.0 - sum(self._failed) / total if total >= FEW else 1.0

    def failing(self, now_s: float) -> bool:
        """At least half of the attempts failed, and one of them lately."""
        return now_s - self._failed_at_s < RECENT_S and self.availability(now_s) <= FAILING_SHARE

    def recently_ok(self, now_s: float) -> bool:
        """It has just answered, and has not failed since."""
        return now_s - self._answered_at_s < RECENTLY_OK_S

    def recovered(self) -> None:
        """A probe has succeeded: what was counted before does not matter any more."""
        self._total = [0] * _SLOTS
        self._failed = [0] * _SLOTS
        self._failed_at_s = float("-inf")

    def _move(self, now_s: float) -> None:
        slot = int(now_s / _SLOT_S)
        if slot != self._slot:
            for passed in range(max(self._slot + 1, slot - _SLOTS + 1), slot + 1):
                self._total[passed % _SLOTS] = self._failed[passed % _SLOTS] = 0
            self._slot = slot
