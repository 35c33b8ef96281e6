"""Jaeger finds more than was asked for; the search goes on until enough of it is right."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable

import httpx
import pytest_asyncio

from gatewayz.queries.jaeger import MAX_PAGES, Jaeger
from gatewayz.queries.reader import Part, Reader
from gatewayz.queries.traces import TraceSearch

TRACES = 10_000
MARKED = 100
"""Of so many traces one meets the conditions with one span, all others with two."""

Serve = Callable[[httpx.Request], httpx.Response]


class FakeJaeger:
    """Traces a second apart, the newest begins at TRACES seconds; answers as Jaeger does: by trace, newest first."""

    def __init__(self) -> None:
        self.limits: list[int] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        self.limits.append(int(query["limit"]))
        seconds = [one for one in range(TRACES, 0, -1) if int(query["start"]) <= one * 1_000_000 <= int(query["end"])]
        return httpx.Response(200, content=json.dumps({"data": [_trace(one) for one in seconds[: self.limits[-1]]]}))


def _trace(second: int) -> dict[str, object]:
    def span(number: int, kind: str, marked: bool) -> dict[str, object]:
        tags = [{"key": "span.kind", "value": kind}, {"key": "marked", "value": marked}]
        start_us = second * 1_000_000 + number
        return {"spanID": str(number), "startTime": start_us, "duration": 5, "tags": tags, "processID": "p1"}

    both = [span(0, "server", second % MARKED == 0), span(1, "client", second % MARKED != 0)]
    return {"traceID": f"{second:x}", "spans": both, "processes": {"p1": {"serviceName": "s"}}}


@pytest_asyncio.fixture
async def fake() -> FakeJaeger:
    return FakeJaeger()


@pytest_asyncio.fixture
async def jaeger(fake: FakeJaeger) -> AsyncGenerator[Jaeger]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(fake)) as client:
        yield Jaeger(Reader(Part("Jaeger", "http://jaeger", "--traces"), client))


def wanted(limit: int) -> TraceSearch:
    return TraceSearch(0, 10**15, service="s", attributes={"marked": True}, limit=limit)


async def test_pages_are_asked_for_until_there_are_enough(jaeger: Jaeger) -> None:
    found = await jaeger.search(wanted(5))

    assert [one.start_ns // 10**9 for one in found] == [10_000, 9_900, 9_800, 9_700, 9_600]


async def test_a_search_that_finds_little_ends(jaeger: Jaeger, fake: FakeJaeger) -> None:
    found = await jaeger.search(wanted(20))

    assert len(fake.limits) == MAX_PAGES
    assert 0 < len(found) < 20


async def test_a_page_that_is_not_full_is_the_last(jaeger: Jaeger, fake: FakeJaeger) -> None:
    found = await jaeger.search(TraceSearch(0, 230 * 10**9, service="s", attributes={"marked": True}, limit=200))

    assert [one.start_ns // 10**9 for one in found] == [200, 100]
    assert len(fake.limits) == 2
