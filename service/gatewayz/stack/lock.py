"""Which process may go on? Advisory locks on files; the system releases them when their holder dies, however it dies."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType


class FileLock:
    """An exclusive lock on ``path``. Children do not inherit it (Python opens files close-on-exec).

    ``passing``: the file goes with the lock, since it will not be needed later.
    """

    def __init__(self, path: Path, *, passing: bool = False) -> None:
        self._path = path
        self._passing = passing
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """True if the lock is now ours, False if another process holds it."""
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The last holder may have removed the file between our open and our lock: then the lock is on a removed file.
                if os.fstat(descriptor).st_ino == self._path.stat().st_ino:
                    self._descriptor = descriptor
                    return True
            except BlockingIOError:
                os.close(descriptor)
                return False
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    async def acquire(self, waiting: Callable[[], None]) -> None:
        """Returns with the lock held; ``waiting`` is called once if another process holds it."""
        reported = False
        while not self.try_acquire():
            if not reported:
                waiting()
                reported = True
            await asyncio.sleep(0.5)

    def release(self) -> None:
        """Let go. Harmless if not held."""
        if self._descriptor is None:
            return
        if self._passing:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
