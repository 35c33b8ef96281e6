"""The demo's plan, and what it says when there is nothing to drive traffic through."""

from __future__ import annotations

import socket
from itertools import islice
from pathlib import Path

import pytest

from gatewayz import traffic
from gatewayz.traffic import TrafficOptions
from gatewayz.traffic.scenarios import SCENARIOS, plan


def test_a_seed_makes_the_same_requests_again() -> None:
    assert list(islice(plan(7, 10), 200)) == list(islice(plan(7, 10), 200))
    assert list(islice(plan(7, 10), 200)) != list(islice(plan(8, 10), 200))


def test_even_a_short_run_shows_every_scenario() -> None:
    first_round = [planned.scenario.name for planned in islice(plan(1, 10), len(SCENARIOS))]

    assert sorted(first_round) == sorted(scenario.name for scenario in SCENARIOS)


def test_arrivals_come_at_the_rate_asked_for() -> None:
    pauses = [planned.pause_s for planned in islice(plan(1, 50), 5000)]

    assert sum(pauses) == pytest.approx(100, rel=0.1)


def test_no_gateway_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"

        status = traffic.run(TrafficOptions(environment={}, gateway=address, api_key="gz_key"))

    assert status == 1
    printed = capsys.readouterr().out
    assert address in printed
    assert "gatewayz up" in printed


def test_no_key_and_no_database_beside_us_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = traffic.run(TrafficOptions(environment={}, data_dir=tmp_path))

    assert status == 1
    assert "--api-key" in capsys.readouterr().out
