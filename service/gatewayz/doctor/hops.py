"""The results of a hop's check, and how long the check is repeated until it has one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from gatewayz.queries.errors import LeftOut, QueryError

HopState = Literal["ok", "failed", "unknown", "left out"]
"""``unknown``: could not be judged because an earlier hop failed. It is never shown as a success.
``left out``: the running stack does not have that part, by its user's choice."""

POLL_S = 0.25
"""Pause between two looks: well below the seconds that telemetry needs, so that the times printed mean something."""


class Broken(Exception):
    """This link is broken, and waiting will not mend it. The message is one sentence that says what to do."""


class NotYet(Exception):
    """Nothing to see yet. The message is shown if the time runs out."""


class Unknowable(Exception):
    """The check needs something that an earlier hop failed to give."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found at one hop; ``text`` is what was seen, or one sentence with what to do."""

    hop: str
    state: HopState
    took_s: float
    text: str


async def examine(hop: str, check: Callable[[], Awaitable[str]], *, until: float) -> Finding:
    """Repeat ``check`` until it returns what it saw, says that it is broken, or ``until`` (monotonic) has passed.

    It is called at least once, so that a late hop is still checked.
    """
    began = time.monotonic()
    while True:
        state: HopState = "failed"
        retry = False
        try:
            text = await check()
            state = "ok"
        except NotYet as reason:
            text, retry = str(reason), True
        except Broken as reason:
            text = str(reason)
        except Unknowable as reason:
            text, state = str(reason), "unknown"
        except LeftOut as reason:
            text, state = str(reason), "left out"
        except QueryError as reason:
            text, retry = str(reason), reason.temporary
        if not retry or time.monotonic() >= until:
            return Finding(hop, state, time.monotonic() - began, text)
        await asyncio.sleep(POLL_S)
