"""The built-in provider: no key, no network, deterministic. It answers in OpenAI's wire, so that the gateway treats it as it
treats a real provider.

    fast            answers at once          rate-limited    429 with Retry-After
    slow            begins after 1.5 s       error           500
    thinker         reasons first            overloaded      503
    embed           makes embeddings
    flaky           one call in three fails, cut             ends in the middle
                    each time in another     stall           falls silent in the middle
                    way, in a fixed order    hang            never begins

Tools are called when the request has some and its last message is the user's; JSON mode and JSON schemas are obeyed,
``max_tokens``, ``stop`` and ``n`` too. tokens.py says how tokens are counted.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import count
from typing import Any

import orjson

from gatewayz.errors import (
    ProviderFirstChunkTimeout,
    ProviderIdleTimeout,
    ProviderMalformedResponse,
    ProviderStreamCut,
)
from gatewayz.providers.demo.answer import compose
from gatewayz.providers.demo.chat_format import stream_events, whole_answer
from gatewayz.providers.demo.embeddings import MODEL, WrongInput, embed
from gatewayz.providers.demo.request import Refusal, read_request
from gatewayz.upstream import Timeouts, UpstreamRequest, UpstreamResponse

HOST = "demo"
SLOW_S = 1.5
RETRY_AFTER_S = 2

# What flaky does, call after call: about every third call fails, and the faults take turns.
_FLAKY_SEQUENCE = (
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
        self._flaky_calls = count()
        self._answers = count(1)

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        if request.url.endswith("/embeddings"):
            return _embeddings(request.body)
        read = read_request(request.body)
        if isinstance(read, Refusal):
            return _refuse(read.status, read.error)
        behaviour = read.model
        if behaviour == "flaky":
            behaviour = _FLAKY_SEQUENCE[next(self._flaky_calls) % len(_FLAKY_SEQUENCE)]
        if behaviour in _STATUS_OF:
            return _fault(behaviour)
        timeouts = request.timeouts
        if behaviour == "hang":
            await _wait_for_nothing(timeouts.first_byte_s, timeouts)
            raise ProviderFirstChunkTimeout(f"{HOST} did not begin to answer within {timeouts.first_byte_s:g} s.")
        answer = compose(read)
        answer_id = f"chatcmpl-demo-{hashlib.blake2s(request.body, digest_size=6).hexdigest()}-{next(self._answers)}"
        if behaviour == "slow":
            await _work(SLOW_S, timeouts)
        if not read.stream:
            # A whole answer takes a real model as long as its tokens do; a quarter of that keeps the demo brisk.
            await _work(min(self._pace_s * answer.usage["completion_tokens"] / 4, 1.0), timeouts)
        pieces = stream_events(answer_id, read, answer) if read.stream else [whole_answer(answer_id, read, answer)]
        return _DemoResponse(200, _content_type(read.stream), pieces, self._pace_s, behaviour, timeouts)

    async def close(self) -> None:
        return None


class _DemoResponse:
    """An answer, sent at the demo's pace. ``cut`` and ``stall`` happen in the middle of it."""

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
    """Takes its time, as long as the caller waits."""
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
    """Embeddings, by the one model that makes them. The models that are named after a fault have it here, too."""
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
