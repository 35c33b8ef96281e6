"""Known traffic: requests of every kind, and what each must leave behind in the stores."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from gatewayz.records import NO_USAGE, Usage
from tests.fakes.provider.server import FakeLLM
from tests.stack.series import FLUSH_AND_SCRAPE_S, Labels

CHAT = "/v1/chat/completions"
PROVIDER = "openai"
"""The provider whose place the scripted upstream takes."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request. ``status`` is what the caller sees and the series say."""

    name: str
    status: int
    script: str = ""
    """Model name at the scripted upstream."""
    stream: bool = False
    asks_for_usage: bool = False
    attempt: tuple[str, str] | None = None
    """(status, error type) of its attempt, as the series say; ``None`` where no provider is called."""
    reports_usage: bool = False
    body: dict[str, Any] | None = None  # Any: a request body
    """In the place of an ordinary chat request."""
    path: str = CHAT
    endpoint: str = CHAT
    method: str = "POST"
    wrong_key: bool = False
    leaves: bool = False
    """The caller hangs up after the first event."""
    broken: bool = False
    """The stream breaks off: 200 on the wire, and an error event where [DONE] would be."""


def _answered(name: str, script: str, *, stream: bool = False, asks_for_usage: bool = False) -> Kind:
    return Kind(name, 200, script, stream, asks_for_usage, attempt=("success", ""), reports_usage=True)


ANSWERED: tuple[Kind, ...] = (
    _answered("answer", "ok-7-tokens"),
    _answered("long answer", "ok-211-tokens"),
    _answered("stream", "paced-13-tokens-1-ms", stream=True),
    _answered("stream with usage", "paced-29-tokens-1-ms", stream=True, asks_for_usage=True),
    _answered("cached prompt", "cached"),
    _answered("reasoned stream", "reasoning", stream=True),
    _answered("tool call", "tools", stream=True),
)

FAILED: tuple[Kind, ...] = (
    Kind("no messages", 400, body={"model": "openai/ok"}),
    Kind("too long for the provider", 400, "400-context", attempt=("error", "provider_bad_request")),
    Kind("wrong key", 401, "ok", wrong_key=True),
    Kind("unknown model", 404, body={"model": "nobody-has-this", "messages": [{"role": "user", "content": "x"}]}),
    Kind("unknown address", 404, path="/v1/no/such/path", endpoint="unmatched"),
    Kind("rate limited", 429, "429", attempt=("error", "provider_rate_limited")),
    Kind("provider fails", 502, "500", attempt=("error", "provider_server_error")),
    Kind("provider fails a stream", 502, "500", stream=True, attempt=("error", "provider_server_error")),
    Kind("provider overloaded", 503, "503", attempt=("error", "provider_overloaded")),
    Kind("stream cut", 200, "cut-after-3", stream=True, attempt=("error", "provider_stream_cut"), broken=True),
    Kind(
        "caller leaves",
        499,
        "paced-900-tokens-20-ms",
        stream=True,
        attempt=("success", "caller_cancelled"),
        leaves=True,
    ),
    Kind("model list", 200, path="/v1/models", endpoint="/v1/models", method="GET"),
)

EVERY_KIND = (*ANSWERED, *FAILED)


