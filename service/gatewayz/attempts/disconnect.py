"""Has the caller disconnected, and is its call then still waited for?

A provider that was asked for a whole answer makes all of it, and charges for all of it, whether anybody is left to read it or
not. So when the caller disconnects, the gateway still waits for the answer for a while, to learn its usage: an orphaned call. A
stream is closed at once instead: most providers stop there, and what has arrived until then can be counted.
"""

from __future__ import annotations

from gatewayz.config import OrphanPolicy
from gatewayz.records import State


class OrphanedCalls:
    """How many calls of a worker are orphaned now."""

    __slots__ = ("_count", "policy")

    def __init__(self, policy: OrphanPolicy) -> None:
        self.policy = policy
        self._count = 0

    def admit(self) -> float:
        """For how many seconds one more is waited for; 0: it is not, and must not be released."""
        if self._count >= self.policy.max_calls or not self.policy.wait_s:
            return 0.0
        self._count += 1
        return self.policy.wait_s

    def release(self) -> None:
        self._count -= 1


class Disconnect(State):
    """Whether one caller has disconnected. The gateway says when a provider works for it, the endpoint says when it is gone."""

    gone: bool = False
    _orphaned: OrphanedCalls | None = None
    _counted: bool = False

    def whole_answer_began(self, orphaned: OrphanedCalls) -> None:
        """From now on a provider works on a whole answer, which it will charge for."""
        self._orphaned = orphaned

    def attempt_over(self) -> None:
        """No provider works for this caller now."""
        if self._counted and self._orphaned is not None:
            self._counted = False
            self._orphaned.release()
        self._orphaned = None

    def happened(self) -> float:
        """The caller has disconnected. For how many seconds its call may go on as an orphaned one; 0 if it is to end now."""
        self.gone = True
        if self._orphaned is None:
            return 0.0
        seconds = self._orphaned.admit()
        self._counted = seconds > 0
        return seconds
