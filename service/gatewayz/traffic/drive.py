"""How requests are sent: they do not wait for earlier answers, so a slow gateway gets as many as a fast one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import msgspec

from gatewayz.traffic.scenarios import Planned, plan

CALLER_TIMEOUT_S = 20.0
"""The caller's own timeout: longer than the gateway's for a first chunk, so that the gateway's answer is seen."""


OUTCOMES = {
    "cut": "the stream broke off with an error in it",
    "left": "we hung up, as callers do",
    "late": "we gave up waiting",
    "none": "no answer: the connection failed",
}


@dataclass(frozen=True, slots=True)
class Load:
    """How much is sent, to whom, and for how long."""

    url: str
    api_key: str
    seconds: float
    rate_per_s: float
    concurrency: int
    """Requests in flight at most; those beyond are skipped and counted, since arrivals do not wait."""
    seed: int


@dataclass(slots=True)
class Tally:
    """What was sent and what came back, by scenario."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    in_flight: int = 0
    skipped: int = 0

    @property
    def answered(self) -> int:
        return self.counts.total()


class _Event(msgspec.Struct):
    error: msgspec.Raw = msgspec.Raw()


async def send(session: aiohttp.ClientSession, url: str, api_key: str, planned: Planned) -> str:
    """Send one request; the outcome in one short word: its status, or how it ended otherwise (``OUTCOMES``)."""
    key = "gz_wrong" if planned.scenario.wrong_key else api_key
    try:
        async with session.post(url, json=planned.body, headers={"Authorization": f"Bearer {key}"}) as answer:
            if not planned.body.get("stream") or answer.status != 200:
                await answer.read()
                return str(answer.status)
            return await _read_stream(answer, planned.scenario.disconnects_after)
    except TimeoutError:
        return "late"
    except aiohttp.ClientPayloadError:
        return "cut"
    except aiohttp.ClientError:
        return "none"


async def _read_stream(answer: aiohttp.ClientResponse, disconnects_after: int | None) -> str:
    events = 0
    async for line in answer.content:
        if not line.startswith(b"data:"):
            continue
        data = line.removeprefix(b"data:").strip()
        if data == b"[DONE]":
            return "200"
        events += 1
        if bytes(msgspec.json.decode(data, type=_Event).error) not in (b"", b"null"):
            return "cut"
        if disconnects_after is not None and events >= disconnects_after:
            answer.close()
            return "left"
    return "cut"


async def drive(load: Load, tally: Tally, tick: Callable[[], None]) -> bool:
    """Send until the time is over, then wait for what is open. False when it was interrupted."""
    tasks: set[asyncio.Task[None]] = set()
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=CALLER_TIMEOUT_S)
    connector = aiohttp.TCPConnector(limit=load.concurrency)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def one(planned: Planned) -> None:
            try:
                outcome = await send(session, f"{load.url}/v1{planned.scenario.path}", load.api_key, planned)
                tally.counts[planned.scenario.name, outcome] += 1
            finally:
                tally.in_flight -= 1

        async with _ticking(tick):
            try:
                ends = time.monotonic() + load.seconds
                for planned in plan(load.seed, load.rate_per_s):
                    if time.monotonic() + planned.pause_s >= ends:
                        await asyncio.sleep(max(0.0, ends - time.monotonic()))
                        break
                    await asyncio.sleep(planned.pause_s)
                    if tally.in_flight >= load.concurrency:
                        tally.skipped += 1
                        continue
                    tally.in_flight += 1
                    task = asyncio.create_task(one(planned))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                if tasks:
                    await asyncio.wait(tasks, timeout=CALLER_TIMEOUT_S)
            except asyncio.CancelledError:
                return False
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
    return True


@asynccontextmanager
async def _ticking(tick: Callable[[], None]) -> AsyncGenerator[None]:
    async def forever() -> None:
        while True:
            tick()
            await asyncio.sleep(0.2)

    task = asyncio.create_task(forever())
    try:
        yield
    finally:
        task.cancel()
        tick()


async def why_not_ready(url: str, api_key: str) -> str | None:
    """Why no traffic can be driven, in one sentence; None when the gateway is ready and knows the key and the demo models."""
    timeout = aiohttp.ClientTimeout(total=10)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url + "/v1/models", headers={"Authorization": f"Bearer {api_key}"}) as answer,
        ):
            body = await answer.read()
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return f"No gateway answers at {url}: start one with `gatewayz up`, or give its address with --gateway."
    if status == 401:
        return (
            "The gateway refused the key: give a valid one with --api-key or GATEWAYZ_API_KEY; "
            "`gatewayz keys create` makes one."
        )
    if status != 200:
        return f"The gateway at {url} answers {status} to GET /v1/models: is this really a gateway?"
    if b'"demo/fast"' not in body:
        return f"The gateway at {url} does not offer the demo provider: start it with GATEWAYZ_DEMO_ENABLED=true."
    return None
