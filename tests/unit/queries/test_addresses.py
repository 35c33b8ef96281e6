"""Where the parts of a stack are looked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatewayz.queries.addresses import (
    Addresses,
    find_addresses,
    split_log_store,
    split_trace_store,
    without_password,
)
from gatewayz.queries.errors import BadAddress

STACK = {
    "gateway": "http://127.0.0.1:1",
    "collector": "http://127.0.0.1:2",
    "prometheus": "http://127.0.0.1:3",
    "traces": "jaeger+http://127.0.0.1:4",
    "logs": "victorialogs+http://127.0.0.1:5",
}


def write_stack_file(data_dir: Path, state: str, addresses: dict[str, str] = STACK) -> None:
    document = {"pid": 1, "state": state, "gateway_url": STACK["gateway"], "components": {}, "addresses": addresses}
    (data_dir / "stack.json").write_text(json.dumps(document))


def test_standard_ports_when_nothing_is_known(tmp_path: Path) -> None:
    assert find_addresses({}, {}, tmp_path) == Addresses()


def test_addresses_of_a_running_stack_are_found(tmp_path: Path) -> None:
    write_stack_file(tmp_path, "running")

    assert find_addresses({}, {}, tmp_path) == Addresses(**STACK)


def test_what_a_running_stack_does_not_list_is_left_out(tmp_path: Path) -> None:
    write_stack_file(tmp_path, "running", {"prometheus": STACK["prometheus"]})

    found = find_addresses({}, {}, tmp_path)

    assert found == Addresses(STACK["gateway"], None, STACK["prometheus"], None, None)


def test_what_was_left_out_may_be_elsewhere(tmp_path: Path) -> None:
    write_stack_file(tmp_path, "running", {})

    found = find_addresses({"traces": "tempo+http://far:1"}, {"GATEWAYZ_LOGS_URL": "loki+http://far:2"}, tmp_path)

    assert (found.traces, found.logs) == ("tempo+http://far:1", "loki+http://far:2")


def test_a_stopped_stack_is_ignored(tmp_path: Path) -> None:
    write_stack_file(tmp_path, "stopped")

    assert find_addresses({}, {}, tmp_path) == Addresses()


def test_a_broken_stack_file_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"ports": ')

    assert find_addresses({}, {}, tmp_path) == Addresses()


def test_an_option_beats_the_environment_and_that_beats_the_running_stack(tmp_path: Path) -> None:
    write_stack_file(tmp_path, "running")
    environment = {"GATEWAYZ_LOGS_URL": "loki+http://env:1", "GATEWAYZ_TRACES_URL": "tempo+http://env:2/"}

    found = find_addresses({"logs": "loki+http://option:1", "traces": None}, environment, tmp_path)

    assert (found.logs, found.traces) == ("loki+http://option:1", "tempo+http://env:2")
    assert found.prometheus == STACK["prometheus"]


def test_a_host_and_a_port_are_address_enough(tmp_path: Path) -> None:
    assert find_addresses({"prometheus": "localhost:3100"}, {}, tmp_path).prometheus == "http://localhost:3100"


@pytest.mark.parametrize(
    ("address", "store", "url"),
    [
        ("jaeger+http://here:1", "jaeger", "http://here:1"),
        ("tempo+https://u:p@here/prefix", "tempo", "https://u:p@here/prefix"),
    ],
)
def test_the_scheme_names_the_store_of_traces(address: str, store: str, url: str) -> None:
    assert split_trace_store(address, "--traces") == (store, url)


@pytest.mark.parametrize(
    ("address", "store", "url"),
    [
        ("victorialogs+http://here:1", "victorialogs", "http://here:1"),
        ("loki+https://here", "loki", "https://here"),
    ],
)
def test_the_scheme_names_the_store_of_lines(address: str, store: str, url: str) -> None:
    assert split_log_store(address, "--logs") == (store, url)


@pytest.mark.parametrize(
    "address", ["http://u:s3cret@here:1", "here:1", "zipkin+http://here", "jaeger", "loki+http://x"]
)
def test_an_address_without_a_store_is_rejected(address: str) -> None:
    with pytest.raises(BadAddress, match=r"tempo\+http://.*--traces") as raised:
        split_trace_store(address, "--traces")

    assert "s3cret" not in str(raised.value)


def test_an_address_is_shown_without_its_password() -> None:
    assert without_password("jaeger+http://user:p@ss@host:1/path") == "jaeger+http://host:1/path"
    assert without_password("http://host/a@b") == "http://host/a@b"
