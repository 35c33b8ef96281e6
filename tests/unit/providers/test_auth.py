"""Proofs that are made anew for each request, seen at the socket: a signature over the body, and a token that expires.

The two kinds of Auth here are stand-ins for a cloud's signature and a cloud's token: they need what those need.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import orjson
import pytest

from gatewayz.config import load_settings
from gatewayz.errors import ProviderAuthFailed, ProviderConnectTimeout
from gatewayz.providers.auth import StaticKey
from gatewayz.providers.base import Address, Payload, Provider
from gatewayz.providers.catalog import load_providers
from gatewayz.providers.keypool import Secret
from gatewayz.upstream import Headers, Timeouts, Upstream, UpstreamRequest

SECRET = b"a secret that only the two ends know"
TIMEOUTS = Timeouts(connect_s=5, first_byte_s=5, idle_s=5, total_s=10)
TOKEN_LIFE_S = 60


@dataclass(frozen=True)
class Received:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Server:
    """Gives out tokens at ``/token`` and says yes to everything else; keeps what it got, byte for byte."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.tokens_given = 0
        self.silent = False
        self.url = ""

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = dict(line.split(": ", 1) for line in lines if line)
                body = await reader.readexactly(int(headers["content-length"]))
                method, target, _ = start.split(" ")
                self.received.append(Received(method, target, headers, body))
                if self.silent:
                    continue
                answer = b'{"ok":true}'
                if target == "/token":
                    self.tokens_given += 1
                    answer = orjson.dumps({"access_token": f"t-{self.tokens_given}", "expires_in": TOKEN_LIFE_S})
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer))
        except asyncio.IncompleteReadError:
            writer.close()


def signature(method: str, address: str, headers: Headers, body: bytes) -> str:
    """What a canonical request is made of: method, host, path and query as they are sent, headers, the body's hash."""
    parts = urlsplit(address)
    signed = [method, parts.netloc, parts.path, parts.query, *[f"{name}:{value}" for name, value in sorted(headers)]]
    text = "\n".join([*signed, hashlib.sha256(body).hexdigest()])
    return hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()


class Signing:
    """Signs the whole request, as a cloud's signature does."""

    async def headers(self, request: UpstreamRequest) -> Headers:
        return (("x-signature", signature(request.method, request.url, request.headers, request.body)),)


class Expiring:
    """Fetches a token when there is none that holds; however many ask at once, it fetches one."""

    def __init__(self, url: str, upstream: Upstream) -> None:
        self.now_s = 0.0
        self._url = url
        self._upstream = upstream
        self._lock = asyncio.Lock()
        self._token = ""
        self._until_s = -1.0

    async def headers(self, request: UpstreamRequest) -> Headers:
        async with self._lock:
            if self.now_s >= self._until_s:
                await self._fetch()
        return (("authorization", f"Bearer {self._token}"),)

    async def _fetch(self) -> None:
        form = (("content-type", "application/x-www-form-urlencoded"),)
        body = b"grant_type=client_credentials"
        response = await self._upstream.send(UpstreamRequest(self._url, form, body, TIMEOUTS, stream=False))
        answer = orjson.loads(await response.read(10_000))
        self._token = answer["access_token"]
        self._until_s = self.now_s + answer["expires_in"]


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    async with Server() as server:
        yield server


@pytest.fixture
async def plain(server: Server) -> AsyncGenerator[Provider]:
    """A provider without any proof, at the server's address."""
    providers = load_providers(load_settings(), {"OLLAMA_BASE_URL": f"{server.url}/v1"})
    yield replace(providers["ollama"], address=Address.of(f"{server.url}/v1"))
    await providers.close()


async def ask(
    provider: Provider, path: str = "/chat/completions", body: bytes = b"{}", traceparent: bytes | None = None
) -> None:
    request = provider.request(Payload(path, body, stream=False), TIMEOUTS, traceparent=traceparent)
    response = await provider.send(request)
    assert response.status == 200
    await response.read(10_000)


async def test_signature_covers_what_arrives(server: Server, plain: Provider) -> None:
    """The path above all: one with escapes must not be written another way after it was signed."""
    provider = replace(plain, auth=Signing())
    path = "/model/us.x-v1%3A0%2Fprofile/invoke?api-version=2026-01-01"
    await ask(provider, path, b'{"prompt":"hi"}')
    (received,) = server.received
    assert received.target == "/v1" + path
    sent = tuple((name, received.headers[name]) for name, _ in provider.headers)
    address = f"http://{received.headers['host']}{received.target}"
    assert received.headers["x-signature"] == signature("POST", address, sent, received.body)


async def test_signature_and_trace_are_sent_together(server: Server, plain: Provider) -> None:
    await ask(replace(plain, auth=Signing(), propagate=True), traceparent=b"00-trace-01")
    assert {"x-signature", "traceparent"} <= server.received[0].headers.keys()


async def test_each_request_has_its_own_signature(server: Server, plain: Provider) -> None:
    provider = replace(plain, auth=Signing())
    for body in (b'{"a":1}', b'{"a":2}', b'{"a":1}'):
        await ask(provider, body=body)
    first, second, third = [one.headers["x-signature"] for one in server.received]
    assert first == third != second


async def test_token_is_used_until_it_expires_and_then_refreshed(server: Server, plain: Provider) -> None:
    auth = Expiring(f"{server.url}/token", plain.upstream)
    provider = replace(plain, auth=auth)
    for now_s in (0, TOKEN_LIFE_S - 1, TOKEN_LIFE_S, TOKEN_LIFE_S + 1):
        auth.now_s = now_s
        await ask(provider)
    used = [one.headers["authorization"] for one in server.received if one.target != "/token"]
    assert used == ["Bearer t-1", "Bearer t-1", "Bearer t-2", "Bearer t-2"]
    assert server.tokens_given == 2


async def test_calls_at_once_share_one_token(server: Server, plain: Provider) -> None:
    provider = replace(plain, auth=Expiring(f"{server.url}/token", plain.upstream))
    await asyncio.gather(*[ask(provider) for _ in range(10)])
    assert server.tokens_given == 1
    assert {one.headers.get("authorization") for one in server.received if one.target != "/token"} == {"Bearer t-1"}


async def test_waiting_for_a_token_counts_as_connecting(server: Server, plain: Provider) -> None:
    server.silent = True
    provider = replace(plain, auth=Expiring(f"{server.url}/token", plain.upstream))
    hasty = replace(TIMEOUTS, connect_s=0.05)
    with pytest.raises(ProviderConnectTimeout, match=r"credentials .* within 0\.05 s"):
        await provider.send(provider.request(Payload("/chat/completions", b"{}", stream=False), hasty))
    assert [one.target for one in server.received] == ["/token"]


async def test_request_without_a_proof_is_not_sent(server: Server, plain: Provider) -> None:
    class Refusing:
        async def headers(self, request: UpstreamRequest) -> Headers:
            raise ProviderAuthFailed("The token service knows us not.")

    with pytest.raises(ProviderAuthFailed):
        await ask(replace(plain, auth=Refusing()))
    assert server.received == []


def test_static_key_is_known_before_any_request() -> None:
    key = Secret("sk-canary")
    auth = StaticKey.of((("accept", "*/*"),), "x-api-key", [key])
    assert auth.headers[key] == (("accept", "*/*"), ("x-api-key", "sk-canary"))
    assert auth.headers[None] == (("accept", "*/*"),)
    assert "canary" not in f"{auth!r} {auth.headers[key]!r}"
