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


def test_replacement_worker_uses_the_kept_copy_while_the_file_is_invalid(tmp_path: Path) -> None:
    source(tmp_path, GOOD).first(same, replacement=True)
    config, wrong = source(tmp_path, "nonsense: 1\n").first(same, replacement=True)
    assert set(config.groups) == {"mine"}
    assert "line 1: nonsense" in str(wrong)


def test_kept_copy_is_the_last_one_applied(tmp_path: Path) -> None:
    running = source(tmp_path, GOOD)
    running.first(same, replacement=True)
    source(tmp_path, GOOD.replace("mine", "yours"))
    running.read()
    running.in_force()
    config, _ = source(tmp_path, "[").first(same, replacement=True)
    assert set(config.groups) == {"yours"}


def test_invalid_file_at_the_start_is_an_error(tmp_path: Path) -> None:
    source(tmp_path, GOOD).first(same, replacement=False)
    with pytest.raises(ConfigurationError, match="line 1: nonsense"):
        source(tmp_path, "nonsense: 1\n").first(same, replacement=False)


def test_replacement_worker_without_a_kept_copy_fails(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 1: nonsense"):
        source(tmp_path, "nonsense: 1\n").first(same, replacement=True)


def test_unwritable_data_directory_loses_only_the_copy(tmp_path: Path) -> None:
    file = tmp_path / "gatewayz.yaml"
    file.write_text(GOOD)
    config, wrong = ConfigSource(file, tmp_path / "missing", shipped_catalog()).first(same)
    assert (set(config.groups), wrong) == ({"mine"}, None)


def test_without_a_file_the_catalogue_is_used_and_no_copy_kept(tmp_path: Path) -> None:
    config, _ = ConfigSource(None, tmp_path, shipped_catalog()).first(same)
    assert config.providers == shipped_catalog()
    assert list(tmp_path.iterdir()) == []
