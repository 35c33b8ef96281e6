"""Where do Go's caches live while we build, and what becomes of them afterwards?

Module and build cache are private and shared between the components of one run: what two of them need is downloaded and
compiled once. They grow to gigabytes, so they go when the run has built all that it needs, also after a failure or Ctrl-C; what
a killed run left behind, the next one removes. ``GATEWAYZ_BUILD_CACHE=DIRECTORY`` keeps them there instead (CI, developers).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gatewayz.stack.lock import FileLock

KEEP_VARIABLE = "GATEWAYZ_BUILD_CACHE"
PREFIX = "building-"


class Workspace:
    """The directories of one run's builds. ``open`` makes them, ``close`` removes them."""

    def __init__(self, root: Path, keep: Path | None, lock: FileLock) -> None:
        self.root = root
        """Scratch space; on the same file system as the cache, so that results can be renamed into it."""
        self.modules = (keep or root) / "mod"
        self.objects = (keep or root) / "cache"
        self._private = keep is None
        self._lock = lock

    @classmethod
    async def open(cls, cache_dir: Path, environment: Mapping[str, str]) -> Workspace:
        """Raises OSError if the cache directory cannot be written."""
        cache_dir.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(_sweep, cache_dir)
        kept = environment.get(KEEP_VARIABLE)
        keep = Path(kept).expanduser().absolute() if kept else None
        root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=cache_dir))
        lock = FileLock(root / "lock")
        lock.try_acquire()
        (root / "tmp").mkdir()
        workspace = cls(root, keep, lock)
        for directory in (workspace.modules, workspace.objects):
            directory.mkdir(parents=True, exist_ok=True)
        return workspace

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """``base`` (with the user's GOPROXY, proxies, certificates) made into that of a reproducible, private build."""
        return {name: value for name, value in base.items() if name not in {"GOROOT", "GOBIN"}} | {
            "GOMODCACHE": str(self.modules),
            "GOCACHE": str(self.objects),
            "GOPATH": str(self.root / "gopath"),
            # The linker writes a second copy of everything there; /tmp is often small.
            "GOTMPDIR": str(self.root / "tmp"),
            "GOTOOLCHAIN": "local",  # never download another Go behind our back
            "GOWORK": "off",
            "GOFLAGS": "-mod=readonly -modcacherw",  # go.sum decides; what is downloaded can be deleted again
            "CGO_ENABLED": "0",
            "GO111MODULE": "on",
        }

    async def clear(self) -> None:
        """Empty the caches, if they are ours alone: where the disk cannot hold those of two components."""
        if self._private:
            for directory in (self.modules, self.objects):
                await asyncio.to_thread(remove_tree, directory)
                directory.mkdir()

    async def close(self) -> None:
        """Remove what is private. Takes seconds: there are a hundred thousand small files."""
        await asyncio.to_thread(remove_tree, self.root)
        self._lock.release()


def remove_tree(directory: Path) -> None:
    """Remove a directory, read-only parts included; what cannot be removed stays."""
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        return
    except PermissionError:
        # Go makes the directories of modules read-only unless this flag is set.
        for parent, _, _ in os.walk(directory):
            Path(parent).chmod(stat.S_IRWXU)
        shutil.rmtree(directory, ignore_errors=True)
    except OSError:
        shutil.rmtree(directory, ignore_errors=True)


def _sweep(cache_dir: Path) -> None:
    """Remove the workspaces of runs that were killed: no process holds their lock any more."""
    for left in cache_dir.glob(f"{PREFIX}*"):
        if not (left / "lock").exists():
            continue  # being made just now
        lock = FileLock(left / "lock")
        if lock.try_acquire():
            remove_tree(left)
            lock.release()


def free_bytes(path: Path) -> int:
    """Free space where ``path`` is or would be."""
    existing = path
    while not existing.exists():
        existing = existing.parent
    return shutil.disk_usage(existing).free


def available_memory_bytes() -> int | None:
    """Memory that a build could take now, container limits respected; None where the system does not report it."""
    limits: list[int] = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                limits.append(int(line.split()[1]) * 1024)
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit.isdecimal():
            limits.append(int(limit) - int((group / "memory.current").read_text()))
    except (OSError, ValueError):
        pass
    if limits:
        return max(0, min(limits))
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2  # macOS: half of what is installed
    except (OSError, ValueError):
        return None
