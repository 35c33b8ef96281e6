"""Grafana's data sources and dashboards in either profile: every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gatewayz.telemetry import names
from tests.unit.components.documents import ROOT, load, strings_in
from tests.unit.components.profiles import PROFILES, hosts_of, service_for
from tests.unit.components.promql import metrics_in

PROVISIONING = ROOT / "grafana" / "provisioning"
PORTS = {"prometheus": 9090, "alertmanager": 9093, "tempo": 3200, "loki": 3100, "jaeger": 16686, "victoria-logs": 9428}
TRACES = {"lgtm": "tempo", "native": "jaeger"}
LOGS = {"lgtm": "loki", "native": "victoria-logs"}
PLUGIN = "victoriametrics-logs-datasource"

both_profiles = pytest.mark.parametrize("profile", PROFILES)


def sources_file(profile: str) -> Path:
    return PROVISIONING / "datasources" / f"{profile}.yaml"


def sources(profile: str) -> dict[str, dict[str, Any]]:  # a foreign document
    listed: list[dict[str, Any]] = load(sources_file(profile))["datasources"]
    by_uid = {source["uid"]: source for source in listed}
    assert len(by_uid) == len(listed), "two data sources share a uid"
    return by_uid


def dashboards(profile: str) -> dict[str, dict[str, Any]]:  # foreign documents
    return {path.name: load(path) for path in sorted((ROOT / "grafana" / "dashboards" / profile).glob("*.json"))}


def referred_uids(document: object) -> set[str]:
    return set(re.findall(r"'datasourceUid': '([^']+)'", repr(document)))


@both_profiles
def test_grafana_is_given_the_files_of_its_profile(profile: str) -> None:
    volumes = service_for(profile, "grafana")["volumes"]
    assert (
        f"./grafana/provisioning/datasources/{profile}.yaml:/etc/grafana/provisioning/datasources/stores.yaml:ro"
        in volumes
    )
    assert "./grafana/provisioning/dashboards:/etc/grafana/provisioning/dashboards:ro" in volumes
    (provider,) = load(PROVISIONING / "dashboards" / "files.yaml")["providers"]
    assert f"./grafana/dashboards/{profile}:{provider['options']['path']}:ro" in volumes


@both_profiles
def test_every_uid_that_a_link_names_is_provisioned(profile: str) -> None:
    assert referred_uids(list(sources(profile).values())) <= set(sources(profile))


@both_profiles
def test_every_source_is_a_service_at_its_standard_port(profile: str) -> None:
    assert set(sources(profile)) == {"prometheus", "alertmanager", TRACES[profile], LOGS[profile]}
    for uid, source in sources(profile).items():
        assert uid in hosts_of(profile)
        assert source["url"] == f"http://{uid}:{PORTS[uid]}"


@both_profiles
def test_number_trace_and_log_line_are_linked_both_ways(profile: str) -> None:
    found, traces, logs = sources(profile), TRACES[profile], LOGS[profile]
    assert referred_uids(found["prometheus"]) == {traces}
    assert referred_uids(found[traces]) == {logs, "prometheus"}
    assert referred_uids(found[logs]) == {traces}


def test_profiles_differ_only_by_their_stores() -> None:
    lgtm, native = sources("lgtm"), sources("native")
    assert lgtm["alertmanager"] == native["alertmanager"]
    as_lgtm = repr(native["prometheus"]).replace("'jaeger'", "'tempo'")
    assert as_lgtm == repr(lgtm["prometheus"])
    assert lgtm["tempo"]["jsonData"]["tracesToMetrics"] == native["jaeger"]["jsonData"]["tracesToMetrics"]


def test_lines_of_a_trace_are_asked_for_by_its_id() -> None:
    """Loki by a query of ours, since trace_id is no label of it; VictoriaLogs by the query that Grafana makes."""
    tempo, jaeger = (sources(p)[TRACES[p]]["jsonData"]["tracesToLogsV2"] for p in PROFILES)
    assert tempo["query"] == '{$${__tags}} | trace_id="$${__trace.traceId}"'
    assert jaeger["filterByTraceID"] is True
    assert "customQuery" not in jaeger


def test_field_that_leads_to_a_trace_is_named_as_each_plugin_compares_it() -> None:
    """Loki's takes a regular expression, VictoriaLogs' the very name."""
    (loki,), (victoria_logs,) = (sources(p)[LOGS[p]]["jsonData"]["derivedFields"] for p in PROFILES)
    assert loki["matcherRegex"] == "^trace_id$"
    assert victoria_logs["matcherRegex"] == "trace_id"


def test_plugin_of_victoria_logs_is_fetched_and_nothing_else() -> None:
    """``preinstall_disabled`` would leave it out as well; a failure of ``preinstall_sync`` ends Grafana's start."""
    assert sources("native")["victoria-logs"]["type"] == PLUGIN
    environment = service_for("native", "grafana")["environment"]
    assert re.fullmatch(rf"{PLUGIN}@\d+\.\d+\.\d+", environment["GF_PLUGINS_PREINSTALL"])
    assert environment["GF_PLUGINS_PREINSTALL_AUTO_UPDATE"] == "false"
    assert "GF_PLUGINS_PREINSTALL_DISABLED" not in environment
    assert "GF_PLUGINS_PREINSTALL_SYNC" not in environment


