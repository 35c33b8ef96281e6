"""The gateway with several workers, each of which writes down now and then what is alive in it.

Run as ``python -m benchmarks.soak.gateway PORT WORKERS DIRECTORY``. Tasks and objects cannot be counted from outside;
everything else about the workers is as ``gatewayz serve`` has it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path

import msgspec
import uvicorn

from gatewayz.app import App
from gatewayz.dataplane.http import Receive, Scope, Send
from gatewayz.server.run import KEEP_ALIVE_S, create_worker

DIRECTORY = "GATEWAYZ_BENCHMARKS_WATCHED"
EVERY_S = 5.0


class Inside(msgspec.Struct, frozen=True):
    """What is alive in a worker."""

    tasks: int
    objects: int
    """Containers that the garbage collector knows, those of the start left out."""


class Watched:
    """The application, and a timer beside it."""

    def __init__(self, app: App, directory: Path) -> None:
        self._app = app
        self._file = directory / f"{os.getpid()}.json"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._write(asyncio.get_running_loop())
        await self._app(scope, receive, send)

    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        inside = Inside(len(asyncio.all_tasks(loop)), len(gc.get_objects()))
        made = self._file.with_suffix(".new")
        made.write_bytes(msgspec.json.encode(inside))
        made.replace(self._file)  # whole or not at all: somebody may be reading
        loop.call_later(EVERY_S, self._write, loop)


def read_inside(directory: Path) -> dict[int, Inside]:
    """The latest of each worker, by pid."""
    return {
        int(file.stem): msgspec.json.decode(file.read_bytes(), type=Inside) for file in sorted(directory.glob("*.json"))
    }


def create_watched() -> Watched:
    """What each worker process calls."""
    return Watched(create_worker(), Path(os.environ[DIRECTORY]))


if __name__ == "__main__":
    os.environ["GATEWAYZ_PORT"], os.environ[DIRECTORY] = sys.argv[1], sys.argv[3]
    uvicorn.run(
        "benchmarks.soak.gateway:create_watched",
        factory=True,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        workers=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
