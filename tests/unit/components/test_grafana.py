"""Grafana's data sources: every link leads somewhere."""

from __future__ import annotations

import re
from typing import Any

from gatewayz.telemetry import names
from tests.unit.components.documents import ROOT, load, services, strings_in
from tests.unit.components.promql import metrics_in

SOURCES = ROOT / "grafana" / "provisioning" / "datasources" / "stores.yaml"


def sources() -> dict[str, dict[str, Any]]:  # a foreign document
    listed: list[dict[str, Any]] = load(SOURCES)["datasources"]
    by_uid = {source["uid"]: source for source in listed}
    assert len(by_uid) == len(listed), "two data sources share a uid"
    return by_uid


def dashboards() -> list[dict[str, Any]]:  # foreign documents
    return [load(path) for path in sorted((ROOT / "grafana" / "dashboards").glob("*.json"))]


def referred_uids(document: object) -> set[str]:
    return set(re.findall(r"'datasourceUid': '([^']+)'", repr(document)))


def test_every_uid_that_a_link_names_is_provisioned() -> None:
    assert referred_uids(list(sources().values())) <= set(sources())


def test_every_source_is_a_service_at_its_standard_port() -> None:
    ports = {"prometheus": 9090, "tempo": 3200, "loki": 3100, "alertmanager": 9093}
    for uid, source in sources().items():
        assert uid in services()
        assert source["url"] == f"http://{uid}:{ports[uid]}"


def test_number_trace_and_log_line_are_linked_both_ways() -> None:
    found = sources()
    assert referred_uids(found["prometheus"]) == {"tempo"}
    assert referred_uids(found["tempo"]) == {"loki", "prometheus"}
    assert referred_uids(found["loki"]) == {"tempo"}


def test_variables_of_grafana_survive_provisioning() -> None:
    for text in strings_in(load(SOURCES)):
        assert not re.search(r"\$[\w{]", text.replace("$$", "")), text


def test_prometheus_steps_by_the_scrape_interval_of_the_gateways_series() -> None:
    (job,) = [job for job in load(ROOT / "prometheus" / "prom.yml")["scrape_configs"] if job["job_name"] == "gatewayz"]
    assert sources()["prometheus"]["jsonData"]["timeInterval"] == job["scrape_interval"]


def test_queries_from_a_trace_read_series_that_exist() -> None:
    known = {sample for series in names.SERIES for sample in names.sample_names(series)}
    for query in sources()["tempo"]["jsonData"]["tracesToMetrics"]["queries"]:
        assert metrics_in(query["query"]) <= known


def test_dashboards_are_mounted_where_the_provider_looks() -> None:
    (provider,) = load(ROOT / "grafana" / "provisioning" / "dashboards" / "files.yaml")["providers"]
    volumes = services()["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in volumes


def test_every_dashboard_has_an_identity_of_its_own_and_no_number() -> None:
    assert len({board["uid"] for board in dashboards()}) == len(dashboards()) > 0
    assert len({board["title"] for board in dashboards()}) == len(dashboards())
    assert not any("id" in board for board in dashboards())


def test_every_panel_asks_a_source_that_is_provisioned() -> None:
    for board in dashboards():
        for panel in board["panels"]:
            for query in [panel, *panel["targets"]]:
                assert query["datasource"]["uid"] in sources(), panel["title"]
                assert query["datasource"]["type"] == sources()[query["datasource"]["uid"]]["type"]


def test_every_panel_reads_series_that_exist() -> None:
    known = {sample for series in names.SERIES for sample in names.sample_names(series)}
    for board in dashboards():
        for panel in board["panels"]:
            for query in panel["targets"]:
                if query["datasource"]["uid"] == "prometheus":
                    unknown = {name for name in metrics_in(query["expr"]) - known if not name.startswith("otelcol_")}
                    assert not unknown, panel["title"]
