"""The stores that one suite is run against.

`recorded`: Tempo and Loki as they are written down. `live`: Jaeger and VictoriaLogs, started here (marker `stack`, since they
may have to be built); Tempo and Loki where somebody has them, at GATEWAYZ_TEST_TEMPO_URL (queries, and
GATEWAYZ_TEST_TEMPO_OTLP_URL for OTLP over HTTP) and GATEWAYZ_TEST_LOKI_URL, or on PATH.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from gatewayz.queries.logs import Logs, LogSearch
from gatewayz.queries.reader import new_client
from gatewayz.queries.stores import logs_at, traces_at
from gatewayz.queries.traces import Span, Traces, TraceSearch
from gatewayz.stack.console import PlainView
from gatewayz.stack.options import StackOptions
from gatewayz.stack.ports import Ports
from gatewayz.stack.runner import Stack
from tests.contract.queries.recorded import Recorded
from tests.contract.queries.samples import SECOND_NS, Record, Samples, make_samples
from tests.contract.queries.sending import send_records, send_spans

VISIBLE_WITHIN_S = 30.0

RECORDED_BASE_NS = 1_795_871_700 * SECOND_NS


@dataclass(frozen=True, slots=True)
class TraceStore:
    """A store that holds the samples' traces."""

    traces: Traces
    samples: Samples
    live: bool


@dataclass(frozen=True, slots=True)
class LogStore:
    """A store that holds the samples' records; ``endpoint`` takes more of them, empty where none are taken."""

    logs: Logs
    samples: Samples
    http: httpx.AsyncClient
    endpoint: str

    async def add(self, record: Record) -> None:
        await send_records(self.http, self.endpoint, [record], headers=STREAMS)


STREAMS = {"VL-Stream-Fields": "service.name"}
"""As the Collector says it; Loki does not listen."""


@pytest.fixture(scope="session")
def recorded() -> Generator[Recorded]:
    recorded = Recorded(make_samples(RECORDED_BASE_NS, seed="5eed5eed"))
    yield recorded
    recorded.close()
    assert recorded.refused == [], "questions that are not written down"


