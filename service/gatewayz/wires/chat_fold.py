"""What a chat completion amounts to, whether it comes whole or in events: identity, finish reasons, usage, errors.

Pure: no I/O, no clock. Answers are observed, never rebuilt: the bytes that a caller gets are the provider's.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from gatewayz.errors import (
    ProviderError,
    ProviderMalformedResponse,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderServerError,
)
from gatewayz.records import NO_USAGE, Usage
from gatewayz.wires.sse import DONE, data_of

ABSENT = Raw()
"""The default of every raw member: what is this very object was not there, and need not be looked at."""


class _PromptDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _CompletionDetails(Struct):
    reasoning_tokens: int | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek's word for cached_tokens


class _Groq(Struct):
    usage: Raw = ABSENT
    error: Raw = ABSENT


class _Delta(Struct):
    """Raw, because some providers stream lists where others stream text; all that matters is whether something is there."""

    content: Raw = ABSENT
    tool_calls: Raw = ABSENT
    reasoning_content: Raw = ABSENT
    reasoning: Raw = ABSENT
    refusal: Raw = ABSENT
    function_call: Raw = ABSENT
    audio: Raw = ABSENT


class _ChunkChoice(Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_ChunkChoice] | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT
    x_groq: _Groq | None = None


class _ReplyChoice(Struct):
    finish_reason: str | None = None
    message: Raw = ABSENT
    text: Raw = ABSENT  # instead of a message, in the older completions


class _Reply(Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_ReplyChoice] | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT


_CHUNK = msgspec.json.Decoder(_Chunk)
_REPLY = msgspec.json.Decoder(_Reply)
_USAGE = msgspec.json.Decoder(_Usage)
_EMPTY = frozenset((b"", b"null", b'""', b"[]", b"{}"))

EventKind = Literal["content", "usage", "done", "error", "other"]
"""``usage``: an event that says nothing else, to be kept from a caller who did not ask for it."""


class ChatFold:
    """What one answer amounts to, whether it came whole or in events. Read the attributes at any time: a stream that was
    cut has said what it has said."""

    __slots__ = ("content_events", "done", "error", "finish_reasons", "response_id", "response_model", "usage")

    def __init__(self) -> None:
        self.response_id: str | None = None
        self.response_model: str | None = None
        self.finish_reasons: tuple[str, ...] = ()
        self.usage: Usage = NO_USAGE
        self.content_events = 0
        self.done = False
        self.error: ProviderError | None = None

    @property
    def complete(self) -> bool:
        """The stream said that it was over; not every provider sends ``[DONE]``, but each gives a reason for stopping."""
        return self.done or bool(self.finish_reasons)

    def reply(self, body: bytes) -> None:
        """Fold a whole answer. Raises ProviderMalformedResponse when it is not one, ProviderError when it is an error
        under status 200."""
        try:
            reply = _REPLY.decode(body)
        except (ValueError, RecursionError):
            raise ProviderMalformedResponse(_describe_garbage(body)) from None
        if error := _said(reply.error):
            raise error_in_band(error)
        if not reply.choices:
            raise ProviderMalformedResponse("The provider's answer has no choices.")
        for choice in reply.choices:
            if choice.message is ABSENT and choice.text is ABSENT:
                raise ProviderMalformedResponse("The provider's answer has a choice without a message.")
        self.response_id = reply.id
        self.response_model = reply.model
        self.finish_reasons = tuple([choice.finish_reason for choice in reply.choices if choice.finish_reason])
        self._count(bytes(reply.usage))

    def event(self, event: bytes) -> EventKind:
        """Fold one event of a stream. Raises ProviderMalformedResponse when its data is not JSON; an error event does not
        raise but sets ``error``."""
        data = data_of(event)
        if not data:
            return "other"
        if data == DONE:
            self.done = True
            return "done"
        try:
            chunk = _CHUNK.decode(data)
        except msgspec.ValidationError:
            return "other"  # JSON, but of a shape we do not know: the caller may
        except (ValueError, RecursionError):
            raise ProviderMalformedResponse("The provider sent an event that is not valid JSON.") from None
        return self._chunk(chunk)

    def _chunk(self, chunk: _Chunk) -> EventKind:
        if self.response_id is None:
            self.response_id = chunk.id
            self.response_model = chunk.model
        usage = chunk.usage
        if chunk.error is not ABSENT or chunk.x_groq is not None:
            groq = chunk.x_groq or _Groq()
            error = _said(chunk.error) or _said(groq.error)
            if error:
                self.error = error_in_band(error)
                return "error"
            usage = groq.usage if usage is ABSENT else usage
        has_usage = usage is not ABSENT and self._count(bytes(usage))
        if not chunk.choices:
            return "usage" if has_usage else "other"
        kind: EventKind = "other"
        for choice in chunk.choices:
            if choice.finish_reason:
                self.finish_reasons = (*self.finish_reasons, choice.finish_reason)
            delta = choice.delta
            if delta is not None and (_said(delta.content) or _says_something_else(delta)):
                kind = "content"
        if kind == "content":
            self.content_events += 1
        return kind

    def _count(self, raw: bytes) -> bool:
        """Take the provider's usage, if that is what it is; a later one replaces an earlier one."""
        if raw in _EMPTY:
            return False
        try:
            usage = _USAGE.decode(raw)
        except (ValueError, RecursionError):
            return False
        if usage.prompt_tokens is None and usage.completion_tokens is None:
            return False
        prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
        cached = (prompt.cached_tokens if prompt else None) or usage.prompt_cache_hit_tokens
        self.usage = Usage(
            input_tokens=_tokens(usage.prompt_tokens),
            output_tokens=_tokens(usage.completion_tokens),
            cache_read_tokens=_tokens(cached),
            cache_write_tokens=_tokens(prompt.cache_write_tokens if prompt else None),
            reasoning_tokens=_tokens(completion.reasoning_tokens if completion else None),
            source="provider",
        )
        return True


