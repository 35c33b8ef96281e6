from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import orjson
import pytest
from opentelemetry import context as otel_context
from opentelemetry.context import Context

from gatewayz.attempts.context import Totals
from gatewayz.config import load_settings
from gatewayz.records import Attempt, HttpRequest, KeyIdentity, Outcome, RequestEnd, Usage
from gatewayz.telemetry.logs import request_id
from gatewayz.telemetry.setup import Telemetry, start_telemetry
from tests.fakes.otlp import GrpcSink, HttpSink

KEY = KeyIdentity("kid1", "first key", "customer-7")
OK = Outcome(200, "gpt-4o", Usage(11, 22, source="provider"), None, "chatcmpl-1", "gpt-4o", ("stop",))
DONE = RequestEnd(200, "ok", None, 100, 250, "gpt-4o", provider="openai", attempts=1)


def with_totals(end: RequestEnd, *outcomes: Outcome) -> RequestEnd:
    """``end`` after attempts that ended so: added up as the data plane does it."""
    totals = Totals()
    for outcome in outcomes:
        totals.attempts += 1
        totals.add(outcome)
    return msgspec.structs.replace(end, **msgspec.structs.asdict(totals))


@pytest.fixture(autouse=True)
def fresh_context() -> None:
    """Tests share a thread, and so a context; requests in the gateway each have a task of their own."""
    otel_context.attach(Context())
    request_id.set(None)


@pytest.fixture
def sink() -> Iterator[GrpcSink]:
    receiver = GrpcSink()
    yield receiver
    receiver.stop()


@pytest.fixture
def http_sink() -> Iterator[HttpSink]:
    receiver = HttpSink()
    yield receiver
    receiver.stop()


@dataclass
class Stdout:
    """A pipe in place of stdout."""

    reader: int
    writer: int

    def lines(self) -> list[dict[str, object]]:
        """Everything written; closes the writing end."""
        os.close(self.writer)
        self.writer = -1
        with open(self.reader, "rb", closefd=False) as file:
            return [orjson.loads(line) for line in file]


@pytest.fixture
def stdout() -> Iterator[Stdout]:
    reader, writer = os.pipe()
    pipe = Stdout(reader, writer)
    yield pipe
    os.close(reader)
    if pipe.writer >= 0:
        os.close(writer)


Opener = Callable[..., Telemetry]


@pytest.fixture
def opened(stdout: Stdout) -> Iterator[Opener]:
    """Opens telemetry for an environment; closes what a test left open."""
    alive: list[Telemetry] = []

    def open_(environment: dict[str, str] | None = None, **settings: object) -> Telemetry:
        fast = {"OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_METRIC_EXPORT_INTERVAL": "100"}
        telemetry = start_telemetry(load_settings(**settings), {**fast, **(environment or {})}, stdout=stdout.writer)
        alive.append(telemetry)
        return telemetry

    yield open_
    for telemetry in alive:
        telemetry.close(0.5)


def http_request(
    *,
    method: str = "POST",
    route: str | None = "/v1/chat/completions",
    path: str = "/v1/chat/completions",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    key: KeyIdentity | None = KEY,
    request_id: str = "req-1",
    user_agent: str | None = "curl/8",
) -> HttpRequest:
    return HttpRequest(
        method, route, path, "http", "1.1", headers, request_id, time.time_ns(), "10.0.0.9", "gw.local", 8000, user_agent, key
    )  # fmt: skip


def attempt(*, stream: bool = False, number: int = 1, provider: str = "openai", model: str = "gpt-4o") -> Attempt:
    reason = "first" if number == 1 else "fallback"
    return Attempt("chat", provider, provider, model, "api.example.com", 443, stream, number, reason, "customer-7")


def one_request(telemetry: Telemetry, request_id: str = "req-1") -> str:
    """A plain successful request; returns its trace id."""
    request = telemetry.start_request(http_request(request_id=request_id))
    request.start_attempt(attempt()).end(OK)
    request.end(DONE)
    return request.trace_id
