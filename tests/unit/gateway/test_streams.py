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
async def test_a_stream_that_fails_with_its_first_event_falls_over(rig: Rig, script: str) -> None:
    result = await rig.ask(f"openai/{script}", models=["groq/ok"], stream=True)

    assert result.provider == "groq"
    assert events_of(result)[-1] == "data: [DONE]"
    assert b"error" not in result.body


@pytest.mark.parametrize(
    "script", ["cut-after-3", "rst-after-3", "stall-after-3", "error-after-3", "bad-event-after-3"]
)
async def test_once_a_byte_is_out_nobody_else_is_asked(rig: Rig, script: str) -> None:
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


async def test_a_rate_limit_in_the_middle_ends_the_stream_cleanly(rig: Rig) -> None:
    result = await rig.ask("openai/429-after-3", stream=True)

    assert error_of(result)["code"] == "provider_rate_limited"
    assert len(rig.fakes["openai"].requests) == 1


@pytest.mark.parametrize("script", ["no-done", "done-without-blank-line"])
async def test_a_stream_without_its_last_word_ends_well_all_the_same(rig: Rig, script: str) -> None:
    result = await rig.ask(f"openai/{script}", stream=True)

    assert b"error" not in result.body
    ((_, _, error_type),) = rig.attempts(result)
    assert error_type is None


async def test_a_caller_who_leaves_frees_the_place_that_he_had(rigs: Rigs) -> None:
    rig = await rigs(real_time=True)
    call = asyncio.create_task(rig.ask("openai/paced-3000-tokens-20-ms", stream=True))
    await until(lambda: rig.gateway.route_states.in_flight("openai") == 1 and bool(rig.fakes["openai"].requests))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)

    assert rig.gateway.route_states.in_flight("openai") == 0
    await until(lambda: rig.fakes["openai"].aborted == 1)
    assert (await rig.ask("openai/ok", stream=True)).answer


async def test_a_caller_who_leaves_before_the_answer_frees_his_place_too(rigs: Rigs) -> None:
    rig = await rigs(real_time=True)
    call = asyncio.create_task(rig.ask("openai/hang"))
    await until(lambda: bool(rig.fakes["openai"].requests))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)

    assert rig.gateway.route_states.in_flight("openai") == 0
    await until(lambda: rig.fakes["openai"].aborted == 1)
    assert (await rig.ask("openai/ok")).answer


async def test_an_answer_that_nobody_reads_is_ended_by_abandoning_it(rig: Rig) -> None:
    result = await rig.ask("openai/ok", stream=True)
    assert result.answer
    assert result.answer.abandon
    result.answer.abandon()  # after an orderly end it does nothing

    ((_, _, error_type),) = rig.attempts(result)
    assert error_type is None
    assert rig.gateway.route_states.in_flight("openai") == 0
