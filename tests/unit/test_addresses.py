"""Where the parts of a stack are looked for."""

from __future__ import annotations

import json
from pathlib import Path

from gatewayz.queries.addresses import Addresses, find_addresses


def write_stack_file(data_dir: Path, state: str) -> None:
    ports = {"gateway": 1, "collector_metrics": 2, "prometheus": 3, "tempo": 4, "loki": 5}
    (data_dir / "stack.json").write_text(
        json.dumps({"pid": 1, "state": state, "gateway_url": "http://127.0.0.1:1", "components": {}, "ports": ports})
    )


def test_standard_ports_when_nothing_is_known(tmp_path: Path) -> None:
    assert find_addresses({}, {}, tmp_path) == Addresses()


def test_a_running_stack_says_where_it_is(tmp_path: Path) -> None:
    write_stack_file(tmp_path, "running")

    assert find_addresses({}, {}, tmp_path) == Addresses(
        "http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3", "http://127.0.0.1:4", "http://127.0.0.1:5"
    )


def test_a_stopped_stack_says_nothing(tmp_path: Path) -> None:
    write_stack_file(tmp_path, "stopped")

    assert find_addresses({}, {}, tmp_path) == Addresses()


def test_a_broken_stack_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"ports": ')

    assert find_addresses({}, {}, tmp_path) == Addresses()


def test_an_option_beats_the_environment_and_that_beats_the_running_stack(tmp_path: Path) -> None:
    write_stack_file(tmp_path, "running")
    environment = {"GATEWAYZ_LOKI_URL": "http://env:1", "GATEWAYZ_TEMPO_URL": "http://env:2/"}

    found = find_addresses({"loki": "http://option:1", "tempo": None}, environment, tmp_path)

    assert (found.loki, found.tempo, found.prometheus) == ("http://option:1", "http://env:2", "http://127.0.0.1:3")


def test_a_host_and_a_port_are_address_enough(tmp_path: Path) -> None:
    assert find_addresses({"loki": "localhost:3100"}, {}, tmp_path).loki == "http://localhost:3100"
