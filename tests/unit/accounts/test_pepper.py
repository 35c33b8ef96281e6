"""The pepper: made once, kept to its owner, missed loudly."""

from __future__ import annotations

import asyncio
import logging
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from gatewayz.accounts.keys.pepper import Pepper, load_pepper
from gatewayz.config import load_settings
from gatewayz.errors import ConfigurationError


async def no_keys() -> bool:
    return False


async def some_keys() -> bool:
    return True


async def test_pepper_is_made_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    first = await load_pepper(settings, no_keys)
    again = await load_pepper(settings, some_keys)
    assert again == first
    assert [path.name for path in settings.storage.data_dir.iterdir()] == ["pepper"]
    assert stat.S_IMODE((settings.storage.data_dir / "pepper").stat().st_mode) == 0o600
    assert len(first.value) == 64


async def test_concurrent_creations_get_the_same_pepper(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    peppers = await asyncio.gather(*(load_pepper(settings, no_keys) for _ in range(16)))
    assert len({pepper.value for pepper in peppers}) == 1
    assert [path.name for path in settings.storage.data_dir.iterdir()] == ["pepper"]


async def test_lost_pepper_is_an_error_with_what_to_do(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    with pytest.raises(ConfigurationError, match="Put that file back"):
        await load_pepper(settings, some_keys)
    assert not (tmp_path / "pepper").exists()


async def test_pepper_made_by_another_process_meanwhile_is_not_lost(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)

    async def other_process_was_faster() -> bool:
        await load_pepper(settings, no_keys)
        return True

    assert await load_pepper(settings, other_process_was_faster) == await load_pepper(settings, some_keys)


async def test_pepper_of_the_settings_needs_no_file(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data", key_pepper=SecretStr("a pepper from a vault"))
    pepper = await load_pepper(settings, some_keys)
    assert pepper.value == b"a pepper from a vault"
    assert "vault" not in repr(pepper)
    assert not (tmp_path / "data").exists()


async def test_short_or_damaged_pepper_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="too short"):
        await load_pepper(load_settings(data_dir=tmp_path, key_pepper=SecretStr("salt")), no_keys)
    (tmp_path / "pepper").write_bytes(b"\n")
    with pytest.raises(ConfigurationError, match="damaged"):
        await load_pepper(load_settings(data_dir=tmp_path), no_keys)


async def test_unusable_directory_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="pepper"):
        await load_pepper(load_settings(data_dir=tmp_path / "file"), no_keys)


async def test_pepper_that_others_may_read_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    settings = load_settings(data_dir=tmp_path)
    pepper = await load_pepper(settings, no_keys)
    assert caplog.records == []
    (tmp_path / "pepper").chmod(0o644)
    assert await load_pepper(settings, no_keys) == pepper
    assert [record.getMessage() for record in caplog.records] == [
        "the key pepper can be read by others; its mode should be 0600"
    ]


def test_hash_depends_on_the_pepper_and_the_whole_key() -> None:
    one, other = Pepper(b"one pepper of many"), Pepper(b"another pepper")
    assert one.hash("gz_a_b") != other.hash("gz_a_b")
    assert one.hash("gz_a_b") != one.hash("gz_c_b")
    assert one.pepper_id != other.pepper_id
    assert len(one.hash("gz_a_b")) == 32
