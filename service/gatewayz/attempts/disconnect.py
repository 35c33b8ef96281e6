"""Whether anybody still waits for an answer, and what is done about a whole answer that nobody will read.

A provider that has been asked for a whole answer makes all of it, and charges for all of it, whoever is left to hear it. So when
its caller leaves, the answer is still awaited for a while, for the sake of its usage. A stream is closed
at once instead: most providers stop there, and what has come until then can be counted.
"""

from __future__ import annotations

from gatewayz.records import Record


class LeavePolicy(Record, frozen=True):
    """How long and how often an answer is awaited that nobody will read."""

    await_s: float = 60.0
    max_awaited: int = 64


class Awaited:
    """How many such answers a worker awaits now."""

    __slots__ = ("_count", "policy")

    def __init__(self, policy: LeavePolicy) -> None:
        self.policy = policy
        self._count = 0

    def admit(self) -> float:
        """Seconds for which one more is awaited; 0: it is not, and nothing has to be released."""
        if self._count >= self.policy.max_awaited or not self.policy.await_s:
            return 0.0
        self._count += 1
        return self.policy.await_s

    def release(self) -> None:
        self._count -= 1


class Presence:
    """One caller. The gateway says what it is doing for him, whoever listens to his connection says when he has left."""

    __slots__ = ("_awaited", "_counted", "gone")

    def __init__(self) -> None:
        self.gone = False
        self._awaited: Awaited | None = None
        self._counted = False

    def charged_whole(self, awaited: Awaited) -> None:
        """From now on a provider is at work on a whole answer."""
        self._awaited = awaited

    def over(self) -> None:
        """No provider is, any more."""
        if self._counted and self._awaited is not None:
            self._counted = False
            self._awaited.release()
        self._awaited = None

    def leave(self) -> float:
        """The caller has left: for how many seconds his call may go on without him, 0 if it is to end now."""
        self.gone = True
        if self._awaited is None:
            return 0.0
        seconds = self._awaited.admit()
        self._counted = seconds > 0
        return seconds
