"""What a hop's check may end in, and the patience with which it is repeated until it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

HopState = Literal["ok", "failed", "unknown"]
"""``unknown``: could not be judged because an earlier hop failed. It is never shown as a success."""

POLL_S = 0.25
"""Pause between two looks: well below the seconds that telemetry needs, so that the times printed mean something."""


class Broken(Exception):
    """This link is broken, and waiting will not mend it. The message is one sentence that says what to do."""


class NotYet(Exception):
    """Nothing to see yet. The message is what to say when the patience ends."""


class Unknowable(Exception):
    """The check needs something that an earlier hop failed to give."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found at one hop; ``text`` is what was seen, or one sentence with what to do."""

    hop: str
    state: HopState
    took_s: float
    text: str


def examine(hop: str, check: Callable[[], str], *, until: float) -> Finding:
    """Repeat ``check`` until it returns what it saw, says that it is broken, or ``until`` (monotonic) has passed.

    It is called at least once, so that a late hop still gets an honest look.
    """
    began = time.monotonic()
    while True:
        try:
            seen = check()
            return Finding(hop, "ok", time.monotonic() - began, seen)
        except NotYet as reason:
            if time.monotonic() >= until:
                return Finding(hop, "failed", time.monotonic() - began, str(reason))
        except Broken as reason:
            return Finding(hop, "failed", time.monotonic() - began, str(reason))
        except Unknowable as reason:
            return Finding(hop, "unknown", time.monotonic() - began, str(reason))
        time.sleep(POLL_S)
