"""The scripted provider in the words of three wires: what fails is the same everywhere, how it is said is not.

    FakeLLM.in_thread(scripts=ANTHROPIC.script)

``ok`` and its streams, refusals, streams that break, and every form of forms.py; all else (hang, html-200, …) has no wire and
comes from scripts.py.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from time import time
from typing import TYPE_CHECKING

import orjson

from tests.fakes.provider.bodies import body_script
from tests.fakes.provider.exchange import ANSWER_TOKENS, PROMPT_TOKENS, Cut, Exchange, Json, Reset, Script, words
from tests.fakes.provider.exchange import reply as chat_reply
from tests.fakes.provider.exchange import stream_of as chat_stream
from tests.fakes.provider.exchange import usage_json as chat_usage
from tests.fakes.provider.forms import FORMS
from tests.fakes.provider.scripts import FOREVER_S, PACKET_S, script_of

if TYPE_CHECKING:
    from tests.fakes.provider.server import Received

ANSWERED = ["Grüße ", "aus ", "Lissabon ", "🌍", "!"]
"""Five tokens, in characters of one to four bytes."""

_NEUTRAL = re.compile(
    r"hang|html-200|empty-200|bad-json-200|not-http|redirect|drip-headers|big-body|gzip-bomb|no-first-byte"
    r"|close-before-headers|rst-before-headers"
)


@dataclass(frozen=True, slots=True)
class FakeWire:
    """How a provider's answers look."""

    whole: Callable[[str, Sequence[str]], bytes]
    """The model and its words → a whole answer."""
    events: Callable[[Exchange, Sequence[str]], list[bytes]]
    """One event of opening, one for each word, then the end."""
    refusal: Callable[[int, str], bytes]
    """Status and message → the body of an error."""
    overloaded: bytes
    """The event that says so in the middle of a stream."""
    streamed: Callable[[Received], bool]

    def script(self, received: Received, name: str) -> Script | None:
        if name in FORMS:
            return lambda exchange: self._form(exchange, received, name)
        for pattern, make in _PATTERNS:
            if (match := re.fullmatch(pattern, name)) is not None:
                return make(self, received, match.groups())
        if (script := body_script(name)) is not None:
            return script
        return script_of(name) if self is CHAT or _NEUTRAL.fullmatch(name) else None

    async def say(self, exchange: Exchange, received: Received, pieces: Sequence[str]) -> None:
        if not self.streamed(received):
            await exchange.answer(200, self.whole(received.model, pieces))
            return
        await exchange.start_stream()
        for event in self.events(exchange, pieces):
            await exchange.chunk(event)
        await exchange.end_stream()

    async def _form(self, exchange: Exchange, received: Received, name: str) -> None:
        if not self.streamed(received):
            await self.say(exchange, received, ANSWERED)
            return
        await exchange.start_stream()
        for piece in FORMS[name](b"".join(self.events(exchange, ANSWERED))):
            await exchange.chunk(piece)
        await exchange.end_stream()

    async def break_off(self, exchange: Exchange, count: int, how: str) -> None:
        """A stream's first ``count`` words, and what happens then; -1: not even its opening."""
        await exchange.start_stream()
        for event in self.events(exchange, words(count + 1))[: count + 1]:
            await exchange.chunk(event)
        await asyncio.sleep(PACKET_S)  # an RST overtakes bytes that the reader has not taken yet
        match how:
            case "cut":
                raise Cut
            case "rst":
                raise Reset
            case "eof":
                await exchange.end_stream()
            case "stall":
                await asyncio.sleep(FOREVER_S)
            case "overload":
                await exchange.chunk(self.overloaded)
                await exchange.end_stream()
            case _:  # garbage
                await exchange.chunk(b'data: {"id":"fake","choi\n\n')
                await exchange.end_stream()

    async def refuse(self, exchange: Exchange, status: int, **headers: str) -> None:
        await exchange.answer(status, self.refusal(status, f"Scripted failure {status}."), **headers)

    async def nothing_but_comments(self, exchange: Exchange) -> None:
        await exchange.start_stream()
        for _ in range(int(FOREVER_S / PACKET_S)):
            await exchange.chunk(b": PROCESSING\n\n")
            await asyncio.sleep(PACKET_S)

    async def comments_for(self, exchange: Exchange, received: Received, seconds: float) -> None:
        """In the middle of the answer: signs of life, for longer than anybody would wait for silence to end."""
        events = self.events(exchange, words(ANSWER_TOKENS))
        await exchange.start_stream()
        for event in events[:3]:
            await exchange.chunk(event)
        for _ in range(int(seconds / PACKET_S)):
            await exchange.chunk(b": keep-alive\n\n")
            await asyncio.sleep(PACKET_S)
        for event in events[3:]:
            await exchange.chunk(event)
        await exchange.end_stream()


