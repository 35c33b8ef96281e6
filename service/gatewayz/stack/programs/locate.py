"""Is a component's program there already: on PATH, or built before?"""

from __future__ import annotations

import platform
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from gatewayz.stack.process import run_tool
from gatewayz.stack.programs.spec import BuildSpec

PART_KINDS = ("receivers", "processors", "exporters", "connectors", "extensions")

Source = Literal["PATH", "cache", "built"]


@dataclass(frozen=True, slots=True)
class Found:
    """A program that may be run."""

    program: Path
    source: Source
    version: str


def go_platform() -> tuple[str, str]:
    """GOOS and GOARCH of this machine."""
    machine = platform.machine().lower()
    names = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "arm", "i686": "386"}
    return sys.platform, names.get(machine, machine)


def cache_entry(cache_dir: Path, name: str, spec: BuildSpec) -> Path:
    """The directory of the user cache that holds exactly this build, whether it exists or not."""
    return cache_dir / "bin" / f"{name}-{spec.digest(*go_platform())}"


async def locate(
    name: str, spec: BuildSpec, files: Path, cache_dir: Path, environment: Mapping[str, str]
) -> Found | None:
    """A program of exactly the wanted version; None means that it has to be built.

    A program on PATH is run once with ``--version`` (the Collector also with ``components``). When in doubt it is not used:
    a wrong one fails late and confusingly, a build only takes time.
    """
    on_path = await _on_path(name, spec, files, environment)
    if on_path is not None:
        return Found(on_path, "PATH", spec.version)
    entry = cache_entry(cache_dir, name, spec)
    if all((entry / program).is_file() for program in spec.programs.values()):
        return Found(entry / spec.program, "cache", spec.version)
    return None


async def _on_path(name: str, spec: BuildSpec, files: Path, environment: Mapping[str, str]) -> Path | None:
    candidates = ["gatewayz-otelcol", "otelcol"] if name == "collector" else [spec.program]
    for candidate in candidates:
        path = shutil.which(candidate, path=environment.get("PATH"))
        if path is None:
            continue
        text = await ask(path, "--version", environment)
        # Followed by no more of a version: 3.5.0 is not 3.5.0-rc1, nor 3.5.01.
        if not re.search(rf"{re.escape(spec.version_line)}(?![\w.+-])", text):
            continue
        if name == "collector":
            # Every distribution has this name; only one that knows all that our configuration uses will do.
            known = _component_types(await ask(path, "components", environment))
            if not needed_collector_parts(files / "otel-collector") <= known:
                continue
        return Path(path)
    return None


async def ask(program: str, word: str, environment: Mapping[str, str]) -> str:
    """What ``PROGRAM WORD`` prints; empty if it cannot be run or takes too long."""
    try:
        _, out, err = await run_tool([program, word], environment=environment, deadline_s=10)
    except (OSError, TimeoutError):
        return ""
    return "\n".join([*out, *err])


def _component_types(listing: str) -> set[tuple[str, str]]:
    """``(kind, type)`` of everything that ``otelcol components`` lists."""
    try:
        document = msgspec.yaml.decode(listing.encode(), type=dict[str, Any])  # Any: another program's output
        return {
            (kind, entry.name)
            for kind in PART_KINDS
            for entry in msgspec.convert(document.get(kind) or [], type=list[_ListedPart])
        }
    except (msgspec.MsgspecError, ValueError):
        return set()


class _ListedPart(msgspec.Struct):
    name: str


def needed_collector_parts(folder: Path) -> set[tuple[str, str]]:
    """``(kind, type)`` of everything that the Collector's configuration and the files of the stores name."""
    needed: set[tuple[str, str]] = set()
    for path in sorted(folder.glob("*.yaml")):
        document: dict[str, dict[str, object] | None] = yaml.safe_load(path.read_text())
        needed |= {(kind, str(key).partition("/")[0]) for kind in PART_KINDS for key in document.get(kind) or {}}
    return needed
