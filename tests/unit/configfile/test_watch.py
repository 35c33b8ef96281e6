"""The file is read again when it changes or when SIGHUP asks; a bad one changes nothing, and either is counted."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from gatewayz.config import ConfigurationError
from gatewayz.configfile.watch import Reloader, Result
from tests.polling import until


class Rig:
    """A file that may hold any text but ``bad``, and what became of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text("one")
        self.applied: list[str] = []
        self.results: list[Result] = []
        self.defect = False
        self.reloader = Reloader(path, self._read, self.applied.append, self.results.append)

    def _read(self) -> str:
        if self.defect:
            raise ZeroDivisionError
        try:
            text = self.path.read_text()
        except OSError:
            raise ConfigurationError("gatewayz.yaml: cannot be read") from None
        if text == "bad":
            raise ConfigurationError("gatewayz.yaml, line 1: bad")
        return text


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[Rig]:
    rig = Rig(tmp_path / "gatewayz.yaml")
    rig.reloader.open()
    yield rig
    await rig.reloader.close()


async def test_a_changed_file_is_applied(rig: Rig) -> None:
    await _written(rig, "two")
    assert rig.applied == ["two"]
    assert rig.results == ["applied"]


async def test_a_file_that_is_replaced_as_editors_do_is_applied(rig: Rig) -> None:
    other = rig.path.with_suffix(".new")
    other.write_text("three")
    other.replace(rig.path)
    await until(lambda: bool(rig.results))
    assert rig.applied == ["three"]


async def test_a_bad_file_is_rejected_and_the_next_good_one_applied(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    await _written(rig, "bad")
    assert (rig.applied, rig.results) == ([], ["rejected"])
    assert "line 1: bad" in str(caplog.records[-1].__dict__["reason"])
    await _written(rig, "four")
    assert (rig.applied, rig.results) == (["four"], ["rejected", "applied"])


async def test_a_file_that_vanishes_is_rejected(rig: Rig) -> None:
    rig.path.unlink()
    await until(lambda: bool(rig.results))
    assert (rig.applied, rig.results) == ([], ["rejected"])


async def test_sighup_reads_the_file_even_unchanged(rig: Rig) -> None:
    os.kill(os.getpid(), signal.SIGHUP)
    await until(lambda: bool(rig.results))
    assert (rig.applied, rig.results) == (["one"], ["applied"])


async def test_exception_while_reading_a_file_rejects_it(rig: Rig) -> None:
    rig.defect = True
    assert rig.reloader.reload() == "rejected"
    assert rig.applied == []


async def test_without_a_file_nothing_is_watched_and_sighup_still_answers(tmp_path: Path) -> None:
    applied: list[str] = []
    results: list[Result] = []
    reloader = Reloader(None, lambda: "catalogue", applied.append, results.append)
    reloader.open()
    os.kill(os.getpid(), signal.SIGHUP)
    await until(lambda: bool(results))
    await reloader.close()
    assert applied == ["catalogue"]


async def _written(rig: Rig, text: str) -> None:
    before = len(rig.results)
    rig.path.write_text(text)
    await until(lambda: len(rig.results) > before)


async def test_a_mounted_config_map_is_noticed_when_its_link_is_swapped(tmp_path: Path) -> None:
    for version, text in (("..v1", "one"), ("..v2", "two")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "gatewayz.yaml").write_text(text)
    (tmp_path / "..data").symlink_to("..v1")
    path = tmp_path / "gatewayz.yaml"
    path.symlink_to("..data/gatewayz.yaml")
    applied: list[str] = []
    results: list[Result] = []
    reloader = Reloader(path, path.read_text, applied.append, results.append)
    reloader.open()
    (tmp_path / "..data_tmp").symlink_to("..v2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    await until(lambda: bool(results))
    await reloader.close()
    assert applied == ["two"]
