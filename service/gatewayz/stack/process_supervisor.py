"""One process of the stack: is it up, and what happens when it ends?"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gatewayz.stack.errors import StackError
from gatewayz.stack.process import Child, Launch, describe_exit
from gatewayz.stack.readiness import answers
from gatewayz.stack.view import Progress, State, View

POLL_S = 0.1

MAX_DEATHS = 5
DEATHS_WINDOW_S = 60.0
"""A process that dies more often than this will not recover by being started once more."""

FIRST_PAUSE_S = 0.5
"""Doubles with each death in the window."""


@dataclass(frozen=True, slots=True)
class SupervisionPolicy:
    """How a process is supervised."""

    ready_timeout_s: float
    restart: bool
    """Start it again when it dies after it was ready."""


def shortened(line: str, length: int = 160) -> str:
    """A log line among other things on a screen."""
    return line if len(line) <= length else line[: length - 1] + "…"


class ProcessSupervisor:
    """Supervises the gateway or a component: starts it, polls it until it is ready, restarts it when it dies, stops it.

    ``changed`` is called after each change of ``state``; ``given_up`` when it has died and is not restarted.
    """

    def __init__(
        self,
        name: str,
        log: Path,
        policy: SupervisionPolicy,
        view: View,
        changed: Callable[[], None],
        given_up: Callable[[str], None],
    ) -> None:
        self.name = name
        self.log = log
        self.state: State = "waiting"
        self.launch: Launch | None = None
        self.version = ""
        self.source = ""
        self._policy = policy
        self._view = view
        self._changed = changed
        self._given_up = given_up
        self._child: Child | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._deaths: deque[float] = deque()

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        child = self._child
        return child.pid if child is not None and child.status is None else None

    async def start(self, launch: Launch | None = None) -> None:
        """Start ``launch`` (by default what ran last time) and return when it is ready.

        Raises StackError with its last log lines if it ends or does not get ready; it is not running then.
        """
        self.launch = launch or self.launch
        self._deaths.clear()
        self._set("starting")
        try:
            await self._spawn()
        except StackError:
            self._set("failed")
            raise
        self._watcher = asyncio.create_task(self._watch(), name=f"watch {self.name}")

    def fail(self) -> None:
        """It cannot be started: there is no program for it."""
        self._set("failed", "failed")

    async def stop(self, number: signal.Signals = signal.SIGTERM, *, at_once: bool = False) -> None:
        """Signal, wait, KILL after its grace (or ``at_once``). It stays down until ``start``."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
        child, launch = self._child, self.launch
        if child is not None and launch is not None:
            if at_once:
                number = signal.SIGKILL
            await child.stop(number, launch.grace_s)
        if self.state == "failed":
            return
        if child is None:
            self.state = "stopped"  # it never ran: nothing to show
        else:
            self._set("stopped")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; if it dies of it, that is a death like any other."""
        if self._child is not None:
            self._child.signal(number)

    async def _spawn(self) -> None:
        launch = self.launch
        if launch is None:
            raise StackError(f"{self.name} has never been started, so it cannot be started again.")
        self._child = child = await Child.start(self.name, launch, self.log)
        self._changed()  # the process id, for stack.json
        began_s = time.monotonic()
        timeout_s = max(self._policy.ready_timeout_s, launch.ready_timeout_s)
        while True:
            if child.status is not None:
                await child.wait()
                raise StackError(
                    f"{self.name} ended while it was starting ({describe_exit(child.status)}). "
                    f"Its log is {self.log}; the last lines:",
                    child.last_lines() or ("(it wrote nothing)",),
                )
            if await answers(launch.ready_url):
                break
            if time.monotonic() - began_s > timeout_s:
                await child.stop(signal.SIGTERM, launch.grace_s)
                raise StackError(
                    f"{self.name} was not ready after {timeout_s:.0f} s "
                    f"({launch.ready_url} did not answer 200) and was stopped. Its log is {self.log}; the last lines:",
                    child.last_lines() or ("(it wrote nothing)",),
                )
            await asyncio.sleep(POLL_S)
        self._set("ready", f"ready after {time.monotonic() - began_s:.1f} s")

    async def _watch(self) -> None:
        while True:
            child = self._child
            assert child is not None  # noqa: S101  # started before it is watched
            status = await child.wait()
            now = time.monotonic()
            self._deaths.append(now)
            while now - self._deaths[0] > DEATHS_WINDOW_S:
                self._deaths.popleft()
            last = not self._policy.restart or len(self._deaths) > MAX_DEATHS
            what = "It is not started again" if last else "Starting it again"
            # An orderly end was requested, so it needs no long explanation.
            lines = tuple(shortened(line) for line in child.last_lines(5 if status else 1))
            where = f"Its log is {self.log}{'; the last lines:' if lines else '.'}"
            self._view.note(f"{self.name} has ended ({describe_exit(status)}). {what}. {where}", lines)
            if last:
                self._set("failed", "failed")
                self._given_up(self.name)
                return
            self._set("restarting")
            await asyncio.sleep(FIRST_PAUSE_S * 2 ** (len(self._deaths) - 1))
            try:
                await self._spawn()
                self._view.note(f"{self.name} is back.")
            except StackError as error:
                self._view.note(str(error), error.details)

    def _set(self, state: State, text: str = "") -> None:
        self.state = state
        self._view.progress(Progress(self.name, state, text))
        self._changed()
