"""One live gateway for all contract tests, with the scripted upstream in the place of OpenAI, and clients of the official SDK."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import openai
import pytest
import pytest_asyncio

from tests.fakes.clients import async_openai_client, openai_client
from tests.fakes.gateway import LiveGateway, running_gateway
from tests.fakes.provider.server import FakeLLM

PROVIDER_KEY = "sk-scripted-provider-key"
IMPATIENT = {"x-gatewayz-first-chunk-timeout": "0.3"}
"""Header of a caller who does not wait for a provider that is silent."""
IN_A_HURRY = {"x-gatewayz-timeout": "1"}
"""Header of a caller for whom no Retry-After is waited out."""


@pytest.fixture(scope="package")
def upstream() -> Generator[FakeLLM]:
    with FakeLLM.in_thread() as fake:
        yield fake


@pytest.fixture(scope="package")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstream: FakeLLM) -> Generator[LiveGateway]:
    environment = {
        "OPENAI_BASE_URL": upstream.base_url,
        "OPENAI_API_KEY": PROVIDER_KEY,
        "GATEWAYZ_DEMO_PACE_S": "0.001",
        # Long enough for a busy machine; a test that waits for silence to end says that it is impatient (IMPATIENT).
        "GATEWAYZ_FIRST_BYTE_TIMEOUT_S": "4",
        "GATEWAYZ_FIRST_CHUNK_TIMEOUT_S": "2",
        "GATEWAYZ_IDLE_TIMEOUT_S": "1.5",
        "GATEWAYZ_ORPHANED_CALL_S": "0.5",
        # Failures are what these tests are about, and one must not decide how the next is answered (breakers: faults/).
        "GATEWAYZ_BREAKER_FAILURES": "1000000",
        "GATEWAYZ_BREAKER_MIN_ATTEMPTS": "1000000",
    }
    with running_gateway(tmp_path_factory.mktemp("contract"), environment) as live:
        yield live


@pytest.fixture
def client(gateway: LiveGateway) -> Generator[openai.OpenAI]:
    with openai_client(gateway) as one:
        yield one


@pytest_asyncio.fixture
async def async_client(gateway: LiveGateway) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with async_openai_client(gateway) as one:
        yield one
