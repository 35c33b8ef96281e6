"""The built-in provider: no key, no network, deterministic, and it speaks OpenAI's bytes, so that whatever the gateway does
with a real provider it does with this one.

    fast            answers at once          rate-limited    429 with Retry-After
    slow            begins after 1.5 s       error           500
    thinker         reasons first            overloaded      503
    embed           makes embeddings
    flaky           one call in three fails, cut             ends in the middle
                    each time in another     stall           falls silent in the middle
                    way, in a fixed order    hang            never begins

Tools are called when the request brings some and the user spoke last; JSON mode and JSON schemas are obeyed; ``max_tokens``,
``stop`` and ``n`` too. Tokens are counted as demo_tokens.py says.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import count, zip_longest
from typing import Any

import orjson

from gatewayz.errors import (
    ProviderFirstChunkTimeout,
    ProviderIdleTimeout,
    ProviderMalformedResponse,
    ProviderStreamCut,
)
from gatewayz.providers.demo.answer import Answer, Refusal, Request, compose, read_request
from gatewayz.providers.demo.embeddings import MODEL, WrongInput, embed
from gatewayz.upstream import Timeouts, UpstreamRequest, UpstreamResponse

HOST = "demo"
SLOW_S = 1.5
RETRY_AFTER_S = 2
CREATED = 1_760_000_000  # one moment for all answers: the same request gets the same answer

# What flaky does, call after call: every third or so fails, and the faults take turns.
_TURNS = (
    "fast", "fast", "rate-limited", "fast", "fast", "error", "fast", "fast", "cut", "fast", "slow", "fast",
    "overloaded", "fast", "fast", "rate-limited", "fast", "stall", "fast", "fast", "error", "fast", "cut", "hang",
)  # fmt: skip

_STATUS_OF = {"rate-limited": 429, "error": 500, "overloaded": 503}
_FAULTS = {
    "rate-limited": (
        "You are being asked to slow down, as the model's name promised.",
        "requests",
        "rate_limit_exceeded",
    ),
    "error": ("This model always fails, as its name promised.", "server_error", "internal_error"),
    "overloaded": ("This model is always overloaded, as its name promised.", "server_error", "overloaded"),
}


class DemoUpstream:
    """The Upstream of the demo provider. ``pace_s`` is the pause between two chunks of a stream."""

    def __init__(self, pace_s: float) -> None:
        self._pace_s = pace_s
        self._turn = count()
        self._number = count(1)

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        if request.url.endswith("/embeddings"):
            return _embeddings(request.body)
        read = read_request(request.body)
        if isinstance(read, Refusal):
            return _refuse(read.status, read.error)
        behaviour = read.model
        if behaviour == "flaky":
            behaviour = _TURNS[next(self._turn) % len(_TURNS)]
        if behaviour in _STATUS_OF:
            return _fault(behaviour)
        timeouts = request.timeouts
        if behaviour == "hang":
            await _wait_for_nothing(timeouts.first_byte_s, timeouts)
            raise ProviderFirstChunkTimeout(f"{HOST} did not begin to answer within {timeouts.first_byte_s:g} s.")
        answer = compose(read)
        identity = f"chatcmpl-demo-{hashlib.blake2s(request.body, digest_size=6).hexdigest()}-{next(self._number)}"
        if behaviour == "slow":
            await _work(SLOW_S, timeouts)
        if not read.stream:
            # A whole answer takes a real model as long as its tokens do; a quarter of that keeps the demo brisk.
            await _work(min(self._pace_s * answer.usage["completion_tokens"] / 4, 1.0), timeouts)
        pieces = _events(identity, read, answer) if read.stream else [_reply(identity, read, answer)]
        return _DemoResponse(200, _content_type(read.stream), pieces, self._pace_s, behaviour, timeouts)

    async def close(self) -> None:
        return None


class _DemoResponse:
    """An answer that is played at the demo's pace. ``cut`` and ``stall`` happen in the middle of it."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        pieces: Sequence[bytes],
        pace_s: float = 0,
        behaviour: str = "fast",
        timeouts: Timeouts | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self._pieces = pieces
        self._pace_s = pace_s
        self._behaviour = behaviour
        self._timeouts = timeouts
        self._next = 0

    async def read(self, limit: int) -> bytes:
        parts = [piece async for piece in self]
        body = b"".join(parts)
        if len(body) > limit:
            raise ProviderMalformedResponse(f"{HOST} sent an answer of more than {limit} bytes.")
        return body

    def chunks(self) -> AsyncIterator[bytes]:
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        place = self._next
        if place >= len(self._pieces):
            raise StopAsyncIteration
        if self._behaviour in ("cut", "stall") and place >= len(self._pieces) // 2:
            await self._fail()
        self._next = place + 1
        if place and self._pace_s:
            await asyncio.sleep(self._pace_s)
        return self._pieces[place]

    def close(self) -> None:
        self._next = len(self._pieces)

    async def _fail(self) -> None:
        self._next = len(self._pieces)
        if self._behaviour == "cut" or self._timeouts is None:
            raise ProviderStreamCut(f"{HOST} closed the connection in the middle of its answer.")
        await _wait_for_nothing(self._timeouts.idle_s, self._timeouts)
        raise ProviderIdleTimeout(f"{HOST} fell silent in the middle of its answer for {self._timeouts.idle_s:g} s.")


