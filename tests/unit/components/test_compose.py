"""docker-compose.yml, in either profile: the same files, three published ports, nothing that floats."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.components.documents import (
    ROOT,
    compose,
    load,
    services,
    strings_in,
    uncommented,
    variables_documented,
    variables_used,
)
from tests.unit.components.profiles import PROFILES, SUFFIX, hosts_of, service_for, services_of, twins
from tools.docs import COMPOSE_VARIABLES

COMPOSE = ROOT / "docker-compose.yml"

STORES = {"lgtm": {"tempo", "loki"}, "native": {"jaeger", "victoria-logs"}}

EXPANDING = {
    "tempo": ["tempo/tempo.yaml"],
    "loki": ["loki/loki.yaml"],
    "jaeger": ["jaeger/jaeger.yaml"],
    "otel-collector": ["config.yaml", "store-tempo.yaml", "store-loki.yaml"],
    "otel-collector-native": ["config.yaml", "store-jaeger.yaml", "store-victoria-logs.yaml"],
}
"""Services whose configuration expands variables, and the files they read (the Collector's in its folder)."""

FOR_GO = {"GOMEMLIMIT"}
"""Read by the Go runtime, not by a configuration."""


def configurations(name: str) -> list[Path]:
    folder = ROOT / "otel-collector" if name.startswith("otel-collector") else ROOT
    return [folder / file for file in EXPANDING[name]]


def variables_read(name: str) -> dict[str, str]:
    """What the service's configuration expands: name → default."""
    return {
        variable: default
        for path in configurations(name)
        for variable, default in variables_used(uncommented(path)).items()
    }


def mounts(service: dict[str, Any]) -> list[tuple[str, str, str]]:  # a foreign document
    parts = [volume.split(":") for volume in service.get("volumes", [])]
    return [(source, target, mode[0] if mode else "rw") for source, target, *mode in parts]


# --- profiles


def test_profile_lgtm_is_on_when_none_is_asked_for() -> None:
    assert set(services_of("")) == set(services_of("lgtm"))


@pytest.mark.parametrize("profile", ["", *PROFILES])
def test_compose_itself_accepts_the_file_and_starts_what_is_said_here(profile: str) -> None:
    if not has_compose():
        pytest.skip("docker compose is not installed")
    asked = ["--profile", profile] if profile else []
    found = compose_command("--file", str(COMPOSE), "--env-file", "/dev/null", *asked, "config", "--services")
    assert found.returncode == 0, found.stderr
    assert set(found.stdout.split()) == set(services_of(profile))


def has_compose() -> bool:
    return shutil.which("docker") is not None and compose_command("version").returncode == 0


def compose_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
    return subprocess.run(
        ["docker", "compose", *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_has_its_stores_and_no_other(profile: str) -> None:
    (other,) = set(PROFILES) - {profile}
    assert STORES[profile] <= set(services_of(profile))
    assert not STORES[other] & set(services_of(profile))


def test_profiles_differ_by_the_stores_and_the_twins_only() -> None:
    shared = set(services_of("lgtm")) & set(services_of("native"))
    assert {name for name in services() if "profiles" not in services()[name]} == shared
    native = set(services_of("native")) - shared - STORES["native"]
    assert {name.removesuffix(SUFFIX) for name in native} == set(services_of("lgtm")) - shared - STORES["lgtm"]


def test_twin_differs_by_what_says_where_the_stores_are_and_answers_to_the_same_name() -> None:
    may_differ = {"profiles", "environment", "command", "volumes", "depends_on", "networks"}
    for original, twin in twins():
        assert {key: value for key, value in original.items() if key not in may_differ} == {
            key: value for key, value in twin.items() if key not in may_differ
        }
    for name in services():
        if name.endswith(SUFFIX):
            assert services()[name]["networks"] == {"default": {"aliases": [name.removesuffix(SUFFIX)]}}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_host_that_is_named_answers_in_the_profile(profile: str) -> None:
    for name, service in services_of(profile).items():
        for text in strings_in(service.get("environment", {})):
            for host in re.findall(r"://(?:[^@/\s]*@)?([a-z][a-z0-9-]*)[:/]", text):
                assert host in hosts_of(profile), f"{name} asks for {host}"


@pytest.mark.parametrize("profile", PROFILES)
def test_services_wait_only_for_services_of_their_profile(profile: str) -> None:
    for name, service in services_of(profile).items():
        assert set(service.get("depends_on", {})) <= set(services_of(profile)), name


@pytest.mark.parametrize(
    ("profile", "traces", "logs"),
    [
        ("lgtm", "tempo+http://tempo:3200", "loki+http://loki:3100"),
        ("native", "jaeger+http://jaeger:16686", "victorialogs+http://victoria-logs:9428"),
    ],
)
def test_gateway_knows_where_to_read(profile: str, traces: str, logs: str) -> None:
    environment = service_for(profile, "gateway")["environment"]
    assert environment["GATEWAYZ_TRACES_URL"] == traces
    assert environment["GATEWAYZ_LOGS_URL"] == logs


@pytest.mark.parametrize("profile", PROFILES)
def test_collector_is_given_the_files_of_the_stores_that_run(profile: str) -> None:
    collector = service_for(profile, "otel-collector")
    assert ("./otel-collector", "/etc/otelcol", "ro") in mounts(collector)
    given = [word for word in collector["command"] if word != "--config"]
    assert given == [f"/etc/otelcol/{name}" for name in ("config.yaml", *stores_files(profile))]
    for path in given:
        assert (ROOT / "otel-collector" / Path(path).name).is_file()


def stores_files(profile: str) -> list[str]:
    return [
        f"store-{store}.yaml"
        for store in sorted(STORES[profile], key=("tempo", "jaeger", "loki", "victoria-logs").index)
    ]


@pytest.mark.parametrize("profile", PROFILES)
def test_only_gateway_grafana_and_prometheus_are_published_and_only_here_by_default(profile: str) -> None:
    published = {
        name.removesuffix(SUFFIX): service["ports"]
        for name, service in services_of(profile).items()
        if "ports" in service
    }
    assert published == {
        "gateway": ["${PUBLISH_ADDRESS:-127.0.0.1}:${GATEWAY_PORT:-8000}:8000"],
        "grafana": ["${PUBLISH_ADDRESS:-127.0.0.1}:${GRAFANA_PORT:-3000}:3000"],
        "prometheus": ["${PUBLISH_ADDRESS:-127.0.0.1}:${PROMETHEUS_PORT:-9090}:9090"],
    }
    assert not any(service.get("network_mode") == "host" for service in services().values())


# --- files, volumes, images, variables


def test_every_mounted_file_exists_and_is_read_only() -> None:
    for name, service in services().items():
        for source, target, mode in mounts(service):
            if source.startswith("."):
                assert (ROOT / source).exists(), f"{name} mounts {source}, which is not there"
                assert mode == "ro", f"{name} could write to {source} ({target})"


def test_every_file_of_variables_exists() -> None:
    for name, service in services().items():
        for entry in service.get("env_file", []):
            if isinstance(entry, str):  # else it may be absent
                assert all((ROOT / choice).is_file() for choice in alternatives(entry)), f"{name} reads {entry}"


def alternatives(entry: str) -> list[str]:
    """A name with ``${NAME:+word}`` in it, without and with the word."""
    return [re.sub(r"\$\{\w+:\+([^}]*)\}", replacement, entry) for replacement in ("", r"\1")]


def test_every_named_volume_is_declared_and_used() -> None:
    used = {source for service in services().values() for source, _, _ in mounts(service) if not source.startswith(".")}
    assert used == set(compose()["volumes"])


def test_every_image_is_pinned_to_a_version() -> None:
    for name, service in services().items():
        if "build" not in service:
            assert re.fullmatch(r"[\w./-]+:v?\d+(\.\d+)*(-alpine)?", service["image"]), f"{name}: {service['image']}"


def test_images_are_of_the_versions_that_run_natively() -> None:
    folders = [*ROOT.glob("*/component.yaml"), *ROOT.glob("*/build/component.yaml")]
    images = {path.relative_to(ROOT).parts[0]: load(path)["image"] for path in folders}
    assert {"otel-collector", "prometheus", *STORES["lgtm"], *STORES["native"]} <= set(images)
    for name, service in services().items():
        if (folder := name.removesuffix(SUFFIX)) in images:
            assert service["image"] == images[folder], name
    assert set(images) <= set(services())


def test_every_variable_is_in_the_table_with_its_default() -> None:
    documented = variables_documented(COMPOSE)
    used = variables_used(uncommented(COMPOSE))
    assert set(used) == set(documented)
    for name, default in used.items():
        if documented[name] != "(unset)" and name != "ALERT_WEBHOOK_URL":
            assert documented[name] == default


def test_example_of_an_environment_names_what_compose_reads() -> None:
    in_settings = {"GATEWAYZ_WORKERS"}
    assert set(COMPOSE_VARIABLES) == set(variables_documented(COMPOSE)) - in_settings | {"COMPOSE_PROFILES"}


@pytest.mark.parametrize("name", EXPANDING)
def test_compose_sets_only_variables_that_the_configuration_reads(name: str) -> None:
    assert set(services()[name]["environment"]) <= set(variables_read(name)) | FOR_GO


@pytest.mark.parametrize("name", EXPANDING)
def test_every_variable_that_would_be_loopback_or_relative_is_set_for_a_container(name: str) -> None:
    given = services()[name]["environment"]
    for variable, default in variables_read(name).items():
        if "127.0.0.1" in default or default.startswith("./"):
            assert variable in given, f"{variable} would stay {default} inside the container"


@pytest.mark.parametrize("name", EXPANDING)
def test_every_variable_without_a_default_is_set(name: str) -> None:
    missing = {variable for variable, default in variables_read(name).items() if not default}
    assert missing <= set(services()[name]["environment"])


def test_victoria_logs_is_given_every_flag_that_its_file_leaves_to_the_starter() -> None:
    text = (ROOT / "victoria-logs" / "victoria-logs.env").read_text()
    left = set(re.findall(r"^# (VL_\w+) ", text, re.M))
    settled = set(re.findall(r"^(VL_\w+)=", text, re.M))
    assert left
    assert settled
    assert set(services()["victoria-logs"]["environment"]) == left
    assert services()["victoria-logs"]["env_file"] == ["victoria-logs/victoria-logs.env"]
    assert services()["victoria-logs"]["command"] == ["-envflag.enable", "-envflag.prefix=VL_"]


def test_retention_is_one_setting_for_either_store() -> None:
    traces, lines = "${GATEWAYZ_STACK_TRACE_RETENTION:-72h}", "${GATEWAYZ_STACK_LOG_RETENTION:-7d}"
    assert services()["tempo"]["environment"]["TEMPO_RETENTION"] == traces
    assert services()["jaeger"]["environment"]["JAEGER_RETENTION"] == traces
    assert services()["loki"]["environment"]["LOKI_RETENTION"] == lines
    assert services()["victoria-logs"]["environment"]["VL_retentionPeriod"] == lines


@pytest.mark.parametrize(
    ("name", "variable"), [("otel-collector", "OTELCOL_MEMORY_LIMIT_MIB"), ("jaeger", "JAEGER_MEMORY_LIMIT_MIB")]
)
def test_go_collects_garbage_before_data_is_refused(name: str, variable: str) -> None:
    environment = services()[name]["environment"]
    assert environment["GOMEMLIMIT"] == f"{int(environment[variable]) * 4 // 5}MiB"


def test_memory_limit_of_the_collector_leaves_room_below_the_container() -> None:
    collector = services()["otel-collector"]
    assert int(collector["mem_limit"].removesuffix("m")) > int(collector["environment"]["OTELCOL_MEMORY_LIMIT_MIB"])


@pytest.mark.parametrize("profile", PROFILES)
def test_every_scrape_target_is_a_service_that_runs(profile: str) -> None:
    """And each job has its targets but those of the other profile's stores, for which StoreDown would fire."""
    (other,) = set(PROFILES) - {profile}
    mounted = {
        Path(target).stem: ROOT / source
        for source, target, _ in mounts(service_for(profile, "prometheus"))
        if target.startswith("/etc/prometheus/targets/")
    }
    jobs = {job["job_name"] for job in load(ROOT / "prometheus" / "prom.yml")["scrape_configs"]}
    assert set(mounted) == jobs - STORES[other]
    for job, path in mounted.items():
        assert path.name == f"{job}.json"
        targets = [target for group in load(path) for target in group["targets"]]
        assert targets
        for target in targets:
            assert target.partition(":")[0] in hosts_of(profile)


def test_services_with_a_shell_or_a_probe_are_checked() -> None:
    # These images hold nothing but the program; the gateway's check is in its Dockerfile.
    unchecked = {name.removesuffix(SUFFIX) for name, service in services().items() if "healthcheck" not in service}
    assert unchecked == {"gateway", "otel-collector", "redis-exporter", "victoria-logs"}
    assert "HEALTHCHECK" in (ROOT / "service" / "Dockerfile").read_text()


@pytest.mark.parametrize("profile", PROFILES)
def test_stop_order_is_gateway_then_collector_then_stores(profile: str) -> None:
    def waits_for(name: str) -> set[str]:
        return {other.removesuffix(SUFFIX) for other in service_for(profile, name)["depends_on"]}

    assert "otel-collector" in waits_for("gateway")
    assert {*STORES[profile], "prometheus"} <= waits_for("otel-collector")
    assert "alertmanager" in waits_for("prometheus")


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


def test_what_ci_publishes_beside_is_the_stores_on_this_machine_only() -> None:
    extra = load(ROOT / ".ci" / "compose-stores.yml")["services"]
    assert set(extra) == STORES["lgtm"]
    for service in extra.values():
        assert set(service) == {"ports"}
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_workflow_tries_every_profile_with_the_script_that_anybody_can_run() -> None:
    job = load(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["compose"]
    assert job["strategy"]["matrix"]["profile"] == list(PROFILES)
    assert ".ci/compose ${{ matrix.profile }}" in [step.get("run") for step in job["steps"]]
    assert os.access(ROOT / ".ci" / "compose", os.X_OK)


def test_every_action_of_the_workflow_is_pinned_to_a_commit() -> None:
    for job in load(ROOT / ".github" / "workflows" / "ci.yml")["jobs"].values():
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])