@dataclass(slots=True)
class Ledger:
    """What was sent, as the stores must have it. ``surprises`` are answers that were not the expected ones."""

    requests: Counter[Labels] = field(default_factory=Counter[Labels])
    attempts: Counter[Labels] = field(default_factory=Counter[Labels])
    tokens: Counter[Labels] = field(default_factory=Counter[Labels])
    spans: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Kinds of the spans of each trace."""
    kinds: dict[str, Kind] = field(default_factory=dict[str, Kind])
    """By trace id."""
    ended_s: dict[str, float] = field(default_factory=dict[str, float])
    """Unix time at which the caller had the whole answer, by trace id."""
    surprises: list[str] = field(default_factory=list[str])

    def add(self, kind: Kind, trace_id: str) -> None:
        self.requests[kind.endpoint, kind.method, str(kind.status)] += 1
        self.kinds[trace_id] = kind
        self.spans[trace_id] = ("SERVER",) if kind.attempt is None else ("CLIENT", "SERVER")
        if kind.attempt is not None:
            self.attempts[PROVIDER, *kind.attempt] += 1
        usage = FakeLLM.usage(kind.script) if kind.reports_usage else NO_USAGE
        for type_, tokens in _by_type(usage):
            if tokens:
                self.tokens[PROVIDER, type_] += tokens


def _by_type(usage: Usage) -> Iterable[tuple[str, int]]:
    yield "input", usage.input_tokens
    yield "output", usage.output_tokens
    yield "cache_read", usage.cache_read_tokens
    yield "cache_write", usage.cache_write_tokens
    yield "reasoning", usage.reasoning_tokens


@dataclass(slots=True)
class Caller:
    """Sends known traffic to one gateway."""

    http: httpx.AsyncClient
    api_key: str
    last_s: float = float("-inf")
    """When the last request ended (monotonic)."""

    async def send(self, kind: Kind, ledger: Ledger) -> str:
        """Send one request of that kind and enter it; its trace id. A wrong answer becomes a surprise, not an exception."""
        key = "gz_wrong" if kind.wrong_key else self.api_key
        body = None if kind.method == "GET" else kind.body or _body(kind)
        trace_id = ""
        try:
            async with self.http.stream(
                kind.method, kind.path, json=body, headers={"authorization": f"Bearer {key}"}
            ) as answer:
                trace_id = answer.headers.get("traceresponse", "00-none").split("-")[1]
                ledger.add(kind, trace_id)
                seen = await _read(answer, kind)
        except httpx.HTTPError as error:
            seen = repr(error)
        self.last_s = time.monotonic()
        ledger.ended_s[trace_id] = time.time()
        expected = f"{200 if kind.leaves else kind.status}{' broken' if kind.broken else ''}"
        if seen != expected:
            ledger.surprises.append(f"{kind.name}: {seen} instead of {expected}")
        return trace_id

    async def send_all(self, kinds: Sequence[Kind], ledger: Ledger, *, at_once: int = 8) -> None:
        """Send one request for each entry of ``kinds``, so many at a time."""
        slots = asyncio.Semaphore(at_once)

        async def one(kind: Kind) -> None:
            async with slots:
                await self.send(kind, ledger)

        await asyncio.gather(*(one(kind) for kind in kinds))

    async def pause(self) -> None:
        """Returns once the last request is one flush and one scrape ago: nothing is on its way to Prometheus any more."""
        await asyncio.sleep(max(0.0, self.last_s + FLUSH_AND_SCRAPE_S - time.monotonic()))

    async def keep_sending(
        self, kinds: Sequence[Kind], ledger: Ledger, stop: asyncio.Event, *, rate_per_s: float
    ) -> None:
        """Steady traffic until ``stop`` is set; every request that was begun is finished."""
        running: list[asyncio.Task[str]] = []
        while not stop.is_set():
            running.append(asyncio.create_task(self.send(kinds[len(running) % len(kinds)], ledger)))
            await asyncio.sleep(1 / rate_per_s)
        await asyncio.gather(*running)


def _body(kind: Kind) -> dict[str, Any]:
    body: dict[str, Any] = {"model": f"{PROVIDER}/{kind.script}", "messages": [{"role": "user", "content": kind.name}]}
    if kind.stream:
        body["stream"] = True
    if kind.asks_for_usage:
        body["stream_options"] = {"include_usage": True}
    return body


async def _read(answer: httpx.Response, kind: Kind) -> str:
    if kind.leaves:
        async for _ in answer.aiter_bytes():
            break
        return str(answer.status_code)
    body = (await answer.aread()).decode()
    broken = kind.stream and answer.status_code == 200 and not body.endswith("data: [DONE]\n\n")
    return f"{answer.status_code}{' broken' if broken else ''}"
