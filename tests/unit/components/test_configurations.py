"""The configuration files against their own tables and against telemetry/names.py."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gatewayz.stack.stores import STORES
from gatewayz.telemetry import names
from tests.unit.components.documents import (
    CONFIGURATIONS,
    ROOT,
    STORE_FILES,
    load,
    strings_in,
    uncommented,
    variables_documented,
    variables_used,
)
from tests.unit.components.promql import metrics_in

COLLECTOR = CONFIGURATIONS["otel-collector"]
RULES = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
SAMPLES = {sample for series in names.SERIES for sample in names.sample_names(series)}


OF_THE_STORES = {
    "jaeger_storage_badger_key_log_bytes_available",
    "process_resident_memory_anon_bytes",
    *("vl_free_disk_space_bytes", "vl_http_errors_total", "vl_rows_dropped_total"),
    *("vl_storage_is_read_only", "vl_streams_created_total"),
}
"""Series of Jaeger and VictoriaLogs about themselves; the stack tests look whether they are there."""


def collector() -> dict[str, Any]:  # a foreign document
    """The base and the files of all stores together, as the Collector merges them: maps by key, lists replaced."""
    merged: dict[str, Any] = load(COLLECTOR)
    for path in STORE_FILES:
        merged = merge(merged, load(path))
    return merged


def merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:  # foreign documents
    both = under.keys() & over.keys()
    inner = {
        key: merge(under[key], over[key])
        for key in both
        if isinstance(under[key], dict) and isinstance(over[key], dict)
    }
    return under | over | inner


def statements() -> list[str]:
    """Every OTTL statement and condition of the Collector's transforms and filters."""
    processors = collector()["processors"]
    chosen = {name: settings for name, settings in processors.items() if name.startswith(("transform/", "filter/"))}
    return [text for text in strings_in(chosen) if "(" in text or " == " in text or " != " in text]


def alerts() -> list[dict[str, Any]]:  # a foreign document
    return [rule for path in RULES for group in load(path)["groups"] for rule in group["rules"] if "alert" in rule]


# --- variables


EXPANDING = [*CONFIGURATIONS.values(), *STORE_FILES]


