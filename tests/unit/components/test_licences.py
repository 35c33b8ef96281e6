"""docs/decisions.md's table of licences: every component that runs, at the version that runs."""

from __future__ import annotations

import re

import pytest

from tests.unit.components.documents import ROOT, load, services

PERMISSIVE = {"Apache-2.0", "MIT", "BSD-3-Clause"}

TITLES = {
    "oliver006/redis_exporter": "redis_exporter",
    "grafana/grafana": "Grafana",
    "redis": "Redis",
    "postgres": "PostgreSQL",
}
"""Images whose component has no component.yaml, or one that is called otherwise."""


def table() -> dict[str, dict[str, str]]:
    """The rows by the component's name."""
    text = (ROOT / "docs" / "decisions.md").read_text().partition("## Licences")[2]
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    head, _, *rows = lines
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def titles() -> dict[str, str]:
    """Title by image, of the components that have a folder."""
    files = [*ROOT.glob("*/component.yaml"), *ROOT.glob("*/build/component.yaml")]
    return {document["image"]: document["title"] for document in map(load, files)}


def test_every_image_is_in_the_table_with_its_version() -> None:
    known, rows = titles(), table()
    for service in services().values():
        if "build" in service:
            continue
        name, _, tag = service["image"].partition(":")
        row = rows[known.get(service["image"]) or TITLES[name]]
        assert row["version"] == re.sub(r"^v|-alpine$", "", tag)
        assert row["Docker Compose"].startswith("image")


def test_what_is_built_is_under_a_permissive_licence() -> None:
    built = {load(path)["title"] for path in ROOT.glob("*/build/component.yaml")}
    assert built == {name for name, row in table().items() if row["`gatewayz up`"].startswith("built")}
    for name in built:
        assert table()[name]["licence"] in PERMISSIVE


@pytest.mark.parametrize(
    ("service", "title"),
    [("tempo", "Tempo"), ("loki", "Loki"), ("jaeger", "Jaeger"), ("victoria-logs", "VictoriaLogs")],
)
def test_profile_of_each_store_is_the_one_that_starts_it(service: str, title: str) -> None:
    (profile,) = [name for name in services()[service]["profiles"] if name]
    assert table()[title]["Docker Compose"] == f"image, profile `{profile}`"


def test_no_module_of_a_store_that_is_not_built_is_pinned() -> None:
    for path in [*ROOT.glob("*/build/go.mod"), *ROOT.glob("*/build/go.sum")]:
        assert not re.search(r"grafana/(tempo|loki|grafana|mimir)\b", path.read_text()), path


def test_plugin_of_grafana_is_in_the_table_with_its_version() -> None:
    fetched = services()["grafana-native"]["environment"]["GF_PLUGINS_PREINSTALL"]
    row = table()["VictoriaLogs' data source for Grafana"]
    assert fetched.partition("@")[2] == row["version"]
