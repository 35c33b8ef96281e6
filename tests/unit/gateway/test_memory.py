"""A call that is over leaves nothing that only the garbage collector could find: bodies are megabytes, and outages are busy."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Generator
from contextlib import aclosing

import orjson
import pytest

from gatewayz.attempts.context import CallContext
from gatewayz.attempts.record import AttemptRecord
from gatewayz.errors import GatewayError
from gatewayz.records import HttpRequest
from tests.unit.gateway.conftest import CHAT, HELLO, Rig


@pytest.fixture
def collector_off() -> Generator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def kept() -> int:
    return sum(isinstance(one, AttemptRecord) for one in gc.get_objects())


async def served(rig: Rig, model: str, substitute: str, *, stream: bool) -> str:
    """One call from beginning to end, as the data plane serves it; in a word what came of it."""
    body = {"model": model, "models": [substitute], "stream": stream, **HELLO}
    http = HttpRequest("POST", "/v1", "/v1", "http", "1.1", (), "req", time.time_ns())
    request = rig.telemetry.start_request(http)
    context = CallContext("req", None, (), request)
    try:
        answer = await rig.gateway.answer(CHAT.parse(orjson.dumps(body)), CHAT, context)
        if answer.events is not None:
            async with aclosing(answer.events) as events:
                async for _ in events:
                    pass
        return answer.error.error_type if answer.error is not None else "ok"
    except GatewayError as error:
        return error.error_type


@pytest.mark.usefixtures("collector_off")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "substitute", "end"),
    [
        ("ok", "ok", "ok"),
        ("503", "ok", "ok"),
        ("503", "503", "provider_overloaded"),
        ("400", "ok", "provider_bad_request"),
        ("hang", "hang", "provider_first_chunk_timeout"),
        ("rst-before-headers", "500", "provider_connection_error"),
        ("cut-after-3", "ok", "provider_stream_cut"),
        ("stall-after-3", "ok", "provider_idle_timeout"),
    ],
)
async def test_finished_call_leaves_no_reference_cycle(
    rig: Rig, model: str, substitute: str, end: str, stream: bool
) -> None:
    if model.endswith("after-3") and not stream:
        model, end = "short-200", "ok"
    before = kept()
    # In a task of its own, as in the server: a task remembers how it was cancelled last.
    call = asyncio.create_task(served(rig, f"openai/{model}", f"groq/{substitute}", stream=stream))
    assert await call == end
    del call
    assert kept() == before
