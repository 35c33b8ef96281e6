"""One live gateway over four quick providers, one for each wire."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from tests.fakes.gateway import LiveGateway, running_gateway
from tests.fuzz.client import Client, client_of
from tests.fuzz.provider import BASE_URLS, Provider, running_provider

CONNECTIONS = 12


@dataclass(frozen=True, slots=True)
class Rig:
    """The gateway, the provider behind it, the client before it, and the loop that the latter two live in."""

    gateway: LiveGateway
    provider: Provider
    client: Client
    runner: asyncio.Runner


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("fuzz")
    with asyncio.Runner() as runner:
        opened = AsyncExitStack()
        provider = runner.run(opened.enter_async_context(running_provider()))
        config = folder / "gatewayz.yaml"
        config.write_text(BASE_URLS.replace("PORT", str(provider.port)))
        environment = {
            "GATEWAYZ_CONFIG_FILE": str(config),
            # What a provider says wrongly must not decide how the next call is answered.
            "GATEWAYZ_MAX_ATTEMPTS": "1",
            "GATEWAYZ_BREAKER_FAILURES": "1000000",
            "GATEWAYZ_BREAKER_MIN_ATTEMPTS": "1000000",
            # Longer than the busiest machine takes, shorter than the client's patience.
            "GATEWAYZ_FIRST_CHUNK_TIMEOUT_S": "30",
            "GATEWAYZ_FIRST_BYTE_TIMEOUT_S": "30",
            "GATEWAYZ_IDLE_TIMEOUT_S": "30",
        }
        with running_gateway(folder / "data", environment) as gateway:
            port = int(gateway.url.rpartition(":")[2])
            client = runner.run(opened.enter_async_context(client_of(port, gateway.api_key, CONNECTIONS)))
            yield Rig(gateway, provider, client, runner)
            runner.run(opened.aclose())
