"""The gateway as one worker under cProfile. Run as ``python -m benchmarks.profile.gateway PORT STATS_FILE cpu|wall``.

``GET /benchmarks/profile/start`` begins, ``GET /benchmarks/profile/stop`` ends and writes: the event loop's thread to
STATS_FILE, all other threads (the exporters) to STATS_FILE.threads. Both live in front of the application, here and
not in the product.
"""

from __future__ import annotations

import cProfile
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

import uvicorn

from gatewayz.app import App, create_app
from gatewayz.config import load_settings
from gatewayz.dataplane.http import Receive, Scope, Send

Clock = Callable[[], float]


def own_clock(kind: str) -> Clock:
    """The clock of the calling thread, which others may read too: a thread's profile is ended by another one."""
    if kind == "wall":
        return time.perf_counter
    return partial(time.clock_gettime, time.pthread_getcpuclockid(threading.get_ident()))


class ThreadProfiles:
    """A profile of its own for every thread started after ``install``; each begins when ``wanted`` is set.

    cProfile can only be switched on from inside the thread it watches, so a thread looks at ``wanted`` whenever it
    calls something, until it is on.
    """

    def __init__(self, clock: str) -> None:
        self._clock = clock
        self.wanted = False
        self.profiles: list[cProfile.Profile] = []

    def install(self) -> None:
        threading.setprofile(self._look)

    def _look(self, frame: FrameType, event: str, argument: object) -> None:
        if not self.wanted:
            return
        profile = cProfile.Profile(own_clock(self._clock))
        self.profiles.append(profile)
        profile.enable()


class Profiled:
    """The application, with the two switches in front."""

    def __init__(self, app: App, stats: str, clock: str) -> None:
        self._app = app
        self._stats = stats
        self._loop = cProfile.Profile(own_clock(clock))
        self._threads = ThreadProfiles(clock)
        self._threads.install()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path")
        if path == "/benchmarks/profile/start":
            await _answer(send)
            self._threads.wanted = True
            self._loop.enable()
        elif path == "/benchmarks/profile/stop":
            self._loop.disable()
            self._loop.dump_stats(self._stats)
            for number, profile in enumerate(self._threads.profiles):
                profile.dump_stats(f"{self._stats}.thread{number}")
            await _answer(send)
        else:
            await self._app(scope, receive, send)


async def _answer(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    os.environ["GATEWAYZ_PORT"] = sys.argv[1]
    uvicorn.run(
        Profiled(create_app(load_settings(), os.environ), sys.argv[2], sys.argv[3]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        proxy_headers=False,
    )
