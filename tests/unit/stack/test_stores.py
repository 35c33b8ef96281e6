"""Which stores a run has, and who is told of them: Collector, Prometheus, gateway, and everyone who reads stack.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gatewayz.config import ConfigurationError
from gatewayz.stack.components import COMPONENTS, chosen
from gatewayz.stack.errors import StackError
from gatewayz.stack.gateway import gateway_launch, reader_addresses
from gatewayz.stack.options import StackOptions
from gatewayz.stack.process import Launch
from gatewayz.stack.runner import Stack
from gatewayz.stack.site import Site
from gatewayz.stack.up import UpOptions, stack_options
from tests.unit.stack.miniature import Miniature, add_program

DEFAULT = ["collector", "prometheus", "jaeger", "victoria-logs", "alertmanager"]


def names(**options: Any) -> list[str]:
    return [component.name for component in chosen(StackOptions(**options))]


def site_of(miniature: Miniature, **options: Any) -> Site:
    chosen_options = miniature.options(**options)
    return Site(chosen_options, miniature.files, chosen_options.data_dir)


def launch_of(site: Site, name: str) -> Launch:
    (component,) = [component for component in COMPONENTS if component.name == name]
    return component.launch(site, Path("/program"))


def store_files(launch: Launch) -> list[str]:
    return [Path(word).name for word in launch.command if word.endswith(".yaml")]


def targets(site: Site) -> Mapping[str, Any]:
    launch_of(site, "prometheus")
    return {
        path.stem: json.loads(path.read_text()) for path in (site.data / "prometheus/config/targets").glob("*.json")
    }


def test_each_store_is_chosen_on_its_own() -> None:
    assert names() == DEFAULT
    assert names(traces="tempo") == ["collector", "prometheus", "victoria-logs", "tempo", "alertmanager"]
    assert names(logs="loki") == ["collector", "prometheus", "jaeger", "loki", "alertmanager"]
    assert names(traces="tempo", logs="loki") == ["collector", "prometheus", "tempo", "loki", "alertmanager"]
    assert names(without=frozenset({"jaeger"})) == ["collector", "prometheus", "victoria-logs", "alertmanager"]


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ({}, ["store-jaeger.yaml", "store-victoria-logs.yaml"]),
        ({"traces": "tempo"}, ["store-tempo.yaml", "store-victoria-logs.yaml"]),
        ({"traces": "tempo", "logs": "loki"}, ["store-tempo.yaml", "store-loki.yaml"]),
        ({"without": frozenset({"jaeger"})}, ["store-victoria-logs.yaml"]),
        ({"only": frozenset({"collector"})}, []),
    ],
)
def test_collector_sends_to_the_stores_of_this_run_only(
    miniature: Miniature, options: dict[str, Any], files: list[str]
) -> None:
    assert store_files(launch_of(site_of(miniature, **options), "collector")) == ["config.yaml", *files]


def test_prometheus_scrapes_the_stores_of_this_run_only(miniature: Miniature) -> None:
    site = site_of(miniature, logs="loki")
    told = targets(site)
    assert told["jaeger"] == [{"targets": [f"127.0.0.1:{site.ports.jaeger_metrics}"]}]
    assert told["loki"] == [{"targets": [f"127.0.0.1:{site.ports.loki}"]}]
    assert told["tempo"] == told["victoria-logs"] == []


def test_scheme_of_an_address_names_the_store(miniature: Miniature) -> None:
    site = site_of(miniature)
    ports = site.ports
    assert reader_addresses(site) == {
        "traces": f"jaeger+http://127.0.0.1:{ports.jaeger}",
        "logs": f"victorialogs+http://127.0.0.1:{ports.victoria_logs}",
        "prometheus": f"http://127.0.0.1:{ports.prometheus}",
        "collector": f"http://127.0.0.1:{ports.collector_metrics}",
        "gateway": f"http://127.0.0.1:{ports.gateway}",
    }
    other = site_of(miniature, traces="tempo", logs="loki", gateway=False, without=frozenset({"prometheus"}))
    assert reader_addresses(other) == {
        "traces": f"tempo+http://127.0.0.1:{other.ports.tempo}",
        "logs": f"loki+http://127.0.0.1:{other.ports.loki}",
        "collector": f"http://127.0.0.1:{other.ports.collector_metrics}",
    }


def test_gateway_gets_the_addresses_to_read_from(miniature: Miniature) -> None:
    site = site_of(miniature)
    environment = gateway_launch(site).environment
    assert environment["GATEWAYZ_TRACES_URL"] == f"jaeger+http://127.0.0.1:{site.ports.jaeger}"
    assert environment["GATEWAYZ_LOGS_URL"] == f"victorialogs+http://127.0.0.1:{site.ports.victoria_logs}"
    assert environment["GATEWAYZ_PROMETHEUS_URL"] == f"http://127.0.0.1:{site.ports.prometheus}"
    alone = gateway_launch(site_of(miniature, only=frozenset({"collector"}))).environment
    assert not {"GATEWAYZ_TRACES_URL", "GATEWAYZ_LOGS_URL", "GATEWAYZ_PROMETHEUS_URL"} & set(alone)


async def test_stack_file_has_the_addresses_and_a_store_from_path_runs(miniature: Miniature) -> None:
    add_program(miniature, "tempo")
    options = miniature.options(traces="tempo")
    async with Stack(options) as stack:
        told = json.loads((options.data_dir / "stack.json").read_text())
        assert stack.states["tempo"] == "ready"
        assert (told["components"]["tempo"]["source"], told["components"]["tempo"]["version"]) == ("PATH", "9.9.9")
    assert told["addresses"]["traces"] == f"tempo+http://127.0.0.1:{options.ports.tempo}"
    assert told["addresses"]["logs"] == f"victorialogs+http://127.0.0.1:{options.ports.victoria_logs}"


async def test_store_that_is_not_on_path_ends_the_start_before_anything_runs(miniature: Miniature) -> None:
    with pytest.raises(StackError, match="There is no `loki` on PATH"):
        await Stack(miniature.options(logs="loki")).start()
    assert miniature.journal() == []


def test_retention_and_disk_reach_every_store_that_supports_them(miniature: Miniature) -> None:
    site = site_of(miniature, trace_retention_h=24, log_retention_h=48, log_disk="2GiB", min_free_disk="1GB")
    jaeger, log_store = launch_of(site, "jaeger").environment, launch_of(site, "victoria-logs").environment
    assert jaeger["JAEGER_RETENTION"] == "24h"
    assert (jaeger["JAEGER_MEMORY_LIMIT_MIB"], jaeger["GOMEMLIMIT"]) == ("800", "640MiB")
    assert log_store["VL_retentionPeriod"] == "48h"
    assert log_store["VL_retention_maxDiskSpaceUsageBytes"] == "2GiB"
    assert log_store["VL_storage_minFreeDiskSpaceBytes"] == "1GB"
    assert launch_of(site, "tempo").environment["TEMPO_RETENTION"] == "24h"
    assert launch_of(site, "loki").environment["LOKI_RETENTION"] == "48h"


def test_variables_of_the_user_come_before_the_file_and_after_what_the_run_must_set(miniature: Miniature) -> None:
    given = miniature.environment() | {"VL_other": "mine", "VL_httpListenAddr": "0.0.0.0:1"}
    site = site_of(miniature, environment=given)
    environment = launch_of(site, "victoria-logs").environment
    assert (environment["VL_fixed"], environment["VL_other"]) == ("1", "mine")
    assert environment["VL_httpListenAddr"] == f"127.0.0.1:{site.ports.victoria_logs}"


def test_option_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAYZ_STACK_TRACES", "tempo")
    monkeypatch.setenv("GATEWAYZ_STACK_LOGS", "loki")
    monkeypatch.setenv("GATEWAYZ_STACK_TRACE_RETENTION", "2d")
    options = stack_options(UpOptions(logs="victoria-logs"))
    assert (options.traces, options.logs, options.trace_retention_h, options.log_retention_h) == (
        "tempo",
        "victoria-logs",
        48,
        168,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TRACES", "zipkin"),
        ("LOGS", "elastic"),
        ("TRACE_RETENTION", "72"),
        ("TRACE_RETENTION", "0h"),
        ("LOG_RETENTION", "12h"),
        ("LOG_DISK", "5 GB"),
        ("MIN_FREE_DISK", "much"),
    ],
)
def test_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(f"GATEWAYZ_STACK_{variable}", value)
    with pytest.raises(ConfigurationError, match=f"^GATEWAYZ_STACK_{variable}: .*given: '{value}'"):
        stack_options(UpOptions())


def test_only_with_a_store_that_is_not_chosen_explains_how_to_choose_it() -> None:
    with pytest.raises(StackError, match=r"--only tempo: another store is chosen for traces\. Add --traces tempo\."):
        stack_options(UpOptions(only=("tempo",)))
    assert stack_options(UpOptions(only=("tempo",), traces="tempo")).only == {"tempo"}
