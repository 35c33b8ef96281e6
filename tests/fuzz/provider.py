"""Four providers at one address, one for each wire, quick enough not to be what is measured.

Which provider is meant is the first part of the path. Every request is read as strict JSON: what the gateway hands on must be
that, whatever came in.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import orjson

from tests.fuzz.answers import ANSWERS, Json, embeddings, gemini_embeddings, stream_bytes

TURNS_TO_ACCEPT = 5
"""Of the loop: a connection that just came is nobody's yet."""

BASE_URLS = "providers:\n" + "".join(
    f"  {name}: {{base_url: 'http://127.0.0.1:PORT/{name}', wires: [{wire}], keyless: true, "
    f"embeddings: {'true' if name in ('chat', 'gemini') else 'false'}, models: [m], list_models: false}}\n"
    for name, (wire, _) in ANSWERS.items()
)
"""The providers as gatewayz.yaml has them; PORT is to be replaced."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What to send, byte for byte; ``close``: end the connection with it."""

    data: bytes
    close: bool = False


@dataclass(slots=True)
class Provider:
    """The server's memory."""

    port: int = 0
    served: int = 0
    unreadable: list[bytes] = field(default_factory=list[bytes])
    """Bodies that reached it and are no JSON object."""
    reply_to: Callable[[str], Reply | None] = lambda model: None
    """What to answer instead, by the model's name."""
    open: set[asyncio.Transport] = field(default_factory=set["asyncio.Transport"])


def whole_reply(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def stream_reply(parts: list[bytes], *, ended: bool = True) -> bytes:
    """``ended`` false: without the last chunk, as after a cut."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return (
        head
        + b"".join([b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part])
        + (b"0\r\n\r\n" if ended else b"")
    )


def _usual_replies() -> Mapping[tuple[str, bool], list[bytes]]:
    usual: dict[tuple[str, bool], list[bytes]] = {}
    for name, (wire, said) in ANSWERS.items():
        usual[name, False] = [whole_reply(orjson.dumps(one.whole)) for one in said]
        usual[name, True] = [stream_reply([b"".join(stream_bytes(wire, one.events))]) for one in said]
    return usual


_USUAL = _usual_replies()


class _Connection(asyncio.Protocol):
    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._provider.open.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._provider.open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        start = head.index(b"content-length:") + 15
        line_end = head.find(b"\r\n", start)
        length = int(head[start : line_end if line_end > 0 else end])
        if len(self._buffer) < end + 4 + length:
            return
        path = bytes(self._buffer[: self._buffer.index(b"\r")]).split(b" ")[1].decode()
        body = bytes(self._buffer[end + 4 :])
        self._buffer.clear()
        reply = self._reply(path, body)
        self._transport.write(reply.data)
        if reply.close:
            self._transport.close()

    def _reply(self, path: str, body: bytes) -> Reply:
        provider = self._provider
        provider.served += 1
        asked = _read(body)
        if asked is None:
            provider.unreadable.append(body)
            asked = {}
        model = path.split("/models/")[1].partition(":")[0] if "/models/" in path else str(asked.get("model"))
        return provider.reply_to(model) or _usual(path, asked, provider.served)


def _read(body: bytes) -> Json | None:
    """The object that every reader of JSON finds in ``body``; None where some would find none."""
    try:
        asked: object = orjson.loads(body)
    except ValueError:
        try:  # orjson takes no number beyond a double, and every other reader does
            asked = json.loads(body.decode(), parse_constant=_refuse)
            json.dumps(asked, ensure_ascii=False).encode()  # refuses half of a surrogate pair
        except (ValueError, RecursionError):
            return None
    return cast("Json", asked) if isinstance(asked, dict) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _usual(path: str, asked: Json, number: int) -> Reply:
    name = path.split("/", 2)[1]
    if path.endswith("/embeddings"):
        given = asked.get("input")
        several = isinstance(given, list) and not (given and isinstance(given[0], int))
        return Reply(whole_reply(orjson.dumps(embeddings(len(cast("list[object]", given)) if several else 1))))
    if path.endswith(":batchEmbedContents"):
        return Reply(whole_reply(orjson.dumps(gemini_embeddings(len(asked.get("requests", ()))))))
    if path.endswith(":embedContent"):
        return Reply(whole_reply(b'{"embedding":{"values":[0.5,0.5]}}'))
    if path.endswith("/count_tokens"):
        return Reply(whole_reply(b'{"input_tokens":3}'))
    stream = ":streamGenerateContent" in path if name == "gemini" else bool(asked.get("stream"))
    choices = _USUAL[name, stream]
    return Reply(choices[number % len(choices)])


@asynccontextmanager
async def running_provider() -> AsyncGenerator[Provider]:
    provider = Provider()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(provider), "127.0.0.1", 0)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()
        for _ in range(TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
        for transport in list(provider.open):
            transport.abort()
        while provider.open:  # noqa: ASYNC110 - a transport closes in a later turn of the loop
            await asyncio.sleep(0)
