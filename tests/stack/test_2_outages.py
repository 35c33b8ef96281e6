"""Parts of the stack go away under traffic and come back: no request fails, and afterwards nothing is missing."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from gatewayz.stack.runner import Stack
from tests.stack.known import ANSWERED, EVERY_KIND, Caller, Kind, Ledger
from tests.stack.series import (
    ATTEMPT_LABELS,
    ATTEMPTS,
    FLUSH_AND_SCRAPE_S,
    REQUEST_LABELS,
    REQUESTS,
    Counts,
    Stores,
    eventually,
    minus,
)

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

COLLECTOR_AWAY_S = 20.0
STORE_AWAY_S = 5.0
RATE_PER_S = 10.0
LOG_STORE_LOSES_S = 3.0
"""VictoriaLogs has no journal: a KILL loses what it has acknowledged in the last three seconds (2.8 s were measured; its
flush interval is 1 s, which is the least)."""
COLLECTOR_LOSES_S = 0.5
"""A KILL of the Collector loses what waits before its queues on disk: a batch of 100 ms."""
DELIVERY_S = 1.5
"""From the end of a request until its telemetry has been acknowledged by its store."""
RECOVERY_S = 90.0
"""For senders that wait longer with every failed try, and for a store that reads its log first."""


class Books:
    """What was sent since a moment without traffic, and whether the stores have it."""

    def __init__(self, stores: Stores, since_s: float, tokens_before: Counts) -> None:
        self.ledger = Ledger()
        self._stores = stores
        self.since_s = since_s
        self._tokens_before = tokens_before

    @classmethod
    async def opened(cls, stores: Stores, caller: Caller) -> Books:
        await caller.pause()
        return cls(stores, time.time(), await stores.counted_tokens())

    async def assert_series(self) -> None:
        stores, ledger = self._stores, self.ledger
        # Tests before this one read /metrics, and the spans of that may arrive only now.
        requests = await stores.increases(
            REQUESTS, REQUEST_LABELS, since_s=self.since_s, matching='endpoint!="/metrics"'
        )
        assert requests == dict(ledger.requests)
        assert await stores.increases(ATTEMPTS, ATTEMPT_LABELS, since_s=self.since_s) == dict(ledger.attempts)
        await self.assert_tokens()

    async def assert_tokens(self) -> None:
        """Tokens are counted in the gateway, so no death outside it can lose any."""
        tokens = await self._stores.counted_tokens()
        assert minus(tokens, self._tokens_before) == dict(self.ledger.tokens)

    async def assert_traces(self) -> None:
        await self._stores.assert_traces(self.ledger.spans)

    async def assert_log_lines(self) -> None:
        assert set(await self._stores.completed(since_s=self.since_s)) == set(self.ledger.kinds)

    async def assert_balanced(self) -> None:
        """Everything that was sent is everywhere, once."""
        assert self.ledger.surprises == []
        for look in (self.assert_series, self.assert_traces, self.assert_log_lines):
            await eventually(look, patience_s=RECOVERY_S)
        assert await self._stores.counts("gatewayz_telemetry_dropped_total", ("signal",)) == {}


@asynccontextmanager
async def traffic(caller: Caller, kinds: Sequence[Kind], ledger: Ledger) -> AsyncGenerator[None]:
    """Steady requests for as long as the block lasts."""
    stop = asyncio.Event()
    sending = asyncio.create_task(caller.keep_sending(kinds, ledger, stop, rate_per_s=RATE_PER_S))
    try:
        yield
    finally:
        stop.set()
        await sending


async def test_a_collector_that_is_away_for_twenty_seconds_loses_nothing(
    stack: Stack, caller: Caller, stores: Stores
) -> None:
    books = await Books.opened(stores, caller)
    await caller.send_all(ANSWERED, books.ledger)
    # The stop falls into a pause of one flush and one scrape: what the Collector has counted is in Prometheus by then.
    await caller.pause()
    await eventually(books.assert_series)

    await stack.stop_component("collector")
    async with traffic(caller, EVERY_KIND, books.ledger):
        await asyncio.sleep(COLLECTOR_AWAY_S)
        await stack.start_component("collector")
        await asyncio.sleep(1)

    await books.assert_balanced()


@pytest.mark.parametrize("store", ["jaeger", "victoria-logs", "prometheus"])
async def test_a_store_that_is_away_for_a_while_misses_nothing(
    stack: Stack, caller: Caller, stores: Stores, store: str
) -> None:
    books = await Books.opened(stores, caller)

    async with traffic(caller, EVERY_KIND, books.ledger):
        await asyncio.sleep(1)
        await stack.stop_component(store)
        await asyncio.sleep(STORE_AWAY_S)
        await stack.start_component(store)
        await asyncio.sleep(1)

    await books.assert_balanced()


async def test_jaeger_that_is_killed_has_every_trace_that_it_had_acknowledged(
    stack: Stack, caller: Caller, stores: Stores
) -> None:
    books = await Books.opened(stores, caller)
    async with traffic(caller, EVERY_KIND, books.ledger):
        for _ in range(2):
            await asyncio.sleep(3)
            await kill(stack, "jaeger")
        await asyncio.sleep(1)

    await books.assert_balanced()


async def test_victoria_logs_that_is_killed_lacks_the_lines_of_its_last_three_seconds_at_most(
    stack: Stack, caller: Caller, stores: Stores
) -> None:
    books = await Books.opened(stores, caller)
    async with traffic(caller, EVERY_KIND, books.ledger):
        await asyncio.sleep(6)
        killed_s = await kill(stack, "victoria-logs")
        await asyncio.sleep(3)

    assert books.ledger.surprises == []
    earliest_s = killed_s - LOG_STORE_LOSES_S - DELIVERY_S
    certain = {trace_id for trace_id, ended_s in books.ledger.ended_s.items() if not earliest_s < ended_s < killed_s}
    assert len(certain) > 3 * RATE_PER_S, "lines from before the bound and lines from afterwards"

    async def look() -> None:
        # Two lines for one request would fail in here.
        there = await stores.completed(since_s=books.since_s)
        assert certain <= set(there) <= set(books.ledger.kinds)

    await eventually(look, patience_s=RECOVERY_S)
    for other in (books.assert_series, books.assert_traces):
        await eventually(other, patience_s=RECOVERY_S)


async def test_prometheus_that_is_killed_misses_nothing(stack: Stack, caller: Caller, stores: Stores) -> None:
    books = await Books.opened(stores, caller)
    async with traffic(caller, EVERY_KIND, books.ledger):
        await asyncio.sleep(3)
        await kill(stack, "prometheus")
        await asyncio.sleep(1)

    await books.assert_balanced()


async def test_collector_that_is_killed_loses_what_it_had_not_yet_queued_at_most(
    stack: Stack, caller: Caller, stores: Stores
) -> None:
    during = await Books.opened(stores, caller)
    async with traffic(caller, EVERY_KIND, during.ledger):
        await asyncio.sleep(3)
        killed_s = await kill(stack, "collector")
        await asyncio.sleep(1)
    assert during.ledger.surprises == []
    await eventually(during.assert_tokens, patience_s=RECOVERY_S)

    earliest_s = killed_s - COLLECTOR_LOSES_S - DELIVERY_S
    certain = {trace_id for trace_id, ended_s in during.ledger.ended_s.items() if not earliest_s < ended_s < killed_s}

    async def look() -> None:
        await stores.assert_traces({trace_id: during.ledger.spans[trace_id] for trace_id in certain})
        assert certain <= set(await stores.completed(since_s=during.since_s)) <= set(during.ledger.kinds)

    await eventually(look, patience_s=RECOVERY_S)

    # Its span-derived series begin anew, and what it had counted and Prometheus not yet scraped is lost; what comes afterwards
    # is complete.
    await asyncio.sleep(
        FLUSH_AND_SCRAPE_S
    )  # what the gateway had kept meanwhile was delivered, and counted, after the last request
    afterwards = await Books.opened(stores, caller)
    await caller.send_all(EVERY_KIND, afterwards.ledger)
    await afterwards.assert_balanced()


async def kill(stack: Stack, component: str) -> float:
    """Returns when it is ready again, with the Unix time of its death."""
    pid = stack.pids[component]
    killed_s = time.time()
    stack.signal_component(component, signal.SIGKILL)
    await eventually(lambda: assert_replaced(stack, component, pid))
    return killed_s


async def assert_replaced(stack: Stack, component: str, pid: int) -> None:
    assert stack.pids.get(component, pid) != pid
    assert stack.states[component] == "ready"
