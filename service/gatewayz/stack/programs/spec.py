"""What does a component's folder say about building and recognising it? (``build/``, with ``component.yaml``)"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gatewayz.stack.errors import StackError


@dataclass(frozen=True, slots=True)
class Cost:
    """What building it alone from empty caches takes on two cores: shown to the user beforehand, so it has to be honest."""

    seconds: int
    download_mb: int
    disk_mb: int
    """Peak of module and build cache, freed afterwards."""
    memory_mb: int
    """Peak of the compiler and the linker."""
    binary_mb: int
    """Stays in the user cache."""


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """How to make a component's programs from its pinned modules."""

    folder: Path
    """Holds go.mod, go.sum and any sources."""
    title: str
    version: str
    version_line: str
    """What ``PROGRAM --version`` prints if it is this very program: others share some of the names."""
    programs: Mapping[str, str]
    """Go package → name of the program; the first is the one that runs."""
    tags: tuple[str, ...]
    link_variables: Mapping[str, str]
    cost: Cost

    @property
    def program(self) -> str:
        return next(iter(self.programs.values()))

    @property
    def ldflags(self) -> str:
        # -s -w: no symbol tables; they double the size, and these binaries are not debugged here.
        return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in sorted(self.link_variables.items()))])

    def digest(self, goos: str, goarch: str) -> str:
        """Names the result by everything that goes into it; equal digests mean interchangeable programs.

        The Go release is left out: go.mod states the oldest that will do, and any newer one makes the same program.
        """
        recipe = {
            "programs": dict(self.programs),
            "tags": self.tags,
            "ldflags": self.ldflags,
            "platform": [goos, goarch],
        }
        inputs = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode())
        sources = sorted(p for p in self.folder.rglob("*") if p.suffix == ".go" or p.name in {"go.mod", "go.sum"})
        for path in sources:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            inputs.update(f"\n{path.relative_to(self.folder).as_posix()} {content}".encode())
        return inputs.hexdigest()[:32]


def read_spec(folder: Path) -> BuildSpec:
    """The description in the component's ``folder``. Raises StackError naming the file and what is wrong with it."""
    path = folder / "build" / "component.yaml"
    try:
        raw: dict[str, Any] = yaml.safe_load(path.read_text())  # Any: YAML; every value is converted below
        cost: dict[str, Any] = raw["cost"]
        programs: dict[str, Any] = raw["programs"]
        variables: dict[str, Any] = raw.get("link_variables") or {}
        return BuildSpec(
            folder=folder / "build",
            title=str(raw["title"]),
            version=str(raw["version"]),
            version_line=str(raw["version_line"]),
            programs={str(package): str(name) for package, name in programs.items()},
            tags=tuple(str(tag) for tag in raw.get("tags") or ()),
            link_variables={str(name): str(value) for name, value in variables.items()},
            cost=Cost(
                seconds=int(cost["build_s"]),
                download_mb=int(cost["download_mb"]),
                disk_mb=int(cost["build_disk_mb"]),
                memory_mb=int(cost["build_memory_mb"]),
                binary_mb=int(cost["binary_mb"]),
            ),
        )
    except OSError as error:
        raise StackError(f"{path} cannot be read: {error.strerror}.") from None
    except KeyError as error:
        raise StackError(f"{path} lacks the entry {error}.") from None
    except (yaml.YAMLError, TypeError, ValueError, AttributeError) as error:
        raise StackError(f"{path} is not a component description: {error}") from None
