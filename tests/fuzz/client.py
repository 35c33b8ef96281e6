"""A client that posts as fast as it can over kept connections, and says exactly how each answer ended.

Raw sockets, because an HTTP library would spend more on a request than the gateway does, and would mend what it sends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

ANSWER_S = 60.0
"""Longer than any timeout of the gateway under test: an answer that takes longer has been forgotten."""


@dataclass(frozen=True, slots=True)
class Posted:
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer. ``status`` is 0 where the connection ended without one."""

    status: int
    content_type: str
    body: bytes


NO_ANSWER = Answered(0, "", b"")


class Connection(asyncio.Protocol):
    """One request at a time; opens anew when the gateway has closed."""

    def __init__(self, port: int, api_key: str) -> None:
        self._port = port
        self._head = f"host: 127.0.0.1:{port}\r\nauthorization: Bearer {api_key}\r\ncontent-type: application/json\r\n"
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiting: asyncio.Future[Answered] | None = None

    async def post(self, posted: Posted) -> Answered:
        """The answer; raises TimeoutError if there is none for long."""
        loop = asyncio.get_running_loop()
        if self._transport is None or self._transport.is_closing():
            await loop.create_connection(lambda: self, "127.0.0.1", self._port)
        assert self._transport is not None
        self._buffer.clear()
        self._waiting = waiting = loop.create_future()
        head = f"POST {posted.path} HTTP/1.1\r\n{self._head}content-length: {len(posted.body)}\r\n\r\n"
        self._transport.write(head.encode() + posted.body)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await waiting
        except BaseException:
            self.close()  # what still comes would be taken for the next one's answer
            raise

    @property
    def open(self) -> bool:
        return self._transport is not None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._finish(NO_ANSWER)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answered = _whole_answer(self._buffer)
        if answered is not None:
            self._finish(answered)

    def _finish(self, answered: Answered) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answered)


def _whole_answer(buffer: bytearray) -> Answered | None:
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = buffer[:end].decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = bytes(buffer[end + 4 :])
    if "content-length" in headers:
        length = int(headers["content-length"])
        if len(body) < length:
            return None
        body = body[:length]
    elif not body.endswith(b"0\r\n\r\n") or (unchunked := _unchunked(body)) is None:
        return None
    else:
        body = unchunked
    return Answered(int(first.split(" ", 2)[1]), headers.get("content-type", ""), body)


def _unchunked(body: bytes) -> bytes | None:
    """The content of a chunked body; None while its last chunk is missing."""
    parts: list[bytes] = []
    place = 0
    while True:
        line = body.find(b"\r\n", place)
        if line < 0:
            return None
        size = int(body[place:line], 16)
        if not size:
            return b"".join(parts)
        parts.append(body[line + 2 : line + 2 + size])
        place = line + 2 + size + 2


class Client:
    """Posts many bodies over several connections at a time."""

    def __init__(self, connections: list[Connection]) -> None:
        self._connections = connections

    async def post_all(self, bodies: Iterable[Posted], judge: Callable[[Posted, Answered], None]) -> None:
        """Every body once; ``judge`` sees each with its answer, and may raise."""
        waiting = iter(bodies)
        try:
            async with asyncio.TaskGroup() as group:
                for connection in self._connections:
                    group.create_task(_post_from(connection, waiting, judge))
        except ExceptionGroup as failures:  # one is enough, and easier to read
            raise failures.exceptions[0] from None


async def _post_from(
    connection: Connection, waiting: Iterator[Posted], judge: Callable[[Posted, Answered], None]
) -> None:
    for posted in waiting:
        judge(posted, await connection.post(posted))


@asynccontextmanager
async def client_of(port: int, api_key: str, connections: int) -> AsyncGenerator[Client]:
    opened = [Connection(port, api_key) for _ in range(connections)]
    try:
        yield Client(opened)
    finally:
        for one in opened:
            one.close()
        while any(one.open for one in opened):  # noqa: ASYNC110 - a transport closes in a later turn of the loop
            await asyncio.sleep(0)
