"""Which phase a connection is in, from its first byte to its last. (tests/contract/test_hostile_http.py has the whole server.)"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from gatewayz.app import App
from gatewayz.config import load_settings
from gatewayz.dataplane.http import Receive, Scope, Send
from gatewayz.server.protocol import LimitedProtocol, Phase

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Length: 4\r\n\r\n"


class HeldApp(App):
    """Answers each request with its path when told to."""

    def __init__(self) -> None:
        super().__init__(load_settings(), {})
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.go.wait()
        body = scope["path"].encode()
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class FakeTransport(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__({"socket": None, "peername": None, "sockname": None})
        self.written = b""
        self.closed = False
        self.half_closed = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.half_closed = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Connection:
    """A protocol on a fake transport, and the application behind it."""

    def __init__(self) -> None:
        self.app = HeldApp()
        config = Config(self.app, http=LimitedProtocol, ws="none", lifespan="off", proxy_headers=False, log_config=None)
        config.load()
        self.protocol = LimitedProtocol(config, ServerState(), {}, asyncio.get_running_loop())
        self.transport = FakeTransport()
        self.protocol.connection_made(self.transport)

    @property
    def phase(self) -> Phase:
        return self.protocol._phase  # pyright: ignore[reportPrivateUsage] - what this file is about

    def receive(self, data: bytes) -> Phase:
        self.protocol.data_received(data)
        return self.phase

    async def answer(self) -> Phase:
        self.app.go.set()
        for _ in range(10):
            await asyncio.sleep(0)
        return self.phase


@pytest.fixture
async def connection() -> Any:
    connection = Connection()
    yield connection
    connection.app.go.set()
    connection.protocol.connection_lost(None)


async def test_request_that_comes_in_pieces_goes_through_every_phase(connection: Connection) -> None:
    assert connection.phase == "idle"
    assert connection.receive(HEAD[:20]) == "head"
    assert connection.receive(HEAD[20:]) == "body"
    assert connection.receive(b"ab") == "body"
    assert connection.receive(b"cd") == "answering"
    assert await connection.answer() == "idle"
    assert not connection.transport.closed


async def test_pipelined_request_is_read_while_the_one_before_it_is_answered(connection: Connection) -> None:
    assert connection.receive(HEAD + b"abcd") == "answering"
    assert connection.receive(HEAD[:20]) == "head"
    assert await connection.answer() == "head"
    assert connection.receive(HEAD[20:] + b"abcd") == "answering"
    assert await connection.answer() == "idle"
    assert connection.transport.written.count(b"HTTP/1.1 200") == 2


async def test_body_that_comes_after_its_answer_leaves_the_connection_usable(connection: Connection) -> None:
    assert connection.receive(HEAD) == "body"
    assert await connection.answer() == "body"
    assert connection.receive(b"abcd") == "idle"
    assert connection.receive(HEAD + b"abcd") == "answering"
    assert await connection.answer() == "idle"


@pytest.mark.parametrize(
    "data", [b"nonsense\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: /\r\n\r\n"]
)
async def test_what_is_no_request_is_answered_and_then_discarded(connection: Connection, data: bytes) -> None:
    assert connection.receive(data) == "lingering"
    assert await connection.answer() == "lingering"
    assert connection.transport.half_closed
    before = connection.transport.written
    assert connection.receive(HEAD + b"abcd") == "lingering"
    assert await connection.answer() == "lingering"
    assert connection.transport.written == before


async def test_refusal_waits_for_the_answer_that_is_due(connection: Connection) -> None:
    assert connection.receive(HEAD + b"abcd" + b"nonsense\r\n\r\n") == "lingering"
    assert connection.transport.written == b""
    assert await connection.answer() == "lingering"
    assert connection.transport.written.count(b"HTTP/1.1 200") == 2
    assert not connection.transport.closed
    assert connection.transport.half_closed


async def test_broken_body_is_the_applications_to_answer(connection: Connection) -> None:
    chunked = HEAD.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked")
    assert connection.receive(chunked) == "body"
    assert connection.receive(b"not a size\r\n") == "lingering"
    assert connection.transport.written == b""
    await connection.answer()
    assert connection.transport.written.count(b"HTTP/1.1") == 1
