"""Reads the configuration file again when it changes, and at SIGHUP. An invalid file changes nothing but a counter."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Literal, TypeVar

from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType] - one of its stop events is trio's

from gatewayz.config import ConfigurationError

logger = logging.getLogger(__name__)

Result = Literal["applied", "rejected"]
T = TypeVar("T")

DEBOUNCE_MS = 200
"""Editors write a file in several steps; writes that are so close together are one change."""
POLL_MS = 1000
"""The content is compared this often even if the system reports nothing: some file systems never do, and what was written
before the watch was set up is not reported either."""
RETRY_S = 5.0
"""Pause before watching again after the watch itself has failed."""


class Reloader(Generic[T]):
    """Keeps what was made of the file up to date with it.

    ``read`` makes the new state of the whole file, or raises ConfigurationError; ``apply`` puts it in force and must not
    fail. ``record`` is called with the result of each reload.
    """

    def __init__(
        self,
        path: Path | None,
        read: Callable[[], T],
        apply: Callable[[T], None],
        record: Callable[[Result], None],
    ) -> None:
        self._path = path
        self._read = read
        self._apply = apply
        self._record = record
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._on_signal = False
        self._content = _content(path)

    def open(self) -> None:
        """Begin to watch, on the running loop. SIGHUP is handled in the main thread only: elsewhere signals are not ours."""
        if self._path is not None:
            logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it logs every change, we log every reload
            self._task = asyncio.create_task(self._watch(self._path), name="gatewayz-config")
        if threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)
            self._on_signal = True

    async def close(self) -> None:
        if self._on_signal:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        self._stop.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def reload(self) -> Result:
        """Read the file now. On the event loop: a file of kilobytes takes milliseconds, and nothing is in between."""
        self._content = _content(self._path)
        result: Result = "applied"
        try:
            after = self._read()
        except ConfigurationError as error:
            result = "rejected"
            logger.error("configuration rejected, the one before stays in force", extra={"reason": str(error)})  # noqa: TRY400
        except Exception:
            result = "rejected"
            logger.exception("configuration rejected by a defect, the one before stays in force")
        else:
            self._apply(after)
            logger.info("configuration applied", extra={"file": str(self._path or "none")})
        self._record(result)
        return result

    async def _watch(self, path: Path) -> None:
        """The directory is watched, not the file: editors put a new one in its place, and a mounted ConfigMap swaps a link
        further up. So what counts is whether the content is another one."""
        while not self._stop.is_set():
            try:
                async for _ in awatch(
                    path.parent.absolute(),
                    recursive=False,
                    watch_filter=lambda _, changed: _concerns(path, changed),
                    debounce=DEBOUNCE_MS,
                    rust_timeout=POLL_MS,
                    yield_on_timeout=True,
                    stop_event=self._stop,
                ):
                    if _content(path) != self._content:
                        self.reload()
            # The directory is away, the system has no watches left or has lost events: whatever it is, the next try may do.
            except Exception as error:  # noqa: BLE001
                logger.warning("the configuration file is not watched", extra={"reason": str(error)})
                try:
                    async with asyncio.timeout(RETRY_S):
                        await self._stop.wait()
                except TimeoutError:
                    continue


def _concerns(path: Path, changed: str) -> bool:
    """The file itself, or the hidden link through which a ConfigMap is swapped; not a log that happens to lie beside it."""
    name = Path(changed).name
    return name == path.name or name.startswith("..")


def _content(path: Path | None) -> bytes | None:
    try:
        return None if path is None else path.read_bytes()
    except OSError:
        return None
