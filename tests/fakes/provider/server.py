"""The fake provider: an LLM server on a real socket that does what a script says, and keeps what it was sent.

Without ``scripts`` it speaks OpenAI's chat completions, and the model's name picks what happens (scripts.py), so that a test
says it by the name it asks for: ``ok``, ``429-retry-after-2``, ``cut-after-3`` … Answers are written byte by byte here, not
by an HTTP library, because half of what is tested are answers that no library would send.

    async with FakeLLM() as fake:            # in the test's own event loop
        fake.base_url, fake.requests, fake.open_connections

    with FakeLLM.in_thread() as fake:        # for synchronous clients: a loop of its own in a thread

Sets of scripts, for ``scripts=``: the same failures on other wires (wires.py), every endpoint of a provider that is well
(endpoints.py), and whatever a test writes itself: a function of the request.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import orjson

from tests.fakes.provider.exchange import Cut, Exchange, Reset, Script
from tests.fakes.provider.scripts import known_usage, script_of

START_TIMEOUT_S = 10
MODEL_IN_PATH = re.compile(r"/models/([^/:]+):")
TURNS_TO_CLOSE = 5  # a TLS connection needs a few turns of the loop to close


@dataclass(frozen=True)
class Received:
    """One request as it arrived. Header names are lower-case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    """Number of the connection it came on, counted from 1."""
    at_s: float = field(default_factory=monotonic)

    @cached_property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @cached_property
    def model(self) -> str:
        try:
            return str(self.json["model"])
        except (ValueError, KeyError, TypeError):
            found = MODEL_IN_PATH.search(self.path)
            return unquote(found.group(1)) if found else ""


Scripts = Callable[[Received, str], Script | None]
"""A request and the name of a script (the model's, unless ``behave`` says otherwise) → what to do; None: what chat's scripts
say."""


