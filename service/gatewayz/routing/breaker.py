"""May this provider be called for this model now? One circuit breaker per provider and model, in each worker.

    closed ──(n failures in a row, or a share of a minute's attempts)──▶ open ──(time is up)──▶ half open
       ▲                                                                  ▲                        │
       └───────────────────────(the one probe began to answer)────────────┼────────────────────────┤
                                                                          └──(it failed: twice as long)

A half-open breaker lets one attempt at a time through, as a probe. A probe that is cancelled frees its place at once, one that
hangs loses it after ``probe_s``, so a breaker is never stuck. The next opening is short again only after an attempt has
succeeded, not after a probe has merely begun to answer: a provider that cuts every stream is left alone for longer and longer.
"""

from __future__ import annotations

from gatewayz.config import BreakerPolicy
from gatewayz.records import BreakerState

_SLOTS = 6
"""Parts of the window; the oldest is dropped as a whole."""


class Breaker:
    """Times are the caller's monotonic clock, in seconds; nothing here reads one."""

    __slots__ = (
        "_failures",
        "_in_a_row",
        "_level",
        "_open",
        "_policy",
        "_probe_until_s",
        "_slot",
        "_totals",
        "open_until_s",
        "probe",
    )

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._open = False
        self._in_a_row = 0
        self._level = 0
        self.open_until_s = 0.0
        self.probe = 0
        """Number of the latest probe: an attempt that holds an older one has lost its place."""
        self._probe_until_s = 0.0
        self._slot = -1
        self._totals = [0] * _SLOTS
        self._failures = [0] * _SLOTS

    def state(self, now_s: float) -> BreakerState:
        if not self._open:
            return "closed"
        return "open" if now_s < self.open_until_s else "half_open"

    def may_call(self, now_s: float) -> bool:
        return not self._open or (now_s >= self.open_until_s and now_s >= self._probe_until_s)

    def retry_after_s(self, now_s: float) -> float:
        """Seconds until another attempt may be allowed; 0 when one is allowed now."""
        return max(0.0, self.open_until_s - now_s, self._probe_until_s - now_s) if self._open else 0.0

    def enter(self, now_s: float) -> int:
        """An attempt begins, right after ``may_call`` returned True. Returns the probe's number, 0 where it is no probe."""
        if not self._open:
            return 0
        self.probe += 1
        self._probe_until_s = now_s + self._policy.probe_s
        return self.probe

    def began(self, probe: int) -> bool:
        """The attempt's answer has begun. True if that closes the breaker."""
        if not self._open or not probe or probe != self.probe:
            return False
        self._close()
        return True

    def succeeded(self, now_s: float, probe: int) -> bool:
        """The attempt has succeeded. True if that closes the breaker."""
        self._in_a_row = 0
        if self._open:
            return self.began(probe)
        self._level = 0
        self._count(now_s, failed=False)
        return False

    def failed(self, now_s: float, probe: int) -> bool:
        """The attempt has failed through the provider's fault. True if that opens the breaker (again)."""
        if self._open:
            if probe and probe == self.probe:
                self._trip(now_s)
                return True
            if now_s < self.open_until_s:
                # This attempt was under way when the breaker opened: it prolongs the opening, but does not escalate it.
                self.open_until_s = max(self.open_until_s, now_s + self._open_s(self._level - 1))
            return False
        self._in_a_row += 1
        self._count(now_s, failed=True)
        policy = self._policy
        total = sum(self._totals)
        often = total >= policy.min_attempts and sum(self._failures) >= policy.failure_share * total
        if self._in_a_row < policy.consecutive_failures and not often:
            return False
        self._trip(now_s)
        return True

    def abandoned(self, probe: int) -> None:
        """The attempt ended without a verdict, as when its caller disconnected. The next one may probe at once."""
        if self._open and probe and probe == self.probe:
            self._probe_until_s = 0.0

    def _trip(self, now_s: float) -> None:
        self._open = True
        self.open_until_s = now_s + self._open_s(self._level)
        self._level += 1
        self._probe_until_s = 0.0

    def _close(self) -> None:
        self._open = False
        self._in_a_row = 0
        self._probe_until_s = 0.0
        self._totals = [0] * _SLOTS
        self._failures = [0] * _SLOTS

    def _open_s(self, level: int) -> float:
        first_s = self._policy.open_s
        return max(first_s, min(self._policy.max_open_s, first_s * 2.0 ** min(max(level, 0), 32)))

    def _count(self, now_s: float, *, failed: bool) -> None:
        slot = int(now_s * _SLOTS / self._policy.window_s)
        if slot != self._slot:
            for passed in range(max(self._slot + 1, slot - _SLOTS + 1), slot + 1):
                self._totals[passed % _SLOTS] = self._failures[passed % _SLOTS] = 0
            self._slot = slot
        self._totals[slot % _SLOTS] += 1
        self._failures[slot % _SLOTS] += failed
