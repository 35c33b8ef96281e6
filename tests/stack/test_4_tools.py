"""`gatewayz doctor` and `gatewayz demo` against the real stack."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gatewayz import doctor, traffic
from gatewayz.doctor import DoctorOptions
from gatewayz.stack.runner import Stack
from gatewayz.telemetry.names import SERIES, sample_names
from gatewayz.traffic import TrafficOptions
from tests.stack.series import Stores, eventually
from tests.unit.components.documents import ROOT, load
from tests.unit.components.promql import metrics_in

COUNTS_ONLY_DEFECTS_AND_REFUSALS = {"gatewayz_telemetry_errors_total", "gatewayz_requests_rejected_total"}
"""Without a defect of ours, and without a policy that refuses, these have nothing to say."""

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]


async def examine(
    stack: Stack, capsys: pytest.CaptureFixture[str], *, stream: bool = False
) -> tuple[int, dict[str, Any]]:
    """Exit status and findings. Without a key or any address: it is on the same machine and finds both."""
    options = DoctorOptions(environment={}, data_dir=stack.options.data_dir, stream=stream, json=True)
    status = await asyncio.to_thread(doctor.run, options)
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("stream", [False, True])
async def test_the_doctor_sees_every_hop_work(stack: Stack, capsys: pytest.CaptureFixture[str], stream: bool) -> None:
    status, document = await examine(stack, capsys, stream=stream)

    assert status == 0, document
    assert {hop["state"] for hop in document["hops"]} == {"ok"}


async def test_the_doctor_names_exactly_the_broken_link(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    await stack.stop_component("victoria-logs")
    try:
        status, document = await examine(stack, capsys)
    finally:
        await stack.start_component("victoria-logs")

    assert status == 1
    assert [hop["hop"] for hop in document["hops"] if hop["state"] != "ok"] == ["log line in VictoriaLogs"]


async def test_the_demo_gives_data_to_every_series(
    stack: Stack, stores: Stores, api_key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = TrafficOptions(
        environment={"GATEWAYZ_API_KEY": api_key}, data_dir=stack.options.data_dir, seconds=10, rate_per_s=10, seed=1
    )

    status = await asyncio.to_thread(traffic.run, options)

    printed = capsys.readouterr().out
    assert status == 0, printed
    assert "Seed 1" in printed

    async def look() -> None:
        present = await stores.series_names()
        missing = {series.name for series in SERIES if series.emitted and not set(sample_names(series)) <= present}
        assert missing <= COUNTS_ONLY_DEFECTS_AND_REFUSALS

    await eventually(look)


async def test_every_series_that_an_alert_on_the_stores_reads_is_there(stores: Stores) -> None:
    (group,) = load(ROOT / "prometheus" / "rules" / "stores.yml")["groups"]
    read = {metric for rule in group["rules"] for metric in metrics_in(rule["expr"])}

    async def look() -> None:
        assert read <= await stores.series_names()

    await eventually(look)


async def test_every_rule_can_be_evaluated_and_no_alert_is_left(stores: Stores) -> None:
    # Last of all: by now every series that a rule asks for has been there.
    async def look() -> None:
        rules = await stores.rules()
        assert {name: error for name, health, error in rules if health != "ok"} == {}
        assert await stores.query('ALERTS{alertstate="firing"}') == []

    await eventually(look, patience_s=120)
