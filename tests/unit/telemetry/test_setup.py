"""One worker's telemetry: its resource, its switches, and what it observes itself."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.otlp import GrpcSink, attributes
from tests.unit.telemetry.conftest import DONE, OK, Opener, Stdout, attempt, http_request, one_request
from tests.unit.telemetry.delivered import TRACE, W3C


def test_two_workers_are_two_instances(opened: Opener, sink: GrpcSink) -> None:
    first, second = opened(sink.environment), opened(sink.environment)
    assert first.instance_id != second.instance_id
    one_request(first)
    one_request(second)
    first.close(5)
    second.close(5)
    instances = {attributes(resource.attributes)["service.instance.id"] for resource in sink.received.resources}
    assert instances == {first.instance_id, second.instance_id}


def test_resource_names_service_version_and_instance(opened: Opener, sink: GrpcSink) -> None:
    extra = {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=staging,team=a%20b,service.instance.id=mine"}
    telemetry = opened({**sink.environment, **extra})
    one_request(telemetry)
    telemetry.close(5)
    values = attributes(sink.received.resources[0].attributes)
    assert values["service.name"] == "gatewayz-api"
    assert values["deployment.environment.name"] == "staging"
    assert values["team"] == "a b"
    assert values["service.instance.id"] == telemetry.instance_id
    assert {"service.version", "process.pid", "host.name", "telemetry.sdk.version"} <= set(values)
    assert "service.namespace" not in values
    assert "process.command_args" not in values
    renamed = opened({**sink.environment, "OTEL_SERVICE_NAME": "mine"})
    one_request(renamed)
    renamed.close(5)
    assert attributes(sink.received.resources[-1].attributes)["service.name"] == "mine"


def test_switched_off_there_are_ids_and_lines_but_nothing_leaves(
    opened: Opener, sink: GrpcSink, stdout: Stdout
) -> None:
    telemetry = opened({**sink.environment, "OTEL_SDK_DISABLED": "true"})
    request = telemetry.start_request(http_request(headers=W3C))
    request.start_attempt(attempt()).end(OK)
    request.event("x", {})
    request.end(DONE)
    telemetry.close(1)
    assert sink.received.calls == 0
    (line,) = stdout.lines()
    assert line["trace_id"] == request.trace_id == TRACE
    assert request.trace_id.encode() in request.traceresponse
    assert [account.signal for account in telemetry.accounts()] == ["stdout"]


def test_without_a_collector_metrics_can_be_read_and_nothing_counts_as_lost(opened: Opener) -> None:
    telemetry = opened()
    one_request(telemetry)
    body, content_type = telemetry.exposition("text/plain")
    assert content_type.startswith("text/plain; version=0.0.4")
    assert b"gen_ai_client_operation_duration_seconds_count{" in body
    assert b"gatewayz_build_info{" in body
    body, content_type = telemetry.exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert [account.signal for account in telemetry.accounts()] == ["stdout"]


@pytest.mark.parametrize("signal", ["TRACES", "LOGS"])
def test_a_signal_can_be_switched_off_alone(opened: Opener, sink: GrpcSink, signal: str) -> None:
    telemetry = opened({**sink.environment, f"OTEL_{signal}_EXPORTER": "none"})
    one_request(telemetry)
    telemetry.close(5)
    assert bool(sink.received.spans) == (signal != "TRACES")
    assert bool(sink.received.records) == (signal != "LOGS")


def test_observed_values_come_from_their_sources_and_a_broken_source_is_counted(opened: Opener) -> None:
    telemetry = opened()

    def broken() -> list[tuple[float, dict[str, str]]]:
        raise RuntimeError("no")

    telemetry.observe("gatewayz.provider.available", lambda: [(1, {"gatewayz.provider.name": "demo"})])
    telemetry.observe("gatewayz.provider.available", broken)
    telemetry.observe("gatewayz.provider.available", lambda: [(0, {"gatewayz.provider.name": "openai"})])
    telemetry.exposition("")
    text = telemetry.exposition("")[0].decode()
    assert 'gatewayz_provider_available{gatewayz_provider_name="demo"} 1.0' in text
    assert 'gatewayz_provider_available{gatewayz_provider_name="openai"} 0.0' in text
    assert 'gatewayz_telemetry_errors_total{where="observe"} 0.0' not in text
    assert 'gatewayz_telemetry_errors_total{where="request"} 0.0' in text
    with pytest.raises(KeyError):
        telemetry.observe("gatewayz.invented", list)
    with pytest.raises(ValueError, match="not an observable"):
        telemetry.observe("gatewayz.request.overhead", list)


async def test_blocked_event_loop_shows_as_lag(opened: Opener) -> None:
    import time

    telemetry = opened()
    assert b"gatewayz_event_loop_lag_seconds " not in telemetry.exposition("")[0]
    telemetry.watch_loop(asyncio.get_running_loop())
    await asyncio.sleep(0.02)
    time.sleep(0.35)  # noqa: ASYNC251 - blocking the loop is what is tested

    def lag() -> float:
        text = telemetry.exposition("")[0].decode()
        (line,) = [one for one in text.splitlines() if one.startswith("gatewayz_event_loop_lag_seconds ")]
        return float(line.split()[1])

    assert lag() > 0.1  # while it lasts
    await asyncio.sleep(0.05)
    assert lag() > 0.1  # and for a while afterwards
