"""Where does this run of the stack take place, and what does a component get of the environment?"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gatewayz.stack.options import StackOptions
from gatewayz.stack.ports import Ports

LOOPBACK = "127.0.0.1"

INHERITED = frozenset({"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"})
"""All that a component gets of our environment besides variables of its own prefix: provider keys and OTEL_* settings are the
gateway's business."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where this run of the stack takes place; all paths absolute."""

    options: StackOptions
    files: Path
    data: Path

    @property
    def ports(self) -> Ports:
        return self.options.ports

    def home(self, name: str) -> Path:
        """The component's data directory, made if it is not there."""
        directory = self.data / name
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def environment(self, prefix: str, **own: str) -> dict[str, str]:
        given = self.options.environment
        kept = {name: value for name, value in given.items() if name in INHERITED or name.startswith(prefix)}
        return kept | own


def write_file(path: Path, text: str) -> None:
    """Readable by the owner only, and never seen half-written."""
    draft = path.with_name(f".{path.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


def link(name: Path, target: Path) -> None:
    """Make ``name`` point to ``target``, whatever was there before (a checkout may have moved)."""
    if name.is_symlink() or name.is_file():
        name.unlink()
    name.symlink_to(target)
