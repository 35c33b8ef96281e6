"""One native stack for all tests here: two gateway workers, free ports, a temporary directory, the scripted upstream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import httpx
import pytest
import pytest_asyncio

from gatewayz.queries.stores import logs_at, traces_at
from gatewayz.stack.console import PlainView
from gatewayz.stack.options import StackOptions
from gatewayz.stack.ports import Ports
from gatewayz.stack.runner import Stack
from gatewayz.stack.view import Progress
from tests.fakes.gateway import clean_environment, create_key
from tests.fakes.provider.server import FakeLLM
from tests.stack.known import Caller
from tests.stack.series import Stores

WORKERS = 2


class BuildView(PlainView):
    """The first run builds the stack for many minutes: says so. Everything else stays silent."""

    def progress(self, progress: Progress) -> None:
        if progress.state == "building":
            super().progress(progress)


@pytest.fixture(scope="session")
def upstream() -> Generator[FakeLLM]:
    with FakeLLM.in_thread() as fake:
        yield fake


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, upstream: FakeLLM
) -> AsyncGenerator[Stack]:
    terminal = request.config.pluginmanager.getplugin("terminalreporter")
    assert isinstance(terminal, pytest.TerminalReporter)
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("stack"),
        workers=WORKERS,
        ports=Ports.free(),
        last_scrape_s=0,
        environment=clean_environment(
            OPENAI_BASE_URL=upstream.base_url,
            OPENAI_API_KEY="sk-scripted-provider-key",
            GATEWAYZ_DEMO_PACE_S="0.005",
            # The books are easiest to keep with one attempt per request (retries and breakers: tests/contract/faults/).
            GATEWAYZ_MAX_ATTEMPTS="1",
            GATEWAYZ_BREAKER_FAILURES="1000000",
            GATEWAYZ_BREAKER_MIN_ATTEMPTS="1000000",
        ),
    )
    async with Stack(options, BuildView(terminal.write)) as running:
        yield running


@pytest.fixture(scope="session")
def api_key(stack: Stack) -> str:
    return create_key(stack.options.data_dir)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stores(stack: Stack) -> AsyncGenerator[Stores]:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        urls = stack.urls
        traces = traces_at(f"jaeger+{urls['jaeger']}", http, setting="this test")
        logs = logs_at(f"victorialogs+{urls['victoria-logs']}", http, setting="this test")
        yield Stores(http, urls["prometheus"], traces, logs)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def caller(stack: Stack, api_key: str) -> AsyncGenerator[Caller]:
    # No kept connections: each request may land on the other worker.
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=stack.urls["gateway"], trust_env=False, timeout=30, limits=limits) as http:
        yield Caller(http, api_key)
