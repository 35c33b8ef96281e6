"""Hundreds of calls (thousands in ``make prove``) of every kind, fifty at a time, some of whose callers leave, while the
configuration is reloaded: when it is over, everything that was taken has been given back, and everything that happened has
been told once.

Which call does what is drawn from a seed, which a failure shows; GATEWAYZ_TEST_SEED repeats it.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.campaigns import SEED, sizes
from tests.contract.faults.stage import HELLO, Stage, staged
from tests.contract.faults.worker import resident_mb
from tests.fakes.otlp import attributes
from tests.polling import eventually

TOGETHER = 50
RELOADS = 8
GROWTH_MB = 60.0
"""Far more than what is remembered of a few thousand calls; far less than what their bodies and answers would be."""

GOOD = ("ok", "ok-40-tokens", "unicode", "no-usage", "paced-10-tokens-5-ms", "slow-first-0.05s", "comments")
BAD = ("503", "500-once", "429", "429-retry-after-0.2", "cut-after-3", "rst-after-3", "error-after-3", "error-first-event",
       "bad-event-after-3", "bad-json-200", "short-200", "html-200", "400-context", "no-done", "not-http")  # fmt: skip
SLOW = ("hang", "stall-after-3", "no-first-byte", "paced-40-tokens-50-ms")
"""Only for callers who leave, or who have said how long they wait."""
PROVIDERS = ("openai", "groq")
PATHS = ("chat/completions", "messages", "responses")

GAUGES = ("gatewayz.requests.in_flight", "gatewayz.streams.open")
PLACES = 80
"""Calls at a time; half of them for each provider."""
FULL = "ok-3-tokens~full"

CONFIG = """
models:
  both: [openai/ok, groq/ok]
  number-{number}: openai/ok
