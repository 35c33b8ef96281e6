"""One exchange with the fake provider, and the bytes of OpenAI's answers: what the scripts are written with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

PROMPT_TOKENS = 11
ANSWER_TOKENS = 5
ANSWER_ID = "chatcmpl-fake"

Json = dict[str, Any]
Send = Callable[[bytes], Awaitable[None]]


class Cut(Exception):
    """Close the connection now."""


class Reset(Exception):
    """Close it with RST."""


@dataclass(slots=True)
class Exchange:
    """One request and the means to answer it."""

    body: bytes
    times: int
    """How often this model was asked, this time included."""
    send: Send
    json: Json = field(init=False)

    def __post_init__(self) -> None:
        try:
            self.json = orjson.loads(self.body)
        except ValueError:
            self.json = {}

    @property
    def stream(self) -> bool:
        return bool(self.json.get("stream"))

    @property
    def model(self) -> str:
        return str(self.json.get("model", ""))

    @property
    def wants_usage(self) -> bool:
        options: Json = self.json.get("stream_options") or {}
        return bool(options.get("include_usage"))

    async def answer(self, status: int, body: bytes, content_type: str = "application/json", **headers: str) -> None:
        await self.send(
            head_of(status, {"content-type": content_type, "content-length": str(len(body)), **headers}) + body
        )

    async def error(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        error = {"message": message, "type": "fake_error", "param": None, "code": code}
        await self.answer(status, orjson.dumps({"error": error}), **headers)

    async def start_stream(self) -> None:
        await self.send(
            head_of(200, {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"})
        )

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def end_stream(self) -> None:
        await self.send(b"0\r\n\r\n")


Script = Callable[[Exchange], Awaitable[None]]


def whole(body: bytes, status: int = 200) -> Script:
    """That answer, in one piece."""
    return lambda exchange: exchange.answer(status, body)


def streamed(events: Sequence[bytes]) -> Script:
    """Those events, and an end of the stream as if it were over, whatever they say."""
    return lambda exchange: play(exchange, events)


def head_of(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted"]
    # What a provider says about our account, and what it would like us to remember.
    lines += ["set-cookie: session=secret", "openai-organization: org-secret", "x-ratelimit-remaining-requests: 41"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


# ---- Answers -----------------------------------------------------------------------------------------------------


def words(count: int) -> list[str]:
    return [f"word{number} " for number in range(count)]


def usage_json(completion: int, **details: Any) -> Json:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": completion,
        "total_tokens": PROMPT_TOKENS + completion,
        **details,
    }


def reply(exchange: Exchange, text: str, usage: Json | None, **message: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    if "tool_calls" in message:
        choice["finish_reason"] = "tool_calls"
    whole: Json = {
        "id": ANSWER_ID,
        "object": "chat.completion",
        "created": 1,
        "model": exchange.model,
        "choices": [choice],
    }
    if usage is not None:
        whole["usage"] = usage
    return orjson.dumps(whole)


def event(exchange: Exchange, choices: list[Json], **more: Any) -> bytes:
    return _event(exchange.model, choices, **more)


def _event(model: str, choices: list[Json], **more: Any) -> bytes:
    chunk = {"id": ANSWER_ID, "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices}
    return b"data: " + orjson.dumps({**chunk, **more}) + b"\n\n"


def delta(exchange: Exchange, content: Json, reason: str | None = None, **more: Any) -> bytes:
    return event(exchange, [{"index": 0, "delta": content, "finish_reason": reason}], **more)


def opening(exchange: Exchange) -> bytes:
    return delta(exchange, {"role": "assistant", "content": ""})


def stream_of(exchange: Exchange, pieces: Sequence[str], usage: Json | None, *, reason: str = "stop") -> list[bytes]:
    events = [
        opening(exchange),
        *_contents(exchange.model, tuple(pieces)),
        delta(exchange, {}, reason),
    ]
    if usage is not None and exchange.wants_usage:
        events.append(event(exchange, [], usage=usage))
    events.append(b"data: [DONE]\n\n")
    return events


@lru_cache(maxsize=8)
def _contents(model: str, pieces: tuple[str, ...]) -> list[bytes]:
    """One event for each piece. Kept, because a hundred callers may ask for the same 20,000 at once."""
    return [_event(model, [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]) for piece in pieces]


async def play(exchange: Exchange, events: Sequence[bytes], pause_s: float = 0) -> None:
    await exchange.start_stream()
    for number, item in enumerate(events):
        if number and pause_s:
            await asyncio.sleep(pause_s)
        await exchange.chunk(item)
    await exchange.end_stream()
