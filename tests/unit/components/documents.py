"""The component folders as data: what the tests of this folder read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]

BUILT = ("otel-collector", "prometheus", "jaeger", "victoria-logs", "alertmanager", "redis-exporter")
"""Folders of the components that are built from a pinned Go module; each is also a service of docker-compose.yml."""

PROVIDED = ("tempo", "loki")
"""Folders of the components that are services of docker-compose.yml, or programs that the user has: never built here."""

CONFIGURATIONS = {
    "otel-collector": ROOT / "otel-collector" / "config.yaml",
    "jaeger": ROOT / "jaeger" / "jaeger.yaml",
    "tempo": ROOT / "tempo" / "tempo.yaml",
    "loki": ROOT / "loki" / "loki.yaml",
}
"""Configurations that expand variables."""

STORE_FILES = sorted((ROOT / "otel-collector").glob("store-*.yaml"))
"""What the Collector is given for each store, beside its config.yaml."""


def load(path: Path) -> Any:  # a foreign document: its shape is what the tests are about
    """A YAML document (JSON is one too)."""
    return yaml.safe_load(path.read_text())


def compose() -> dict[str, Any]:  # as above
    """docker-compose.yml, variables not expanded."""
    return load(ROOT / "docker-compose.yml")


def services() -> dict[str, dict[str, Any]]:  # as above
    """The services of docker-compose.yml."""
    return compose()["services"]


def uncommented(path: Path) -> str:
    """The text without whole-line comments."""
    return "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))


def variables_used(text: str) -> dict[str, str]:
    """``${NAME:-default}``, ``${env:NAME:-default}`` and ``${NAME:+…}`` as name → default."""
    found = re.findall(r"(?<!\$)\$\{(?:env:)?([A-Z][A-Z0-9_]*)(?::-([^}]*))?(?::\+[^}]*)?\}", text)
    defaults: dict[str, str] = {}
    for name, default in found:
        defaults[name] = default or defaults.get(name, "")
    return defaults


def variables_documented(path: Path) -> dict[str, str]:
    """The table in the file's head comment as name → default (the last column)."""
    table: dict[str, str] = {}
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        if row := re.match(r"# ([A-Z][A-Z0-9_]+)\s{2,}\S.*\s{2,}(\S+)\s*$", line):
            table[row[1]] = row[2]
    return table


def strings_in(document: object) -> Iterator[str]:
    """Every string in a document, keys included."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, Mapping):
        for key, value in document.items():  # pyright: ignore[reportUnknownVariableType] - any document
            yield from strings_in(key)  # pyright: ignore[reportUnknownArgumentType]
            yield from strings_in(value)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(document, Sequence):
        for item in document:  # pyright: ignore[reportUnknownVariableType]
            yield from strings_in(item)  # pyright: ignore[reportUnknownArgumentType]
