"""Ports: named, checked before anything starts, and explained when taken."""

from __future__ import annotations

import os
import socket

import pytest

from gatewayz.config import StackSettings
from gatewayz.stack.errors import StackError
from gatewayz.stack.ports import Ports, PortUse, check_ports, holder_of, parse_ports, trouble_at


def test_defaults_are_those_of_the_settings() -> None:
    settings = {name: field.default for name, field in StackSettings.model_fields.items()}
    ports = {f"{name}_port": number for name, number in Ports().as_dict().items() if name != "gateway"}
    assert {name: default for name, default in settings.items() if name.endswith("_port")} == ports


def test_free_ports_differ_and_can_be_listened_on() -> None:
    numbers = list(Ports.free().as_dict().values())
    assert len(set(numbers)) == len(numbers)
    assert all(trouble_at("127.0.0.1", number) is None for number in numbers)


def test_port_with_a_listener_on_all_addresses_is_taken() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert trouble_at("127.0.0.1", server.getsockname()[1]) is not None


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_port_with_a_listener_on_both_families_is_taken() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        number = server.getsockname()[1]
        assert trouble_at("127.0.0.1", number) is not None
        assert f"process {os.getpid()}" in (holder_of(number) or "")


def test_port_of_a_connection_that_has_just_ended_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", number)):
            accepted, _ = server.accept()
            accepted.close()  # our side closes first: the port lingers in TIME_WAIT
    assert trouble_at("127.0.0.1", number) is None


def test_two_components_on_one_port_are_both_named() -> None:
    uses = [PortUse("tempo", "tempo", "127.0.0.1", 23456), PortUse("loki", "loki", "127.0.0.1", 23456)]
    with pytest.raises(StackError, match=r"Port 23456 is given to both tempo \(tempo\) and loki \(loki\)"):
        check_ports(uses)


def test_address_of_another_machine_is_explained() -> None:
    with pytest.raises(StackError, match=r"gateway cannot listen on 192\.0\.2\.1 .*\(--host or GATEWAYZ_HOST\)"):
        check_ports([PortUse("gateway", "gateway", "192.0.2.1", 23457)])


def test_all_clashes_are_reported_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        uses = [
            PortUse("gateway", "gateway", "127.0.0.1", one.getsockname()[1]),
            PortUse("prometheus", "prometheus", "127.0.0.1", other.getsockname()[1]),
        ]
        with pytest.raises(StackError) as caught:
            check_ports(uses)
    assert "--port gateway=NUMBER or GATEWAYZ_PORT" in str(caught.value)
    assert "--port prometheus=NUMBER or GATEWAYZ_STACK_PROMETHEUS_PORT" in caught.value.details[0]


def test_ports_on_the_command_line_are_read() -> None:
    assert parse_ports(["otlp-grpc=14317", "gateway=8001"]) == {"otlp_grpc": 14317, "gateway": 8001}


@pytest.mark.parametrize("wrong", ["grafana=3000", "loki=", "loki=70000", "loki=http", "8000"])
def test_invalid_port_on_the_command_line_is_named(wrong: str) -> None:
    with pytest.raises(StackError, match=f"^--port {wrong}: "):
        parse_ports([wrong])
