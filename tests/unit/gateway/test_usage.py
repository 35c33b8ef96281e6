"""What an attempt is charged that did not end as it should."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes.otlp import attributes
from tests.polling import until
from tests.unit.gateway.conftest import Rig, Rigs


def first_attempt(rig: Rig) -> dict[str, Any]:
    return attributes(rig.spans()[0].attributes)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("script", ["rst-before-headers", "close-before-headers", "hang"])
async def test_attempt_without_an_answer_is_possibly_billed(rig: Rig, script: str, stream: bool) -> None:
    await rig.ask(f"openai/{script}", models=["groq/ok"], stream=stream)

    told = first_attempt(rig)
    assert told["gatewayz.usage.possibly_billed"] is True
    assert told["gatewayz.usage.source"] == "none"
    assert "gatewayz.cost.source" not in told


@pytest.mark.parametrize("script", ["500", "429", "400-context", "error-200", "error-first-event"])
async def test_error_answer_is_charged_nothing(rig: Rig, script: str) -> None:
    await rig.ask(f"openai/{script}", stream=script == "error-first-event")

    told = first_attempt(rig)
    assert "gatewayz.usage.possibly_billed" not in told
    assert told["gatewayz.usage.source"] == "none"


async def test_unreachable_provider_is_charged_nothing(rigs: Rigs) -> None:
    rig = await rigs(environment={"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"})
    await rig.ask("openai/ok", models=["groq/ok"])

    assert "gatewayz.usage.possibly_billed" not in first_attempt(rig)


async def test_cancelled_call_is_charged_for_its_input(rigs: Rigs) -> None:
    rig = await rigs(real_time=True)
    call = asyncio.create_task(rig.ask("openai/hang"))
    await until(lambda: bool(rig.fakes["openai"].requests))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)

    rig.telemetry.close(5)
    (span,) = rig.spans()
    told = attributes(span.attributes)
    assert (told["error.type"], told["gatewayz.usage.source"]) == ("caller_cancelled", "estimate")
    assert told["gen_ai.usage.input_tokens"] > 0
    assert told["gen_ai.usage.output_tokens"] == 0


async def test_answer_without_usage_is_charged_by_estimate(rig: Rig) -> None:
    await rig.ask("openai/no-usage", stream=True)

    told = first_attempt(rig)
    assert told["gatewayz.usage.source"] == "estimate"
    assert told["gen_ai.usage.output_tokens"] == 5