class FakeLLM:
    """The server. All counters may be read at any time."""

    usage = staticmethod(known_usage)
    """``FakeLLM.usage(model)``: the usage that a script reports, so that tests can assert sums."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
        scripts: Scripts | None = None,
        idle_s: float | None = None,
        remember: bool = True,
    ) -> None:
        """``scripts``: instead of chat's, which serve where it returns None; ``idle_s``: connections on which nothing happens
        for so long are closed; ``remember``: keep every request, which hundreds of thousands are too many for."""
        self.requests: list[Received] = []
        self.connections = 0
        self.open_connections = 0
        self.aborted = 0
        """Connections that the client left before its answer was complete."""
        self.dropped = 0
        """Connections that were closed because nothing happened on them."""
        self.failures: list[Exception] = []
        """What went wrong in a script: a request that it did not expect. The connection ends with it, and so does the test,
        when the server does."""
        self.served: Counter[str] = Counter()
        """Requests by model; scripts that fail once look here."""
        self.behave: Callable[[Received], str | None] | None = None
        """What to do instead of what the model's name says: the name of another script, or None to let it be. With it a
        provider falls ill and recovers during a test."""
        self._tls = tls
        self._port = port
        self._scripts = scripts
        self._remember = remember
        self.idle_s = idle_s
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._live: set[_Connection] = set()

    @property
    def busy(self) -> int:
        """Connections on which an answer is under way."""
        return sum(connection.busy for connection in list(self._live))

    @property
    def port(self) -> int:
        return self._port

    @property
    def address(self) -> str:
        """Without a path."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        return f"{self.address}/v1"

    @property
    def last(self) -> Received:
        """The latest request."""
        return self.requests[-1]

    async def __aenter__(self) -> Self:
        self._loop = loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self._port, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while self._live:
            for connection in list(self._live):
                connection.abort()
            await asyncio.sleep(0)
        if self.failures and error is None:
            raise self.failures[0]

    @classmethod
    @contextlib.contextmanager
    def in_thread(
        cls,
        *,
        tls: ssl.SSLContext | None = None,
        scripts: Scripts | None = None,
        idle_s: float | None = None,
        remember: bool = True,
    ) -> Generator[FakeLLM]:
        fake = cls(tls=tls, scripts=scripts, idle_s=idle_s, remember=remember)
        started, stop = threading.Event(), asyncio.Event()
        loop = asyncio.new_event_loop()

        async def run() -> None:
            async with fake:
                started.set()
                await stop.wait()
            others = asyncio.all_tasks() - {asyncio.current_task()}  # handshakes that were not over
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            for _ in range(TURNS_TO_CLOSE):
                await asyncio.sleep(0)

        running: Future[None] = Future()

        def work() -> None:
            try:
                running.set_result(loop.run_until_complete(run()))
            except BaseException as error:  # noqa: BLE001 - raised below
                running.set_exception(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        if not started.wait(START_TIMEOUT_S):
            raise RuntimeError("the fake provider did not start")
        try:
            yield fake
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(START_TIMEOUT_S)
            loop.close()
        running.result()

    def drop_connections(self) -> None:
        """Close every connection, as a provider does with idle ones. May be called from any thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._drop)

    def _drop(self) -> None:
        for connection in list(self._live):
            connection.close()

    def script(self, received: Received) -> Script:
        name = (self.behave(received) if self.behave is not None else None) or received.model.partition("~")[0]
        if self._scripts is not None and (found := self._scripts(received, name)) is not None:
            return found
        if received.path != "/v1/chat/completions":
            return lambda exchange: exchange.error(404, f"No such path: {received.path}.")
        return script_of(name)

    def arrived(self, connection: _Connection) -> int:
        """A new connection; its number."""
        self._live.add(connection)
        self.connections += 1
        self.open_connections += 1
        return self.connections

    def left(self, connection: _Connection, *, early: bool) -> None:
        self._live.discard(connection)
        self.open_connections -= 1
        self.aborted += early

    def answer(self, connection: _Connection, received: Received) -> asyncio.Task[None]:
        if self._remember:
            self.requests.append(received)
        self.served[received.model] += 1
        task = asyncio.get_running_loop().create_task(connection.play(received))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Connection(asyncio.Protocol):
    """Reads requests one after another; a client that leaves cancels the script that answers it."""

    def __init__(self, fake: FakeLLM) -> None:
        self._fake = fake
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._number = 0
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._number = self._fake.arrived(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        early = self._task is not None and not self._task.done()
        if early and self._task is not None:
            self._task.cancel()
        self._fake.left(self, early=early)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._idle is not None:
            self._idle.cancel()
        if self._task is None or self._task.done():
            self._take_request()

    @property
    def busy(self) -> bool:
        return self._task is not None and not self._task.done()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _take_request(self) -> None:
        if not self._buffer[:1].isalpha():  # not HTTP: TLS, most likely
            assert self._transport is not None
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            self._transport.close()
            return
        head, separator, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not separator:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self._buffer = bytearray(rest[length:])
        self._task = self._fake.answer(self, Received(method, path, headers, rest[:length], self._number))

    async def play(self, received: Received) -> None:
        exchange = Exchange(received.body, self._fake.served[received.model], self._send)
        try:
            await self._fake.script(received)(exchange)
            self._rest()
        except Cut:
            self.close()
        except Reset:
            self._reset()
        except Exception as error:  # noqa: BLE001 - whatever a test's own script does
            self._fake.failures.append(error)
            self.close()

    def _rest(self) -> None:
        """Nothing to do: as providers do, it waits for so long and then closes, whatever is on its way here."""
        if self._fake.idle_s is not None:
            self._idle = asyncio.get_running_loop().call_later(self._fake.idle_s, self._drop)

    def _drop(self) -> None:
        self._fake.dropped += 1
        self.close()

    async def _send(self, data: bytes) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            await asyncio.sleep(0)  # the client is gone: lets ``connection_lost`` run, which cancels this script
        self._transport.write(data)
        await self._writable.wait()

    def _reset(self) -> None:
        """End with RST instead of FIN."""
        assert self._transport is not None
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