def file_name(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("path", EXPANDING, ids=file_name)
def test_every_variable_is_in_the_table_with_its_default(path: Path) -> None:
    assert variables_used(uncommented(path)) == variables_documented(path)


@pytest.mark.parametrize("path", EXPANDING, ids=file_name)
def test_no_port_is_fixed(path: Path) -> None:
    without_defaults = re.sub(r"\$\{[^}]*\}", "", uncommented(path))
    assert not re.search(r"(127\.0\.0\.1|0\.0\.0\.0|localhost):\d+|_port: \d", without_defaults)


# --- the Collector


def test_memory_limiter_is_first_wherever_data_comes_in() -> None:
    for name, pipeline in collector()["service"]["pipelines"].items():
        if "otlp" in pipeline["receivers"]:
            assert pipeline["processors"][0] == "memory_limiter", name


def test_counting_branches_lose_the_instance_and_sdk_metrics_keep_it() -> None:
    for name, pipeline in collector()["service"]["pipelines"].items():
        counts = any(exporter.startswith("span_metrics/") for exporter in pipeline["exporters"])
        assert ("resource/noinst" in pipeline["processors"]) == counts, name


def test_no_store_can_push_back_into_the_receiver() -> None:
    for name, pipeline in collector()["service"]["pipelines"].items():
        if any(exporter.startswith("otlp_http/") for exporter in pipeline["exporters"]):
            assert pipeline["receivers"][0].startswith("forward/"), name
            assert pipeline["processors"][-1].startswith("batch/"), name


def test_every_store_has_a_file_of_its_own_that_touches_nobody_elses_branch() -> None:
    assert [path.name for path in STORE_FILES] == sorted(store.collector_file for store in STORES.values())
    base = load(COLLECTOR)
    for path in STORE_FILES:
        own = load(path)
        for kind in ("processors", "exporters", "connectors"):
            assert not own.get(kind, {}).keys() & base[kind].keys(), path.name
        pipelines = own["service"]["pipelines"]
        (branch,) = [name for name in pipelines if "/" in name]
        assert pipelines.keys() - {branch} <= {"logs"}
        assert pipelines.get("logs", {}) in ({}, {"exporters": ["forward/logs"]}), path.name


def test_counting_branches_are_in_the_base_whatever_the_stores() -> None:
    pipelines = load(COLLECTOR)["service"]["pipelines"]
    counting = {
        name for name, pipeline in pipelines.items() if any("span_metrics" in one for one in pipeline["exporters"])
    }
    assert counting == {"traces/server", "traces/attempts", "traces/external"}
    assert all(pipelines[name]["receivers"] == ["forward/spans"] for name in counting)
    assert pipelines["traces"]["exporters"] == ["forward/spans"]
    assert not [name for name in load(COLLECTOR)["exporters"] if name.startswith("otlp")]


def test_no_attribute_makes_a_log_stream_for_each_worker() -> None:
    headers = collector()["exporters"]["otlp_http/victoria_logs"]["headers"]
    # Without the header every attribute of the resource would be one.
    assert headers == {"VL-Stream-Fields": "service.name,env,job,app"}


def test_what_jaeger_cannot_index_is_cut_on_its_branch_only() -> None:
    pipelines = collector()["service"]["pipelines"]
    cutting = {name for name, pipeline in pipelines.items() if "transform/fit_jaeger" in pipeline["processors"]}
    assert cutting == {"traces/jaeger"}
    statements = list(strings_in(collector()["processors"]["transform/fit_jaeger"]))
    limits = [int(number) for text in statements for number in re.findall(r"attributes, (\d+)", text)]
    assert limits
    assert max(limits) <= 60_000  # a key of its index may have 65,000 bytes, the names in it included


def test_queues_to_the_stores_are_on_disk_and_never_give_up() -> None:
    for name, exporter in collector()["exporters"].items():
        if name.startswith("otlp_http/"):
            assert exporter["sending_queue"]["storage"] == "file_storage"
            assert exporter["retry_on_failure"]["max_elapsed_time"] == 0


def test_flush_interval_is_the_scrape_interval() -> None:
    (job,) = [job for job in load(ROOT / "prometheus" / "prom.yml")["scrape_configs"] if job["job_name"] == "gatewayz"]
    for name, connector in collector()["connectors"].items():
        if name.startswith("span_metrics/"):
            assert connector["metrics_flush_interval"] == job["scrape_interval"]


def test_buckets_are_those_of_the_contract() -> None:
    def seconds(name: str) -> tuple[float, ...]:
        texts: list[str] = collector()["connectors"][name]["histogram"]["explicit"]["buckets"]
        return tuple(
            float(text[:-2]) / 1000 if text.endswith("ms") else float(text.removesuffix("s")) for text in texts
        )

    assert seconds("span_metrics/http") == names.SECONDS
    assert seconds("span_metrics/external") == names.SECONDS
    assert seconds("span_metrics/model") == tuple(sorted((*names.SECONDS, 2.0)))


def test_dimensions_are_span_attributes_of_the_contract() -> None:
    known = {attribute.name for attribute in names.ATTRIBUTES} | {"service"}  # made by transform/external_service
    for name, connector in collector()["connectors"].items():
        if name.startswith("span_metrics/"):
            for dimension in connector["dimensions"] + connector.get("calls_dimensions", []):
                assert dimension["name"] in known, name


def test_attributes_that_the_collector_reads_are_in_the_contract() -> None:
    known = {attribute.name for attribute in names.ATTRIBUTES}
    known |= {attribute for instrument in names.INSTRUMENTS for attribute in instrument.attributes}
    known |= {label for series in names.SERIES for label in series.labels}
    known |= {"service.name", "deployment.environment.name"}  # the resource
    known |= {"app", "job", "env", "service", "level"}  # what Loki indexes by (decisions on logs)
    known |= {"gen_ai.system"}  # for older readers of traces
    known |= {"status.code"}  # span_metrics' own
    for statement in statements():
        for attribute in re.findall(r'attributes\["([^"]+)"\]', statement):
            assert attribute in known, statement


def made_by_the_collector() -> set[str]:
    """Names (dotted) that the transforms give to metrics."""
    text = "\n".join(statements())
    return set(re.findall(r'set\(metric\.name, "([^"]+)"\)', text)) | set(
        re.findall(r'copy_metric\(name="([^"]+)"', text)
    )


def test_metrics_that_the_collector_reads_exist() -> None:
    known = {instrument.name for instrument in names.INSTRUMENTS} | made_by_the_collector()
    for connector in collector()["connectors"]:
        if connector.startswith("span_metrics/"):
            namespace = connector.partition("/")[2]
            known |= {f"{namespace}.calls", f"{namespace}.duration"}
    known |= {
        f"{name}_{part}" for name in known for part in ("sum", "count")
    }  # extract_sum_metric, extract_count_metric
    for statement in statements():
        for metric in re.findall(r'metric\.name == "([^"]+)"', statement):
            assert metric in known, statement


def test_series_that_the_collector_makes_are_exactly_those_of_the_contract() -> None:
    families = {name.replace(".", "_") for name in made_by_the_collector()}
    as_instrument = {names.series_of(instrument).name for instrument in names.INSTRUMENTS}
    promised = {
        re.sub(r"_(total|seconds|bytes)$", "", series.name)
        for series in names.SERIES
        if series.emitted and series.name not in as_instrument and series.name != "target_info"
    }
    assert families == promised


def test_loki_indexes_by_what_the_collector_sets_and_nothing_unbounded() -> None:
    indexed = load(CONFIGURATIONS["loki"])["distributor"]["otlp_config"]["default_resource_attributes_as_index_labels"]
    assert indexed == ["service.name", "app", "job", "env", "service"]
    text = "\n".join(statements())
    for label in ("app", "job", "env", "service"):
        assert f'set(resource.attributes["{label}"]' in text


# --- Prometheus and Alertmanager


def test_every_job_has_its_target_file_and_no_file_is_unused() -> None:
    jobs = {job["job_name"]: job for job in load(ROOT / "prometheus" / "prom.yml")["scrape_configs"]}
    assert {path.stem for path in (ROOT / "prometheus" / "targets").glob("*.json")} == set(jobs)
    for name, job in jobs.items():
        assert job["file_sd_configs"] == [{"files": [f"targets/{name}.json"]}]


def test_first_observations_and_exemplars_are_kept() -> None:
    (job,) = [job for job in load(ROOT / "prometheus" / "prom.yml")["scrape_configs"] if job["job_name"] == "gatewayz"]
    assert job["scrape_protocols"][0] == "PrometheusProto"
    assert job["honor_labels"] is True


def test_rules_read_only_series_that_exist() -> None:
    for rule in alerts():
        for metric in metrics_in(rule["expr"]):
            known = metric in SAMPLES or metric == "up" or metric.startswith("otelcol_") or metric in OF_THE_STORES
            assert known, f"{rule['alert']} reads {metric}"


def test_every_alert_has_a_severity_a_summary_and_a_runbook_of_its_own() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "warning", "info"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{rule['alert']}.md"
        assert (ROOT / rule["annotations"]["runbook_url"]).is_file()
    assert {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")} == {rule["alert"] for rule in alerts()}


def test_every_alert_is_tested_firing_and_silent() -> None:
    firing: set[str] = set()
    silent: set[str] = set()
    for path in (ROOT / "prometheus" / "rules" / "tests").glob("*.yml"):
        for case in load(path)["tests"]:
            for check in case.get("alert_rule_test", []):
                (firing if check.get("exp_alerts") else silent).add(check["alertname"])
    every = {rule["alert"] for rule in alerts()}
    assert firing == every
    assert silent == every


def test_alertmanager_differs_only_by_the_receiver() -> None:
    quiet = load(ROOT / "alertmanager" / "alertmanager.yml")
    webhook = load(ROOT / "alertmanager" / "alertmanager-webhook.yml")
    assert quiet["receivers"] == [{"name": "none"}]
    assert webhook["receivers"][0]["webhook_configs"][0]["url_file"] == "webhook_url"
    assert quiet["route"] | {"receiver": ""} == webhook["route"] | {"receiver": ""}
    assert quiet["inhibit_rules"] == webhook["inhibit_rules"]


def test_inhibitions_name_alerts_that_exist() -> None:
    known = {rule["alert"] for rule in alerts()}
    for rule in load(ROOT / "alertmanager" / "alertmanager.yml")["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            (pattern,) = re.findall(r'alertname=~?"([^"]+)"', matcher)
            assert set(pattern.split("|")) <= known
