"""Streams: a failure before the first byte falls over, one after it is told inside the stream."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from tests.polling import until
from tests.unit.gateway.conftest import Result, Rig, Rigs


def events_of(result: Result) -> list[str]:
    return [event for event in result.body.decode().split("\n\n") if event]


def error_of(result: Result) -> dict[str, object]:
    return orjson.loads(events_of(result)[-1].removeprefix("data: "))["error"]


@pytest.mark.parametrize("script", ["error-first-event", "json-for-stream", "empty-200", "no-first-byte"])
async def test_stream_that_fails_with_its_first_event_falls_back(rig: Rig, script: str) -> None:
    result = await rig.ask(f"openai/{script}", models=["groq/ok"], stream=True)

    assert result.provider == "groq"
    assert events_of(result)[-1] == "data: [DONE]"
    assert b"error" not in result.body


@pytest.mark.parametrize(
    "script", ["cut-after-3", "rst-after-3", "stall-after-3", "error-after-3", "bad-event-after-3"]
)
async def test_no_fallback_after_the_first_byte(rig: Rig, script: str) -> None:
    result = await rig.ask(f"openai/{script}", models=["groq/ok"], stream=True)

    assert result.provider == "openai"
    assert not rig.fakes["groq"].requests
    assert b"word2" in result.body
    assert b"[DONE]" not in result.body
    assert error_of(result)["code"]
    ((provider, reason, error_type),) = rig.attempts(result)
    assert (provider, reason) == ("openai", "first")
    assert error_type in (
        "provider_stream_cut", "provider_idle_timeout", "provider_overloaded", "provider_malformed_response",
    )  # fmt: skip


async def test_rate_limit_in_mid_stream_ends_it_with_an_error_event(rig: Rig) -> None:
    result = await rig.ask("openai/429-after-3", stream=True)

    assert error_of(result)["code"] == "provider_rate_limited"
    assert len(rig.fakes["openai"].requests) == 1


@pytest.mark.parametrize("script", ["no-done", "done-without-blank-line"])
async def test_stream_without_done_marker_still_ends_well(rig: Rig, script: str) -> None:
    result = await rig.ask(f"openai/{script}", stream=True)

    assert b"error" not in result.body
    ((_, _, error_type),) = rig.attempts(result)
    assert error_type is None


async def test_disconnect_in_mid_stream_frees_the_providers_place(rigs: Rigs) -> None:
    rig = await rigs(real_time=True)
    call = asyncio.create_task(rig.ask("openai/paced-3000-tokens-20-ms", stream=True))
    await until(lambda: rig.gateway.route_states.in_flight("openai") == 1 and bool(rig.fakes["openai"].requests))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)

    assert rig.gateway.route_states.in_flight("openai") == 0
    await until(lambda: rig.fakes["openai"].aborted == 1)
    assert (await rig.ask("openai/ok", stream=True)).answer


async def test_disconnect_before_the_answer_frees_the_providers_place(rigs: Rigs) -> None:
    rig = await rigs(real_time=True)
    call = asyncio.create_task(rig.ask("openai/hang"))
    await until(lambda: bool(rig.fakes["openai"].requests))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)

    assert rig.gateway.route_states.in_flight("openai") == 0
    await until(lambda: rig.fakes["openai"].aborted == 1)
    assert (await rig.ask("openai/ok")).answer


async def test_abandoning_an_unread_stream_ends_its_attempt(rig: Rig) -> None:
    result = await rig.ask("openai/ok", stream=True)
    assert result.answer
    assert result.answer.abandon
    result.answer.abandon()  # after an orderly end it does nothing

    ((_, _, error_type),) = rig.attempts(result)
    assert error_type is None
    assert rig.gateway.route_states.in_flight("openai") == 0
