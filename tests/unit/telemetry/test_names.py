"""The table is consistent in itself, and the page made of it is the one in docs/."""

from __future__ import annotations

from pathlib import Path

from gatewayz.telemetry import names
from tools.telemetry_reference import markdown

ROOT = Path(__file__).parents[3]


def test_no_name_is_given_twice() -> None:
    for table in (names.SPANS, names.ATTRIBUTES, names.INSTRUMENTS, names.SERIES):
        given = [entry.name for entry in table]
        assert len(given) == len(set(given))


def test_histograms_have_rising_buckets_and_others_none() -> None:
    for instrument in names.INSTRUMENTS:
        assert bool(instrument.buckets) == (instrument.kind == "histogram")
        assert list(instrument.buckets) == sorted(set(instrument.buckets))


def test_the_first_eleven_duration_buckets_are_those_that_existing_dashboards_use() -> None:
    assert names.SECONDS[:11] == (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10)


def test_no_metric_is_split_by_what_has_no_bound() -> None:
    unbounded = {names.KEY_ID, names.CUSTOMER_ID, names.REQUEST_ID, names.RESPONSE_ID, names.URL_PATH, names.USER_AGENT}
    for instrument in names.INSTRUMENTS:
        assert not unbounded & set(instrument.attributes)


def test_series_follow_the_exporters_rules_for_names() -> None:
    made = {series.source: series for series in map(names.series_of, names.INSTRUMENTS)}
    duration = made["instrument `gen_ai.client.operation.duration`"]
    assert (duration.name, duration.type) == ("gen_ai_client_operation_duration_seconds", "histogram")
    assert names.sample_names(duration)[0] == "gen_ai_client_operation_duration_seconds_bucket"
    assert made["instrument `gatewayz.requests.rejected`"].name == "gatewayz_requests_rejected_total"
    assert made["instrument `http.server.request.body.size`"].name == "http_server_request_body_size_bytes"
    assert made["instrument `gatewayz.uptime`"].name == "gatewayz_uptime_seconds"


def test_the_reference_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "telemetry.md").read_text() == markdown()