"""


@dataclass
class Tally:
    """What the callers did and got."""

    statuses: Counter[int] = field(default_factory=Counter[int])
    left: int = 0
    ids: set[str] = field(default_factory=set[str])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("invariants") / "gatewayz.yaml"
    path.write_text(CONFIG.format(number=0))
    return path


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, file: Path) -> Generator[Stage]:
    more = {
        "GATEWAYZ_CONFIG_FILE": str(file),
        "GATEWAYZ_FIRST_BYTE_TIMEOUT_S": "2",
        "GATEWAYZ_FIRST_CHUNK_TIMEOUT_S": "2",
        "GATEWAYZ_IDLE_TIMEOUT_S": "2",
        "GATEWAYZ_ORPHANED_CALL_S": "1",
        "GATEWAYZ_MAX_IN_FLIGHT": str(PLACES),
        "GATEWAYZ_PROVIDER_MAX_IN_FLIGHT": str(PLACES // 2),
    }
    with staged(tmp_path_factory.mktemp("invariants"), PROVIDERS, **more) as one:
        yield one


@pytest.mark.parametrize("calls", sizes(500, 5_000))
def test_every_place_is_given_back_and_every_call_recorded_once(stage: Stage, file: Path, calls: int) -> None:
    print(f"GATEWAYZ_TEST_SEED={SEED}")
    draw = random.Random(SEED)  # noqa: S311 - a test's plan is no secret
    for _ in range(20):
        stage.ask(f"{draw.choice(PROVIDERS)}/ok-3-tokens")
    before_mb = resident_mb(stage.gateway.pid)
    tally = asyncio.run(_storm(stage, draw, file, calls))
    print(tally.statuses, tally.left)
    assert tally.statuses[200] > calls / 10
    assert tally.left > calls / 20

    everything_is_given_back(stage)
    everything_is_told_once(stage, tally)
    assert resident_mb(stage.gateway.pid) - before_mb < GROWTH_MB
    log = stage.gateway.log.read_text()
    for word in ("unexpected error", "never awaited", "was never retrieved", "Unclosed", "Traceback"):
        assert word not in log
    for provider in PROVIDERS:
        reply = stage.ask(f"{provider}/ok-3-tokens")
        assert (reply.status, reply.provider) == (200, provider)
        assert stage.tried(reply) == [(provider, "first", None)]


def everything_is_given_back(stage: Stage) -> None:
    def levels() -> dict[str, float]:
        found: dict[str, float] = {}
        for name, metric in stage.sink.received.last_metrics().items():
            if name in GAUGES:
                found[name] = sum(abs(point.as_int or point.as_double) for point in metric.sum.data_points)
        return found

    eventually(lambda: (seen := levels()) and len(seen) == len(GAUGES) and not any(seen.values()))
    # The connections that are left are idle: no answer is under way on any of them.
    for fake in stage.fakes.values():
        eventually(lambda fake=fake: not fake.busy)
    # And all places are free, those of the gateway and those of each provider.
    for provider in PROVIDERS:
        stage.fakes[provider].behave = lambda received: "slow-first-0.5s" if received.model == FULL else None
    answered = stage.together(PLACES, lambda number: stage.ask(f"{PROVIDERS[number % 2]}/{FULL}"))
    assert Counter((one.status, one.provider) for one in answered) == {(200, name): PLACES // 2 for name in PROVIDERS}


def everything_is_told_once(stage: Stage, tally: Tally) -> None:
    asked = sum(len(fake.requests) for fake in stage.fakes.values())

    def told() -> bool:
        stage.traces.refresh()
        return sum(map(len, stage.traces.clients.values())) >= asked and tally.ids <= stage.traces.servers.keys()

    eventually(told)
    servers = [span for spans in stage.traces.servers.values() for span in spans]
    clients = [span for spans in stage.traces.clients.values() for span in spans]
    assert len(stage.traces.servers) == len(servers)
    assert len({span.span_id for span in servers + clients}) == len(servers) + len(clients)
    assert len(clients) == sum(attributes(span.attributes)["gatewayz.attempts"] for span in servers)
    places = {span.span_id: span.trace_id for span in servers}
    assert all(places.get(span.parent_span_id) == span.trace_id for span in clients)
    unsent = [span for span in clients if _never_arrived(span)]
    assert asked <= len(clients) <= asked + len(unsent)


def _never_arrived(span: Span) -> bool:
    """It ended before the provider had it, perhaps."""
    told = attributes(span.attributes)
    return told.get("error.type") in ("caller_cancelled", "provider_connect_timeout") and (
        "http.response.status_code" not in told
    )


async def _storm(stage: Stage, draw: random.Random, file: Path, calls: int) -> Tally:
    tally = Tally()
    numbers = count(1)
    plan = [_planned(draw, number) for number in range(calls)]
    headers = {"authorization": f"Bearer {stage.gateway.api_key}"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:

        async def caller() -> None:
            for number in numbers:
                if number > calls:
                    return
                await _call(stage, session, *plan[number - 1], tally)

        async def reloads() -> None:
            for number in range(1, RELOADS + 1):
                await asyncio.sleep(0.3)
                await asyncio.to_thread(file.write_text, CONFIG.format(number=number))

        await asyncio.gather(reloads(), *(caller() for _ in range(TOGETHER)))
    return tally


def _planned(draw: random.Random, number: int) -> tuple[str, dict[str, Any], dict[str, str], float | None]:
    """Path, body, headers, and after how long its caller leaves."""
    kind, wishes, leaves_s = draw.random(), {}, None
    if kind < 0.45:
        script = draw.choice(GOOD)
    elif kind < 0.8:
        script = draw.choice(BAD)
    else:
        script = draw.choice(SLOW)
        if draw.random() < 0.2:
            wishes = {"x-gatewayz-timeout": str(draw.choice((0.05, 0.2, 0.5)))}
        else:
            leaves_s = draw.choice((0.0, 0.01, 0.1, 0.25, 0.4))
    if leaves_s is None and draw.random() < 0.1:
        leaves_s = draw.random() * 0.05
    path = draw.choice(PATHS)
    first = draw.choice(PROVIDERS)
    # Some routes fail often enough for their breakers to open, others do not.
    model = f"{first}/{script}~{number % draw.choice((5, 500))}" if draw.random() < 0.95 else "both"
    body: dict[str, Any] = {"model": model, "stream": draw.random() < 0.6}
    body |= {"input": "Hello"} if path == "responses" else {"messages": HELLO}
    if path == "messages":
        body["max_tokens"] = 100
    elif path == "chat/completions" and draw.random() < 0.5:
        body["models"] = [f"{draw.choice(PROVIDERS)}/ok"]
    return path, body, wishes, leaves_s


async def _call(
    stage: Stage,
    session: aiohttp.ClientSession,
    path: str,
    body: dict[str, Any],
    headers: dict[str, str],
    leaves_s: float | None,
    tally: Tally,
) -> None:
    try:
        async with asyncio.timeout(leaves_s):
            async with session.post(f"{stage.gateway.openai_url}/{path}", json=body, headers=headers) as answer:
                tally.statuses[answer.status] += 1
                tally.ids.add(answer.headers["x-request-id"])
                await answer.read()
    except TimeoutError:
        tally.left += 1
