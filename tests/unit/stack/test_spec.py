"""A build is named by all that goes into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayz.stack.components import COMPONENTS
from gatewayz.stack.errors import StackError
from gatewayz.stack.files import component_files
from gatewayz.stack.programs.provided import read_provided
from gatewayz.stack.programs.spec import read_spec
from tests.unit.stack.miniature import Miniature


def digest(miniature: Miniature) -> str:
    return read_spec(miniature.files / "victoria-logs").digest("linux", "amd64")


def test_same_inputs_make_the_same_name(miniature: Miniature) -> None:
    assert digest(miniature) == digest(miniature)


@pytest.mark.parametrize("changed", ["go.mod", "go.sum", "main.go", "extra.go"])
def test_each_source_file_changes_the_name(miniature: Miniature, changed: str) -> None:
    before = digest(miniature)
    with (miniature.files / "victoria-logs" / "build" / changed).open("a") as file:
        file.write("// more\n")
    assert digest(miniature) != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tags: [netgo]", "tags: []"),
        ('main.version: "9.9.9"', 'main.version: "9.9.8"'),
        ("victoria-logs}", "VictoriaLogs}"),
    ],
)
def test_each_flag_changes_the_name(miniature: Miniature, old: str, new: str) -> None:
    before = digest(miniature)
    path = miniature.files / "victoria-logs" / "build" / "component.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert digest(miniature) != before


def test_platform_changes_the_name_and_the_estimate_of_the_cost_does_not(miniature: Miniature) -> None:
    before = digest(miniature)
    assert read_spec(miniature.files / "victoria-logs").digest("linux", "arm64") != before
    path = miniature.files / "victoria-logs" / "build" / "component.yaml"
    path.write_text(path.read_text().replace("build_s: 10", "build_s: 20"))
    assert digest(miniature) == before


def test_version_is_stamped_and_symbols_are_left_out(miniature: Miniature) -> None:
    assert read_spec(miniature.files / "victoria-logs").ldflags == "-s -w -X main.version=9.9.9"


def test_description_that_lacks_an_entry_is_named(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "component.yaml").write_text("title: x\n")
    with pytest.raises(StackError, match=r"component\.yaml lacks the entry 'cost'"):
        read_spec(tmp_path)


def test_every_component_of_this_repository_can_be_read() -> None:
    files = component_files()
    for component in COMPONENTS:
        if component.provided:
            assert read_provided(files / component.folder).home.startswith("https://")
            continue
        spec = read_spec(files / component.folder)
        assert spec.cost.seconds > 0
        assert spec.cost.download_mb > 0
        assert spec.cost.disk_mb > spec.cost.binary_mb > 0
        assert (spec.folder / "go.sum").is_file()
