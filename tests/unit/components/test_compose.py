"""docker-compose.yml: the same files, three published ports, nothing that floats."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.unit.components.documents import (
    CONFIGURATIONS,
    ROOT,
    compose,
    load,
    services,
    uncommented,
    variables_documented,
    variables_used,
)

COMPOSE = ROOT / "docker-compose.yml"


def mounts(service: dict[str, Any]) -> list[tuple[str, str, str]]:  # a foreign document
    parts = [volume.split(":") for volume in service.get("volumes", [])]
    return [(source, target, mode[0] if mode else "rw") for source, target, *mode in parts]


def test_only_gateway_grafana_and_prometheus_are_published_and_only_here_by_default() -> None:
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert published == {
        "gateway": ["${PUBLISH_ADDRESS:-127.0.0.1}:${GATEWAY_PORT:-8000}:8000"],
        "grafana": ["${PUBLISH_ADDRESS:-127.0.0.1}:${GRAFANA_PORT:-3000}:3000"],
        "prometheus": ["${PUBLISH_ADDRESS:-127.0.0.1}:${PROMETHEUS_PORT:-9090}:9090"],
    }
    assert not any(service.get("network_mode") == "host" for service in services().values())


def test_every_mounted_file_exists_and_is_read_only() -> None:
    for name, service in services().items():
        for source, target, mode in mounts(service):
            if source.startswith("."):
                assert (ROOT / source).exists(), f"{name} mounts {source}, which is not there"
                assert mode == "ro", f"{name} could write to {source} ({target})"


def test_every_named_volume_is_declared_and_used() -> None:
    used = {source for service in services().values() for source, _, _ in mounts(service) if not source.startswith(".")}
    assert used == set(compose()["volumes"])


def test_every_image_is_pinned_to_a_version() -> None:
    for name, service in services().items():
        if "build" not in service:
            assert re.fullmatch(r"[\w./-]+:v?\d+(\.\d+)*(-alpine)?", service["image"]), f"{name}: {service['image']}"


def test_every_variable_is_in_the_table_with_its_default() -> None:
    documented = variables_documented(COMPOSE)
    used = variables_used(uncommented(COMPOSE))
    assert set(used) == set(documented)
    for name, default in used.items():
        if documented[name] != "(unset)" and name != "ALERT_WEBHOOK_URL":
            assert documented[name] == default


@pytest.mark.parametrize("component", CONFIGURATIONS)
def test_compose_sets_only_variables_that_the_configuration_reads(component: str) -> None:
    known = set(variables_documented(CONFIGURATIONS[component])) | {"GOMEMLIMIT"}
    assert set(services()[component]["environment"]) <= known


@pytest.mark.parametrize("component", CONFIGURATIONS)
def test_every_address_that_would_be_loopback_is_set_for_a_container(component: str) -> None:
    given = services()[component]["environment"]
    for name, default in variables_documented(CONFIGURATIONS[component]).items():
        if "127.0.0.1" in default or default.startswith("./"):
            assert name in given, f"{name} would stay {default} inside the container"


def test_memory_limit_of_the_collector_leaves_room_below_the_container() -> None:
    collector = services()["otel-collector"]
    limit_mib = int(collector["environment"]["OTELCOL_MEMORY_LIMIT_MIB"])
    assert collector["environment"]["GOMEMLIMIT"] == f"{limit_mib * 4 // 5}MiB"
    assert int(collector["mem_limit"].removesuffix("m")) > limit_mib


def test_every_scrape_target_is_a_service() -> None:
    for path in (ROOT / "prometheus" / "targets").glob("*.json"):
        for group in load(path):
            for target in group["targets"]:
                assert target.partition(":")[0] in services()


def test_services_with_a_shell_or_a_probe_are_checked() -> None:
    # The images of the Collector and of redis_exporter hold nothing but the program; the gateway's check is in its Dockerfile.
    unchecked = {name for name, service in services().items() if "healthcheck" not in service}
    assert unchecked == {"gateway", "otel-collector", "redis-exporter"}
    assert "HEALTHCHECK" in (ROOT / "service" / "Dockerfile").read_text()


def test_stop_order_is_gateway_then_collector_then_stores() -> None:
    assert "otel-collector" in services()["gateway"]["depends_on"]
    assert {"tempo", "loki", "prometheus"} <= set(services()["otel-collector"]["depends_on"])
    assert "alertmanager" in services()["prometheus"]["depends_on"]


def test_gateway_runs_without_root_and_cannot_write_outside_its_volume() -> None:
    gateway = services()["gateway"]
    assert gateway["read_only"] is True
    assert gateway["cap_drop"] == ["ALL"]
    assert [target for _, target, mode in mounts(gateway) if mode != "ro"] == ["/data"]
    assert re.search(r"^USER 10001$", (ROOT / "service" / "Dockerfile").read_text(), re.M)


def test_gateway_looks_for_its_configuration_where_the_directory_is_mounted() -> None:
    """A directory that is in the repository: a bind mount of a file that is absent would make a directory of its name."""
    gateway = services()["gateway"]
    assert ("./config", gateway["working_dir"], "ro") in mounts(gateway)
    assert (ROOT / "config").is_dir()
    assert "GATEWAYZ_CONFIG_FILE" not in gateway["environment"]  # one that is asked for must be there


def test_grafana_has_no_account_without_a_password_of_ones_own() -> None:
    (chosen,) = services()["grafana"]["env_file"]
    assert chosen == "grafana/access${GRAFANA_ADMIN_PASSWORD:+-login}.env"
    assert "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION=true" in (ROOT / "grafana" / "access.env").read_text()
    assert "GF_AUTH_ANONYMOUS_ENABLED=false" in (ROOT / "grafana" / "access-login.env").read_text()


def test_alertmanager_has_a_configuration_for_either_case() -> None:
    (argument,) = [part for part in services()["alertmanager"]["command"] if part.startswith("--config.file=")]
    assert argument == "--config.file=/etc/alertmanager/alertmanager${ALERT_WEBHOOK_URL:+-webhook}.yml"
    targets = [target for _, target, _ in mounts(services()["alertmanager"])]
    assert "/etc/alertmanager/alertmanager.yml" in targets
    assert "/etc/alertmanager/alertmanager-webhook.yml" in targets


def test_image_is_built_from_files_that_are_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for line in (ROOT / "service" / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in ignored