async def quota(exchange: Exchange) -> None:
    """OpenAI's words for an account that has used up what it was given."""
    await exchange.error(429, "You exceeded your current quota.", "insufficient_quota")


Make = Callable[["FakeWire", "Received", "Sequence[str]"], Script]

_PATTERNS: tuple[tuple[str, Make], ...] = (
    (r"ok", lambda wire, received, _: lambda exchange: wire.say(exchange, received, words(ANSWER_TOKENS))),
    (
        r"ok-(\d+)-tokens",
        lambda wire, received, given: lambda exchange: wire.say(exchange, received, words(int(given[0]))),
    ),
    (
        r"(cut|rst|eof|stall|overload|garbage)-after-(-?\d+)",
        lambda wire, _, given: lambda exchange: wire.break_off(exchange, int(given[1]), given[0]),
    ),
    (
        r"(\d{3})-retry-after-date-(\d+)",
        lambda wire, _, given: (
            lambda exchange: wire.refuse(
                exchange, int(given[0]), retry_after=formatdate(time() + int(given[1]), usegmt=True)
            )
        ),
    ),
    (
        r"(\d{3})-retry-after-ms-(\d+)",
        lambda wire, _, given: (
            lambda exchange: wire.refuse(exchange, int(given[0]), retry_after="60", retry_after_ms=given[1])
        ),
    ),
    (
        r"(\d{3})-retry-after-(.+)",
        lambda wire, _, given: lambda exchange: wire.refuse(exchange, int(given[0]), retry_after=given[1]),
    ),
    (
        r"(\d{3})-of-no-use",
        lambda wire, _, given: lambda exchange: wire.refuse(exchange, int(given[0]), x_should_retry="false"),
    ),
    (
        r"(\d{3})-once",
        lambda wire, received, given: (
            lambda exchange: (
                wire.refuse(exchange, int(given[0]))
                if exchange.times == 1
                else wire.say(exchange, received, words(ANSWER_TOKENS))
            )
        ),
    ),
    (
        r"429-resets",
        lambda wire, _, __: (
            lambda exchange: wire.refuse(
                exchange, 429, x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="6m0s"
            )
        ),
    ),
    (r"429-quota", lambda _, __, ___: quota),
    (r"(\d{3})", lambda wire, _, given: lambda exchange: wire.refuse(exchange, int(given[0]))),
    (r"comments-forever", lambda wire, _, __: wire.nothing_but_comments),
    (
        r"comments-for-([\d.]+)-s",
        lambda wire, received, given: lambda exchange: wire.comments_for(exchange, received, float(given[0])),
    ),
)


# ---- OpenAI's chat -----------------------------------------------------------------------------------------------


def _asks_for_stream(received: Received) -> bool:
    return bool(received.json.get("stream"))


def _chat_whole(model: str, pieces: Sequence[str]) -> bytes:
    return chat_reply(_Named(model), "".join(pieces), chat_usage(len(pieces)))


class _Named(Exchange):
    """Only a name: what a whole answer takes from its exchange."""

    def __init__(self, model: str) -> None:
        async def nowhere(data: bytes) -> None: ...

        super().__init__(orjson.dumps({"model": model}), 1, nowhere)


