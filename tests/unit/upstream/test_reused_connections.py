"""Connections that have served one request and are to serve another: closed at that moment, or with bytes on them that no request
asked for."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from gatewayz.errors import ProviderConnectionFailed
from gatewayz.upstream import AiohttpUpstream, UpstreamRequest
from gatewayz.upstream.client import STALE_S
from tests.fakes.provider.server import FakeLLM
from tests.unit.upstream.conftest import HEADERS, PATIENT, ask, request_for


class TestStaleConnections:
    """A provider may close an idle connection at the moment when we use it."""

    async def test_request_is_repeated_once_on_a_new_connection(self, upstream: AiohttpUpstream) -> None:
        async with _ClosingServer(b"") as server:
            await server.ask(upstream)
            await server.ask(upstream)
        assert server.requests == [1, 1, 2]

    async def test_request_is_repeated_after_a_reset_too(self, upstream: AiohttpUpstream) -> None:
        async with _ClosingServer(b"", reset=True) as server:
            await server.ask(upstream)
            await server.ask(upstream)
        assert server.requests == [1, 1, 2]

    @pytest.mark.parametrize("reset", [False, True])
    async def test_request_is_not_repeated_when_a_byte_of_the_answer_had_come(
        self, upstream: AiohttpUpstream, reset: bool
    ) -> None:
        async with _ClosingServer(b"HTTP/1.1 200", reset=reset) as server:
            await server.ask(upstream)
            with pytest.raises(ProviderConnectionFailed):
                await server.ask(upstream)
        assert server.requests == [1, 1]

    async def test_request_is_not_repeated_when_the_provider_may_have_worked_on_it(
        self, upstream: AiohttpUpstream
    ) -> None:
        async with _ClosingServer(b"", after_s=1.2 * STALE_S) as server:
            await server.ask(upstream)
            with pytest.raises(ProviderConnectionFailed):
                await server.ask(upstream)
        assert server.requests == [1, 1]

    async def test_request_on_a_new_connection_is_not_repeated(self, fake: FakeLLM, upstream: AiohttpUpstream) -> None:
        with pytest.raises(ProviderConnectionFailed):
            await upstream.send(request_for(fake, "close-before-headers"))
        assert len(fake.requests) == 1

    async def test_every_request_is_answered_though_idle_connections_are_dropped(
        self, fake: FakeLLM, upstream: AiohttpUpstream
    ) -> None:
        for turn in range(300):
            assert await ask(upstream, request_for(fake, "ok"))
            if turn % 3 == 0:
                fake.drop_connections()
        assert len(fake.requests) == 300


class TestUnaskedBytes:
    """What comes on an idle connection must not be read as the answer to the next request: it would be another caller's."""

    @pytest.mark.parametrize("unasked", [b"whole", b"half", b"none"])
    @pytest.mark.parametrize("at_once", [True, False], ids=["with-the-answer", "later"])
    async def test_unrequested_bytes_never_answer_the_next_request(
        self, upstream: AiohttpUpstream, unasked: bytes, at_once: bool
    ) -> None:
        more = {b"whole": _answer(b"another caller's"), b"half": _answer(b"another caller's")[:20], b"none": b""}[
            unasked
        ]
        turns = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal turns
            try:
                while await reader.readuntil(b"\r\n\r\n{}"):
                    turns += 1
                    said = _answer(b"to %d" % turns)
                    writer.write(said + more if at_once else said)
                    if not at_once:
                        await asyncio.sleep(0.01)
                        writer.write(more)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        try:
            for number in range(1, 4):
                assert await ask(upstream, UpstreamRequest(url, HEADERS, b"{}", PATIENT, False)) == b"to %d" % number
                await asyncio.sleep(0.05)
        finally:
            await upstream.close()
            server.close()


def _answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


class _ClosingServer:
    """Answers the first request of its first connection, and at the second one says ``last_words`` and hangs up."""

    ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"

    def __init__(self, last_words: bytes, *, reset: bool = False, after_s: float = 0) -> None:
        self.requests: list[int] = []
        self._last_words = last_words
        self._reset = reset
        self._after_s = after_s
        self._connections = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> _ClosingServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def ask(self, upstream: AiohttpUpstream) -> None:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        assert await ask(upstream, UpstreamRequest(url, HEADERS, b"{}", PATIENT, False)) == b"{}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        number = self._connections
        answered = 0
        while await self._request(reader):
            self.requests.append(number)
            if number == 1 and answered:
                await asyncio.sleep(self._after_s)
                writer.write(self._last_words)
                await writer.drain()
                if self._reset:
                    await asyncio.sleep(0.05)
                    _reset(writer)
                break
            writer.write(self.ANSWER)
            answered += 1
        writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> bool:
        try:
            await reader.readuntil(b"\r\n\r\n{}")
        except asyncio.IncompleteReadError:
            return False
        return True


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