@pytest.fixture(scope="session")
def live_samples() -> Samples:
    # A few minutes ago: nothing lies in the future, and nothing is too old.
    return make_samples((time.time_ns() // (60 * SECOND_NS) - 5) * 60 * SECOND_NS)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def http() -> AsyncGenerator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def native(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stack]:
    """Jaeger and VictoriaLogs alone, taken as the stack tests take them: from PATH, the cache, or built."""
    async with _stack("jaeger", "victoria-logs", tmp_path_factory) as running:
        yield running


def _stack(traces: str, logs: str, directories: pytest.TempPathFactory) -> Stack:
    options = StackOptions(
        data_dir=directories.mktemp("stores"),
        ports=Ports.free(),
        only=frozenset({traces, logs}) - {""},
        traces="tempo" if traces == "tempo" else "jaeger",
        logs="loki" if logs == "loki" else "victoria-logs",
        gateway=False,
    )
    return Stack(options, PlainView(lambda _: None))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tempo_urls(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[str, str]]:
    """Where Tempo answers and where it takes OTLP over HTTP; skips where nobody has it."""
    url = os.environ.get("GATEWAYZ_TEST_TEMPO_URL")
    if url:
        yield url, os.environ.get("GATEWAYZ_TEST_TEMPO_OTLP_URL", url.rpartition(":")[0] + ":4318")
        return
    if shutil.which("tempo") is None:
        pytest.skip("no Tempo: set GATEWAYZ_TEST_TEMPO_URL, or have `tempo` on PATH")
    async with _stack("tempo", "", tmp_path_factory) as running:
        yield running.urls["tempo"], f"http://127.0.0.1:{running.options.ports.tempo_otlp}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def loki_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    """Where Loki answers; skips where nobody has it."""
    url = os.environ.get("GATEWAYZ_TEST_LOKI_URL")
    if url:
        yield url
        return
    if shutil.which("loki") is None:
        pytest.skip("no Loki: set GATEWAYZ_TEST_LOKI_URL, or have `loki` on PATH")
    async with _stack("", "loki", tmp_path_factory) as running:
        yield running.urls["loki"]


@pytest.fixture(scope="session")
def recorded_tempo(recorded: Recorded, http: httpx.AsyncClient) -> TraceStore:
    return TraceStore(traces_at(f"tempo+{recorded.url}", http, setting="--traces"), recorded.samples, live=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def live_jaeger(native: Stack, http: httpx.AsyncClient, live_samples: Samples) -> TraceStore:
    traces = traces_at(f"jaeger+{native.urls['jaeger']}", http, setting="--traces")
    await send_spans(http, f"http://127.0.0.1:{native.options.ports.jaeger_otlp}", _all_spans(live_samples))
    await _until_traces_are_there(traces, live_samples)
    return TraceStore(traces, live_samples, live=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def live_tempo(tempo_urls: tuple[str, str], http: httpx.AsyncClient, live_samples: Samples) -> TraceStore:
    traces = traces_at(f"tempo+{tempo_urls[0]}", http, setting="--traces")
    await send_spans(http, tempo_urls[1], _all_spans(live_samples))
    await _until_traces_are_there(traces, live_samples)
    return TraceStore(traces, live_samples, live=True)


@pytest.fixture(
    params=[
        "recorded_tempo",
        pytest.param("live_jaeger", marks=pytest.mark.stack),
        pytest.param("live_tempo", marks=pytest.mark.stack),
    ]
)
def trace_store(request: pytest.FixtureRequest) -> TraceStore:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def recorded_loki(recorded: Recorded, http: httpx.AsyncClient) -> LogStore:
    return LogStore(logs_at(f"loki+{recorded.url}", http, setting="--logs"), recorded.samples, http, "")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def live_victoria_logs(native: Stack, http: httpx.AsyncClient, live_samples: Samples) -> LogStore:
    url = native.urls["victoria-logs"]
    logs = logs_at(f"victorialogs+{url}", http, setting="--logs")
    return await _filled(LogStore(logs, live_samples, http, f"{url}/insert/opentelemetry/v1/logs"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def live_loki(loki_url: str, http: httpx.AsyncClient, live_samples: Samples) -> LogStore:
    logs = logs_at(f"loki+{loki_url}", http, setting="--logs")
    return await _filled(LogStore(logs, live_samples, http, f"{loki_url}/otlp/v1/logs"))


@pytest.fixture(
    params=[
        "recorded_loki",
        pytest.param("live_victoria_logs", marks=pytest.mark.stack),
        pytest.param("live_loki", marks=pytest.mark.stack),
    ]
)
def log_store(request: pytest.FixtureRequest) -> LogStore:
    return request.getfixturevalue(request.param)


def _all_spans(samples: Samples) -> list[Span]:
    return [span for spans in samples.traces.values() for span in spans]


async def _until_traces_are_there(traces: Traces, samples: Samples) -> None:
    """Tempo shows what it has just taken to a search a little later than to a question for the id."""
    search = TraceSearch(samples.base_ns, samples.end_ns, service=samples.service)
    deadline = time.monotonic() + VISIBLE_WITHIN_S
    while len(await traces.search(search)) < len(samples.traces) - 1:
        assert time.monotonic() < deadline, "the store does not find what it has taken"
        await asyncio.sleep(0.2)


async def _filled(store: LogStore) -> LogStore:
    samples = store.samples
    await send_records(store.http, store.endpoint, samples.records, headers=STREAMS)
    search = LogSearch(samples.base_ns, samples.end_ns, service=samples.service)
    deadline = time.monotonic() + VISIBLE_WITHIN_S
    while len(await store.logs.search(search)) < len(samples.records) - 1:
        assert time.monotonic() < deadline, "the store does not find what it has taken"
        await asyncio.sleep(0.2)
    return store