def _said(raw: Raw) -> bytes:
    """The member's JSON, or nothing where it is absent, null or empty."""
    if raw is ABSENT:
        return b""
    said = bytes(raw)
    return b"" if said in _EMPTY else said


def _says_something_else(delta: _Delta) -> bool:
    return bool(
        _said(delta.tool_calls)
        or _said(delta.reasoning_content)
        or _said(delta.reasoning)
        or _said(delta.refusal)
        or _said(delta.function_call)
        or _said(delta.audio)
    )


def _tokens(count: int | None) -> int:
    """A count as a provider gave it: never below nothing, never more than a counter holds."""
    return 0 if count is None else min(max(count, 0), 2**53)


def _describe_garbage(body: bytes) -> str:
    head = body[:64].lstrip()
    if not head:
        return "The provider's answer is empty."
    if head.startswith(b"<"):
        return "The provider answered with a web page instead of JSON."
    return "The provider's answer is not the JSON it should be."


class _Error(Struct):
    message: Raw = ABSENT
    type: Raw = ABSENT
    code: Raw = ABSENT


_ERROR = msgspec.json.Decoder(_Error)


def error_in_band(error: bytes) -> ProviderError:
    """The error that a provider reports inside a 200, by its ``code`` and ``type``; its text is not repeated, for
    providers quote keys and prompts in it."""
    try:
        parsed = _ERROR.decode(error)
    except (ValueError, RecursionError):
        return ProviderServerError("The provider reported an error in its answer.")
    words = (bytes(parsed.code) + b" " + bytes(parsed.type)).lower()
    if b"429" in words or b"rate_limit" in words or b"insufficient_quota" in words:
        return ProviderRateLimited("The provider's rate limit was reached.", upstream_status=200)
    if b"503" in words or b"529" in words or b"overloaded" in words:
        return ProviderOverloaded("The provider is overloaded.", upstream_status=200)
    return ProviderServerError("The provider reported an error in its answer.", upstream_status=200)
