"""A stack in miniature: component folders and programs on PATH that start in no time."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewayz.stack.options import StackOptions
from gatewayz.stack.ports import Ports
from gatewayz.stack.view import Progress

FAKE = Path(__file__).with_name("fake_program.py")

FOLDERS = {
    "otel-collector": ("otelcol", "otelcol version 9.9.9"),
    "prometheus": ("prometheus", "prometheus, version 9.9.9"),
    "jaeger": ("jaeger", "jaeger, version 9.9.9"),
    "victoria-logs": ("victoria-logs", "victoria-logs, version 9.9.9"),
    "alertmanager": ("alertmanager", "alertmanager, version 9.9.9"),
    "redis-exporter": ("redis_exporter", "redis_exporter, version 9.9.9"),
}

PROVIDED = ("tempo", "loki")
"""Folders whose programs only the user can provide."""

COMPONENT = """\
title: {program}
version: "9.9.9"
version_line: "{line}"
programs: {{".": {program}}}
tags: [netgo]
link_variables: {{main.version: "9.9.9"}}
cost: {{build_s: 10, download_mb: 1, build_disk_mb: 100, build_memory_mb: 100, binary_mb: 2}}
"""

PROVIDED_COMPONENT = """\
title: {title}
program: {program}
version_words: "{program}, version"
oldest: "9.8"
home: https://{program}.example
"""


@dataclass(frozen=True, slots=True)
class Miniature:
    """Where it lies, and what can be asked of it."""

    root: Path

    @property
    def files(self) -> Path:
        return self.root / "files"

    @property
    def programs(self) -> Path:
        return self.root / "programs"

    def journal(self) -> list[str]:
        """``NAME started``, ``NAME was told to end``, ``NAME ended``, in the order of happening."""
        try:
            return (self.programs / "journal").read_text().splitlines()
        except FileNotFoundError:
            return []

    def behave(self, program: str, mode: str) -> None:
        """How ``program`` behaves from its next start on."""
        (self.programs / f"{program}.mode").write_text(mode)

    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}", "HOME": str(self.root)}

    def options(self, **chosen: Any) -> StackOptions:
        """Options for this stack; nothing outside of it is touched."""
        defaults: dict[str, Any] = {
            "data_dir": self.root / "data",
            "ports": Ports.free(),
            "last_scrape_s": 0.0,
            "ready_timeout_s": 20.0,
            "program": (sys.executable, "-I", "-S", str(self.programs / "gateway")),
            "environment": self.environment(),
            "cache_dir": self.root / "cache",
            "files_dir": self.files,
        }
        return StackOptions(**(defaults | chosen))


def build_miniature(root: Path) -> Miniature:
    """Write the folders and the programs under ``root``."""
    miniature = Miniature(root)
    miniature.programs.mkdir()
    for folder, (program, line) in FOLDERS.items():
        build = miniature.files / folder / "build"
        build.mkdir(parents=True)
        (build / "component.yaml").write_text(COMPONENT.format(program=program, line=line))
        (build / "go.mod").write_text(f"module gatewayz/{program}\n\ngo 1.26.0\n")
        (build / "main.go").write_text('package main\n\nfunc main() { println("built for real") }\n')
        add_program(miniature, program)
    for program in PROVIDED:  # the folder only: a test that wants the program adds it
        folder = miniature.files / program
        folder.mkdir()
        (folder / "component.yaml").write_text(PROVIDED_COMPONENT.format(title=program.title(), program=program))
    (miniature.files / "victoria-logs" / "victoria-logs.env").write_text("# fixed\nVL_fixed=1\nVL_other=2\n")
    (miniature.files / "otel-collector" / "config.yaml").write_text("receivers: {otlp: {protocols: {grpc: }}}\n")
    (miniature.files / "prometheus" / "prom.yml").write_text("{}\n")
    add_program(miniature, "gateway")
    return miniature


def add_program(miniature: Miniature, name: str) -> Path:
    """Put the miniature program onto PATH under this name."""
    path = miniature.programs / name
    path.write_text(f"#!{sys.executable} -IS\n{FAKE.read_text()}")
    path.chmod(0o755)
    return path


class Recorder:
    """A view that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.events: list[Progress] = []

    def note(self, text: str, details: Sequence[str] = ()) -> None:
        self.notes.append("\n".join([text, *details]))

    def progress(self, progress: Progress) -> None:
        self.events.append(progress)

    def settled(self) -> None:
        return


def alive(pid: int) -> bool:
    """Whether the process is there and not just a zombie."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