CHAT = FakeWire(
    whole=_chat_whole,
    events=lambda exchange, pieces: chat_stream(exchange, pieces, chat_usage(len(pieces))),
    refusal=lambda status, message: orjson.dumps(
        {"error": {"message": message, "type": "fake_error", "param": None, "code": "scripted"}}
    ),
    overloaded=b'data: {"error":{"message":"The server is overloaded","type":"overloaded_error","code":503}}\n\n',
    streamed=_asks_for_stream,
)


# ---- Anthropic's messages ----------------------------------------------------------------------------------------


def _named(kind: str, **members: object) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps({"type": kind, **members}) + b"\n\n"


def _message(model: str, content: list[Json], reason: str | None, output: int) -> Json:
    usage = {"input_tokens": PROMPT_TOKENS, "output_tokens": output}
    return {
        "id": "msg_fake", "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": reason, "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _messages_whole(model: str, pieces: Sequence[str]) -> bytes:
    return orjson.dumps(_message(model, [{"type": "text", "text": "".join(pieces)}], "end_turn", len(pieces)))


def _messages_events(exchange: Exchange, pieces: Sequence[str]) -> list[bytes]:
    block = {"type": "text", "text": ""}
    opening = _named("message_start", message=_message(exchange.model, [], None, 1))
    return [
        opening + _named("content_block_start", index=0, content_block=block) + _named("ping"),
        *(_named("content_block_delta", index=0, delta={"type": "text_delta", "text": piece}) for piece in pieces),
        _named("content_block_stop", index=0),
        _named("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": len(pieces)}),
        _named("message_stop"),
    ]


_ANTHROPIC_KINDS = {429: "rate_limit_error", 529: "overloaded_error", 400: "invalid_request_error"}

ANTHROPIC = FakeWire(
    whole=_messages_whole,
    events=_messages_events,
    refusal=lambda status, message: orjson.dumps(
        {"type": "error", "error": {"type": _ANTHROPIC_KINDS.get(status, "api_error"), "message": message}}
    ),
    overloaded=_named("error", error={"type": "overloaded_error", "message": "Overloaded"}),
    streamed=_asks_for_stream,
)


# ---- Gemini ------------------------------------------------------------------------------------------------------

_GEMINI_STATUS = {429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE", 400: "INVALID_ARGUMENT"}
GEMINI_RETRY_DELAY_S = 2


def _candidate(text: str, reason: str | None, output: int) -> Json:
    made: Json = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if reason is not None:
        made["finishReason"] = reason
    usage = {"promptTokenCount": PROMPT_TOKENS, "candidatesTokenCount": output, "totalTokenCount": 0}
    return {"candidates": [made], "usageMetadata": usage, "modelVersion": "gemini-fake", "responseId": "r-1"}


def _gemini_events(exchange: Exchange, pieces: Sequence[str]) -> list[bytes]:
    said = [_candidate(piece, None, place + 1) for place, piece in enumerate(pieces)]
    every = [_candidate("", None, 0), *said, _candidate("", "STOP", len(pieces))]
    return [b"data: " + orjson.dumps(one) + b"\n\n" for one in every]


def _gemini_refusal(status: int, message: str) -> bytes:
    error: Json = {"code": status, "message": message, "status": _GEMINI_STATUS.get(status, "INTERNAL")}
    if status == 429:
        delay = f"{GEMINI_RETRY_DELAY_S}s"
        error["details"] = [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": []},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
        ]
    return orjson.dumps({"error": error})


GEMINI = FakeWire(
    whole=lambda _, pieces: orjson.dumps(_candidate("".join(pieces), "STOP", len(pieces))),
    events=_gemini_events,
    refusal=_gemini_refusal,
    overloaded=b"data: " + _gemini_refusal(503, "The model is overloaded.") + b"\n\n",
    streamed=lambda received: "streamGenerateContent" in received.path,
)
