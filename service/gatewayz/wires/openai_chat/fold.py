"""The outcome of a chat completion, whole or streamed: identity, finish reasons, usage, errors.

Pure: no I/O, no clock. Answers are observed, never rebuilt: the caller gets the provider's bytes.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gatewayz.errors import ProviderMalformedResponse
from gatewayz.wires.fold import (
    ABSENT,
    EMPTY,
    SAMPLED_EVENTS,
    EventKind,
    StreamFold,
    json_of,
)
from gatewayz.wires.openai_chat.usage import usage_in
from gatewayz.wires.refusals.in_band import error_in_band
from gatewayz.wires.token_estimate import raw_size


class _Groq(Struct):
    usage: Raw = ABSENT
    error: Raw = ABSENT


class ChatDelta(Struct):
    """Raw members, because some providers stream lists where others stream text. All that matters is whether there is
    content, and how much."""

    content: Raw = ABSENT
    tool_calls: Raw = ABSENT
    reasoning_content: Raw = ABSENT
    reasoning: Raw = ABSENT
    refusal: Raw = ABSENT
    function_call: Raw = ABSENT
    audio: Raw = ABSENT


class ChatChunkChoice(Struct):
    delta: ChatDelta | None = None
    text: Raw = ABSENT  # the older completions put it here
    finish_reason: str | None = None


class ChatChunk(Struct):
    id: str | None = None
    model: str | None = None
    choices: list[ChatChunkChoice] | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT
    x_groq: _Groq | None = None


class ChatReplyChoice(Struct):
    finish_reason: str | None = None
    message: Raw = ABSENT
    text: Raw = ABSENT  # the older completions have this instead of a message


class ChatReply(Struct):
    id: str | None = None
    model: str | None = None
    choices: list[ChatReplyChoice] | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT


_CHUNK = msgspec.json.Decoder(ChatChunk)
_REPLY = msgspec.json.Decoder(ChatReply)

LONG_CALL_BYTES = 256
"""A streamed piece of a call is shorter. A complete call, or several, is parsed to measure its content."""


class ChatFold(StreamFold[ChatChunk, ChatReply]):
    """An answer of OpenAI's chat, or of the older completions: they differ only in where the text is."""

    __slots__ = ("reported",)

    read_event = _CHUNK.decode
    read_reply = _REPLY.decode
    content_member = "choices"

    reported: bytes
    """The provider's usage object in JSON; None unless the source of ``usage`` is the provider."""

    @property
    def complete(self) -> bool:
        """The stream is over. Not every provider sends ``[DONE]``, but each gives a finish reason."""
        return self.done or bool(self.finish_reasons)

    def _last_word(self) -> EventKind:
        self.done = True
        return "done"

    def _take_reply(self, whole: ChatReply) -> None:
        if error := json_of(whole.error):
            raise error_in_band(error)
        if not whole.choices:
            raise ProviderMalformedResponse("The provider's answer has no choices.")
        for choice in whole.choices:
            if choice.message is ABSENT and choice.text is ABSENT:
                raise ProviderMalformedResponse("The provider's answer has a choice without a message.")
        self.response_id = whole.id
        self.response_model = whole.model
        self.finish_reasons = tuple([choice.finish_reason for choice in whole.choices if choice.finish_reason])
        self._count(bytes(whole.usage))

    def _take(self, event: ChatChunk) -> EventKind:
        if self.response_id is None:
            self.response_id = event.id
            self.response_model = event.model
        usage = event.usage
        if event.error is not ABSENT or event.x_groq is not None:
            groq = event.x_groq or _Groq()
            error = json_of(event.error) or json_of(groq.error)
            if error:
                self.error = error_in_band(error)
                return "error"
            usage = groq.usage if usage is ABSENT else usage
        has_usage = usage is not ABSENT and (raw := bytes(usage)) not in EMPTY and self._count(raw)
        if not event.choices:
            return "usage" if has_usage else "other"
        kind: EventKind = "other"
        for choice in event.choices:
            if choice.finish_reason:
                self.finish_reasons = (*self.finish_reasons, choice.finish_reason)
            delta = choice.delta
            text = choice.text if delta is None else delta.content
            if text is not ABSENT and (raw := bytes(text)) not in EMPTY:
                kind = "content"
                self.content_bytes += len(raw)
                if self.content_events < SAMPLED_EVENTS:
                    self._sample(len(raw), raw)
            elif delta is not None and self._takes_something_else(delta):
                kind = "content"
        return kind

    def _takes_something_else(self, delta: ChatDelta) -> bool:
        if calls := json_of(delta.tool_calls):
            self.content_bytes += _arguments_size(calls)
            return True
        for member in (delta.reasoning_content, delta.reasoning, delta.refusal, delta.function_call, delta.audio):
            if raw := json_of(member):
                self.content_bytes += len(raw)
                if self.content_events < SAMPLED_EVENTS:
                    self._sample(len(raw), raw)
                return True  # some providers send the same thought under two names
        return False

    def _count(self, raw: bytes) -> bool:
        """Take the provider's usage object, if it is one. A later one replaces an earlier one."""
        usage = usage_in(raw)
        if usage is None:
            return False
        self.usage, self.reported = usage, raw
        return True


def _arguments_size(calls: bytes) -> int:
    """Bytes of a tool call's name and arguments in a chunk. In short ones the escapes stay in: JSON has more tokens to the
    byte than text, and the escapes make up for it."""
    place = calls.rfind(b'"arguments":')
    if place >= 0 and len(calls) < LONG_CALL_BYTES:
        return max(0, len(calls) - place - len(b'"arguments":""}}]'))
    return raw_size(calls)[0]
