"""One gateway with tight limits, and a client that sends exactly the bytes it is told to."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Generator
from typing import Any

import pytest

from tests.fakes.gateway import LiveGateway, running_gateway
from tests.raw_http import Reply, reply_of

MAX_BODY_BYTES = 4096
BODY_TIMEOUT_S = 1


Raw = Callable[..., Reply]


@pytest.fixture(scope="package")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Generator[LiveGateway]:
    environment = {
        "GATEWAYZ_MAX_BODY_BYTES": str(MAX_BODY_BYTES),
        "GATEWAYZ_BODY_TIMEOUT_S": str(BODY_TIMEOUT_S),
        "GATEWAYZ_DEMO_PACE_S": "0.05",
        "GATEWAYZ_CORS_ORIGINS": "*",
    }
    with running_gateway(tmp_path_factory.mktemp("dataplane"), environment) as live:
        yield live


def connect(gateway: LiveGateway) -> socket.socket:
    host, port = gateway.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


@pytest.fixture
def send(gateway: LiveGateway) -> Raw:
    """``send(method, path, body, **headers)`` with the gateway's key, on a connection of its own."""

    def request(method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        sent = {"authorization": f"Bearer {gateway.api_key}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=30)
        try:
            connection.request(method, path, body, {name: value for name, value in sent.items() if value})
            return reply_of(connection.getresponse())
        finally:
            connection.close()

    return request


def chat(content: str = "Hello", **members: Any) -> bytes:
    """A chat request's body."""
    return json.dumps({"model": "demo/fast", "messages": [{"role": "user", "content": content}]} | members).encode()
