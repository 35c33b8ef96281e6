"""A worker that takes the place of one that died goes on with what was in force, whatever the file says by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayz.config import ConfigurationError
from gatewayz.configfile.schema import ConfigFile
from gatewayz.configfile.source import ConfigSource
from gatewayz.providers.catalog import shipped_catalog

GOOD = "models:\n  mine: demo/fast\n"


def source(directory: Path, text: str | None = None) -> ConfigSource:
    file = directory / "gatewayz.yaml"
    if text is not None:
        file.write_text(text)
    return ConfigSource(file, directory, shipped_catalog())


def same(config: ConfigFile) -> ConfigFile:
    return config


def test_a_replacement_goes_on_with_what_was_in_force(tmp_path: Path) -> None:
    source(tmp_path, GOOD).first(same, replacement=True)
    config, wrong = source(tmp_path, "nonsense: 1\n").first(same, replacement=True)
    assert set(config.groups) == {"mine"}
    assert "line 1: nonsense" in str(wrong)


def test_what_was_applied_later_counts(tmp_path: Path) -> None:
    running = source(tmp_path, GOOD)
    running.first(same, replacement=True)
    source(tmp_path, GOOD.replace("mine", "yours"))
    running.read()
    running.in_force()
    config, _ = source(tmp_path, "[").first(same, replacement=True)
    assert set(config.groups) == {"yours"}


def test_a_mistake_at_the_start_is_a_mistake(tmp_path: Path) -> None:
    source(tmp_path, GOOD).first(same, replacement=False)
    with pytest.raises(ConfigurationError, match="line 1: nonsense"):
        source(tmp_path, "nonsense: 1\n").first(same, replacement=False)


def test_without_a_copy_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 1: nonsense"):
        source(tmp_path, "nonsense: 1\n").first(same, replacement=True)


def test_a_directory_that_cannot_be_written_costs_only_the_copy(tmp_path: Path) -> None:
    file = tmp_path / "gatewayz.yaml"
    file.write_text(GOOD)
    config, wrong = ConfigSource(file, tmp_path / "missing", shipped_catalog()).first(same)
    assert (set(config.groups), wrong) == ({"mine"}, None)


def test_no_file_is_the_catalogue_and_leaves_no_copy(tmp_path: Path) -> None:
    config, _ = ConfigSource(None, tmp_path, shipped_catalog()).first(same)
    assert config.providers == shipped_catalog()
    assert list(tmp_path.iterdir()) == []
