"""Profiles are added up, and functions are named so that people find them."""

from __future__ import annotations

import cProfile
import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.profile.run import place, read_costs
from benchmarks.subjects import ROOT


def recorded(into: Path) -> Path:
    profile = cProfile.Profile()
    profile.enable()
    json.dumps([])
    profile.disable()
    profile.dump_stats(into)
    return into


def test_costs_of_several_threads_add_up(tmp_path: Path) -> None:
    costs = read_costs([recorded(tmp_path / "one"), recorded(tmp_path / "two")])

    assert [cost.calls for cost in costs if cost.function[2] == "dumps"] == [2]
    assert read_costs([]) == []


def test_functions_are_placed_within_their_package() -> None:
    assert place((str(ROOT / "service" / "gatewayz" / "app.py"), 7, "create_app")) == "gatewayz/app.py:7 create_app"
    assert place(("~", 0, "<built-in method posix.urandom>")) == "<built-in method posix.urandom>"


def test_the_yardstick_has_no_profile(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "--subject", "bare"]) == 2
    assert "--subject on or --subject off" in capsys.readouterr().err