@both_profiles
def test_variables_of_grafana_survive_provisioning(profile: str) -> None:
    for text in strings_in(load(sources_file(profile))):
        assert not re.search(r"\$[\w{]", text.replace("$$", "")), text


def test_prometheus_steps_by_the_scrape_interval_of_the_gateways_series() -> None:
    (job,) = [job for job in load(ROOT / "prometheus" / "prom.yml")["scrape_configs"] if job["job_name"] == "gatewayz"]
    for profile in PROFILES:
        assert sources(profile)["prometheus"]["jsonData"]["timeInterval"] == job["scrape_interval"]


@both_profiles
def test_queries_from_a_trace_read_series_that_exist(profile: str) -> None:
    known = {sample for series in names.SERIES for sample in names.sample_names(series)}
    for query in sources(profile)[TRACES[profile]]["jsonData"]["tracesToMetrics"]["queries"]:
        assert metrics_in(query["query"]) <= known


@both_profiles
def test_every_dashboard_has_an_identity_of_its_own_and_no_number(profile: str) -> None:
    boards = list(dashboards(profile).values())
    assert len({board["uid"] for board in boards}) == len(boards) > 0
    assert len({board["title"] for board in boards}) == len(boards)
    assert not any("id" in board for board in boards)


def test_dashboards_of_the_profiles_differ_only_by_the_panels_that_ask_a_store() -> None:
    def without_stores(board: dict[str, Any]) -> dict[str, Any]:
        shared = [
            panel | ({} if panel["datasource"]["uid"] == "prometheus" else {"datasource": None, "targets": None})
            for panel in board["panels"]
        ]
        return board | {"panels": shared}

    lgtm, native = dashboards("lgtm"), dashboards("native")
    assert set(lgtm) == set(native)
    for name, board in lgtm.items():
        assert without_stores(board) == without_stores(native[name])


@both_profiles
def test_every_panel_asks_a_source_that_is_provisioned(profile: str) -> None:
    for board in dashboards(profile).values():
        for panel in board["panels"]:
            for query in [panel, *panel["targets"]]:
                source = sources(profile)[query["datasource"]["uid"]]
                assert query["datasource"]["type"] == source["type"], panel["title"]


@both_profiles
def test_every_panel_reads_series_that_exist(profile: str) -> None:
    known = {sample for series in names.SERIES for sample in names.sample_names(series)}
    for board in dashboards(profile).values():
        for panel in board["panels"]:
            for query in panel["targets"]:
                if query["datasource"]["uid"] == "prometheus":
                    unknown = {name for name in metrics_in(query["expr"]) - known if not name.startswith("otelcol_")}
                    assert not unknown, panel["title"]
