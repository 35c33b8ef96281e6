"""A tail shows every line once, also those that come late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from gatewayz.queries.errors import TooSlow
from gatewayz.queries.logs import CountedLines, LogLine, LogSearch, line_of
from gatewayz.queries.reader import Part
from gatewayz.queries.tail import LINES, follow

SECOND_NS = 10**9


class Kept:
    """Implements Logs over lines that a test puts into it."""

    part = Part("a store", "http://store", "--logs")

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.away = False

    def add(self, second: float, text: str) -> None:
        self.lines.append(line_of(int(second * SECOND_NS), text, {}, service="s"))

    async def search(self, search: LogSearch) -> list[LogLine]:
        if self.away:
            raise TooSlow("away")
        found = [line for line in self.lines if search.since_ns <= line.time_ns < search.until_ns]
        return sorted(found, key=lambda line: line.time_ns, reverse=True)[: search.limit]

    async def of_trace(self, trace_id: str, *, since_ns: int, until_ns: int) -> list[LogLine]:
        raise NotImplementedError

    async def counts(self, search: LogSearch, *, step_s: int) -> list[CountedLines]:
        raise NotImplementedError

    def tail(self, search: LogSearch) -> AsyncGenerator[LogLine]:
        raise NotImplementedError


def following(kept: Kept, since_s: int = 0) -> AsyncGenerator[LogLine]:
    return follow(kept, LogSearch(since_s * SECOND_NS, 0), pause_s=0, clock_ns=lambda: 100 * SECOND_NS)


async def next_texts(lines: AsyncGenerator[LogLine], count: int) -> list[str]:
    async with asyncio.timeout(10):
        return [(await anext(lines)).text for _ in range(count)]


async def test_lines_come_oldest_first_and_once() -> None:
    kept = Kept()
    kept.add(10, "a")
    kept.add(11, "b")
    lines = following(kept)

    first = await next_texts(lines, 2)
    kept.add(12, "c")

    assert first + await next_texts(lines, 1) == ["a", "b", "c"]


async def test_a_line_that_was_written_earlier_and_comes_later_is_shown() -> None:
    kept = Kept()
    kept.add(20, "first")
    lines = following(kept)

    first = await next_texts(lines, 1)
    kept.add(17, "late")

    assert first + await next_texts(lines, 1) == ["first", "late"]


async def test_equal_times_do_not_hide_a_line() -> None:
    kept = Kept()
    kept.add(10, "a")
    lines = following(kept)

    first = await next_texts(lines, 1)
    kept.add(10, "b")

    assert first + await next_texts(lines, 1) == ["a", "b"]


async def test_tail_begins_at_the_given_time() -> None:
    kept = Kept()
    kept.add(10, "before")
    kept.add(30, "after")

    assert await next_texts(following(kept, since_s=20), 1) == ["after"]


async def test_a_flood_of_lines_shows_the_newest() -> None:
    kept = Kept()
    for number in range(LINES + 5):
        kept.add(10 + number / 1000, str(number))

    assert await next_texts(following(kept), 1) == ["5"]


async def test_a_failing_store_ends_the_tail_with_the_reason() -> None:
    kept = Kept()
    kept.away = True

    with pytest.raises(TooSlow):
        await anext(following(kept))
