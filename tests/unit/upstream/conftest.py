"""Runs every test here on both event loops: production is on uvloop, Windows and debuggers are on asyncio's own; they differ
in how connections end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import orjson
import pytest
import uvloop

from gatewayz.config import load_settings
from gatewayz.upstream import AiohttpUpstream, Timeouts, UpstreamRequest
from tests.fakes.provider.server import FakeLLM

PATIENT = Timeouts(connect_s=5, first_byte_s=5, idle_s=5, total_s=10)
HEADERS = (("content-type", "application/json"), ("authorization", "Bearer sk-test"), ("accept-encoding", "identity"))


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def fake() -> Iterator[FakeLLM]:
    with FakeLLM.in_thread() as fake:  # so that one side's way of closing cannot hide the other's
        yield fake


@pytest.fixture
async def upstream() -> AsyncIterator[AiohttpUpstream]:
    upstream = AiohttpUpstream(load_settings())
    yield upstream
    await upstream.close()


def request_for(fake: FakeLLM, model: str, *, stream: bool = False, timeouts: Timeouts = PATIENT) -> UpstreamRequest:
    body = orjson.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream})
    return UpstreamRequest(f"{fake.base_url}/chat/completions", HEADERS, body, timeouts, stream)


async def ask(upstream: AiohttpUpstream, request: UpstreamRequest) -> bytes:
    response = await upstream.send(request)
    try:
        return await response.read(1_000_000)
    finally:
        response.close()
