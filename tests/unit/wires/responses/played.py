"""A server that answers with given bytes, for the official SDK to read; and chat answers to make such bytes of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import orjson
from openai import AsyncOpenAI

from gatewayz.wires.sse import EventSplitter, data_of, event_of
from gatewayz.wires.translate import AnswerTranslation

USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 9,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 4},
}


@asynccontextmanager
async def _playing(status: int, media_type: str, body: bytes, slice_bytes: int) -> AsyncGenerator[AsyncOpenAI]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)
        writer.write(b"HTTP/1.1 %d X\r\ncontent-type: %s\r\nconnection: close\r\n\r\n" % (status, media_type.encode()))
        for start in range(0, len(body), slice_bytes):
            writer.write(body[start : start + slice_bytes])
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0) as client:
            yield client
    finally:
        server.close()
        await server.wait_closed()


def playing_stream(events: bytes, slice_bytes: int = 1000) -> AbstractAsyncContextManager[AsyncOpenAI]:
    """A client of a server that streams ``events``."""
    return _playing(200, "text/event-stream", events, slice_bytes)


def playing_reply(body: bytes, status: int = 200) -> AbstractAsyncContextManager[AsyncOpenAI]:
    """A client of a server that answers ``body``."""
    return _playing(status, "application/json", body, 1_000_000)


def translated(translation: AnswerTranslation, events: Iterable[bytes]) -> bytes:
    """The whole stream, through the translation."""
    return b"".join([*[translation.event(event) for event in events], translation.end()])


def told(events: bytes) -> list[Any]:
    """What a stream's events say."""
    datas = [data_of(event) for event in EventSplitter().feed(events)]
    return [data.decode() if data == b"[DONE]" else orjson.loads(data) for data in datas]


def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason, **more}
    return event_of(orjson.dumps({"id": "up-1", "object": "chat.completion.chunk", "model": "up", "choices": [choice]}))


def usage_event(usage: Any = USAGE) -> bytes:
    return event_of(orjson.dumps({"id": "up-1", "object": "chat.completion.chunk", "choices": [], "usage": usage}))


DONE_EVENT = b"data: [DONE]\n\n"


def chat_stream(*deltas: dict[str, Any], reason: str = "stop", usage: Any = USAGE) -> list[bytes]:
    """A stream as providers of chat send it."""
    return [
        chunk({"role": "assistant", "content": ""}),
        *[chunk(delta) for delta in deltas],
        chunk({}, reason),
        usage_event(usage),
        DONE_EVENT,
    ]


def chat_reply(message: dict[str, Any], reason: str = "stop", usage: Any = USAGE, **choice: Any) -> bytes:
    """The same, whole."""
    answer = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason, **choice}
    return orjson.dumps({"id": "up-1", "object": "chat.completion", "model": "up", "choices": [answer], "usage": usage})


def call_delta(index: int, **function: Any) -> dict[str, Any]:
    """A part of a call: with ``id`` and ``name`` it is the first."""
    call: dict[str, Any] = {"index": index, "function": {k: v for k, v in function.items() if k != "id"}}
    if "id" in function:
        call |= {"id": function["id"], "type": "function"}
    return {"tool_calls": [call]}


def call_of(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