async def _work(seconds: float, timeouts: Timeouts) -> None:
    """Be busy, within the caller's patience."""
    if seconds > timeouts.first_byte_s:
        await _wait_for_nothing(timeouts.first_byte_s, timeouts)
        raise ProviderFirstChunkTimeout(f"{HOST} did not begin to answer within {timeouts.first_byte_s:g} s.")
    if seconds > 0:
        await asyncio.sleep(seconds)


async def _wait_for_nothing(seconds: float, timeouts: Timeouts) -> None:
    await asyncio.sleep(min(seconds, timeouts.total_s))


def _fault(behaviour: str) -> UpstreamResponse:
    message, kind, code = _FAULTS[behaviour]
    headers = {"retry-after": str(RETRY_AFTER_S)} if behaviour == "rate-limited" else {}
    return _refuse(_STATUS_OF[behaviour], {"message": message, "type": kind, "param": None, "code": code}, headers)


def _embeddings(body: bytes) -> UpstreamResponse:
    """Embeddings, by the one model that makes them; those whose names promise a fault keep their word here, too."""
    try:
        model = str(orjson.loads(body)["model"])
        if model in _STATUS_OF:
            return _fault(model)
        if model != MODEL:
            message = f"The model `{model}` makes no embeddings; `{MODEL}` does."
            return _refuse(
                404, {"message": message, "type": "invalid_request_error", "param": None, "code": "model_not_found"}
            )
        return _DemoResponse(200, _content_type(stream=False), [embed(body)])
    except WrongInput as wrong:
        error = {"message": wrong.reason, "type": "invalid_request_error", "param": wrong.member, "code": None}
        return _refuse(400, error)


def _refuse(status: int, error: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> UpstreamResponse:
    return _DemoResponse(
        status, {"content-type": "application/json", **(headers or {})}, [orjson.dumps({"error": error})]
    )


def _content_type(stream: bool) -> dict[str, str]:
    return {"content-type": "text/event-stream; charset=utf-8" if stream else "application/json"}


def _reply(identity: str, request: Request, answer: Answer) -> bytes:
    choices: list[dict[str, Any]] = []
    for index, choice in enumerate(answer.choices):
        message: dict[str, Any] = {"role": "assistant", "content": "".join(choice.pieces) or None, "refusal": None}
        if choice.thoughts:
            message["reasoning_content"] = "".join(choice.thoughts)
        if choice.tool is not None:
            message["content"] = None
            message["tool_calls"] = [_tool_call(choice.tool, "".join(choice.pieces), identity, index)]
        choices.append({"index": index, "message": message, "logprobs": None, "finish_reason": choice.finish_reason})
    return orjson.dumps(
        {
            "id": identity,
            "object": "chat.completion",
            "created": CREATED,
            "model": request.model,
            "choices": choices,
            "usage": answer.usage,
            "system_fingerprint": "fp_demo",
        }
    )


def _events(identity: str, request: Request, answer: Answer) -> list[bytes]:
    """The stream, event by event: the role, then a token each (choices in turn), the reasons, the usage, the end."""
    head: dict[str, Any] = {
        "id": identity,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": request.model,
        "system_fingerprint": "fp_demo",
    }

    def event(choices: list[dict[str, Any]], usage: Mapping[str, Any] | None = None) -> bytes:
        chunk = {**head, "choices": choices}
        if request.include_usage:
            chunk["usage"] = usage
        return b"data: " + orjson.dumps(chunk) + b"\n\n"

    def delta(index: int, content: Mapping[str, Any], reason: str | None = None) -> bytes:
        return event([{"index": index, "delta": content, "logprobs": None, "finish_reason": reason}])

    events: list[bytes] = []
    tracks: list[list[bytes]] = []
    for index, choice in enumerate(answer.choices):
        opening: dict[str, Any] = {"role": "assistant", "content": None if choice.tool else "", "refusal": None}
        if choice.tool is not None:
            opening["tool_calls"] = [{"index": 0, **_tool_call(choice.tool, "", identity, index)}]
        events.append(delta(index, opening))
        track = [delta(index, {"reasoning_content": piece}) for piece in choice.thoughts]
        for piece in choice.pieces:
            if choice.tool is None:
                track.append(delta(index, {"content": piece}))
            else:
                track.append(delta(index, {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}))
        tracks.append(track)
    events += [piece for row in zip_longest(*tracks) for piece in row if piece is not None]
    events += [delta(index, {}, choice.finish_reason) for index, choice in enumerate(answer.choices)]
    if request.include_usage:
        events.append(event([], answer.usage))
    events.append(b"data: [DONE]\n\n")
    return events


def _tool_call(name: str, arguments: str, identity: str, index: int) -> dict[str, Any]:
    return {
        "id": f"call_{identity.removeprefix('chatcmpl-')}-{index}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
