"""Four providers at one address, one for each wire, quick enough not to be what is measured.

Which provider is meant is the first part of the path. Every request is read as strict JSON: what the gateway hands on must be
that, whatever came in.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import orjson

from tests.fakes.provider.exchange import Cut, Exchange, Script
from tests.fakes.provider.server import FakeLLM, Received
from tests.fuzz.answers import ANSWERS, Json, embeddings, gemini_embeddings, stream_bytes

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
    """The scripts of all four, and what they noticed."""

    port: int = 0
    served: int = 0
    unreadable: list[bytes] = field(default_factory=list[bytes])
    """Bodies that reached it and are no JSON object."""
    reply_to: Callable[[str], Reply | None] = lambda model: None
    """What to answer instead, by the model's name."""

    def script(self, received: Received, model: str) -> Script:
        self.served += 1
        asked = _read(received.body)
        if asked is None:
            self.unreadable.append(received.body)
            asked = {}
        reply = self.reply_to(model) or _usual(received.path, asked, self.served)
        return lambda exchange: _send(exchange, reply)


async def _send(exchange: Exchange, reply: Reply) -> None:
    await exchange.send(reply.data)
    if reply.close:
        raise Cut


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
    async with FakeLLM(scripts=provider.script, remember=False) as fake:
        provider.port = fake.port
        yield provider
