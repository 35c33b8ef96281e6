"""What a chat completion amounts to, whether it comes whole or in events: identity, finish reasons, usage, errors.

Pure: no I/O, no clock. Answers are observed, never rebuilt: the bytes that a caller gets are the provider's.
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
    """Raw, because some providers stream lists where others stream text; what matters is whether something is there, and how
    much."""

    content: Raw = ABSENT
    tool_calls: Raw = ABSENT
    reasoning_content: Raw = ABSENT
    reasoning: Raw = ABSENT
    refusal: Raw = ABSENT
    function_call: Raw = ABSENT
    audio: Raw = ABSENT


class ChatChunkChoice(Struct):
    delta: ChatDelta | None = None
    text: Raw = ABSENT  # where the older completions have it
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
    text: Raw = ABSENT  # instead of a message, in the older completions


class ChatReply(Struct):
    id: str | None = None
    model: str | None = None
    choices: list[ChatReplyChoice] | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT


_CHUNK = msgspec.json.Decoder(ChatChunk)
_REPLY = msgspec.json.Decoder(ChatReply)

LONG_CALL_BYTES = 256
"""A piece of a streamed call is shorter; a whole call, or several, is read for what it says."""


class ChatFold(StreamFold[ChatChunk, ChatReply]):
    """An answer of OpenAI's chat, or of its older completions: they differ in where the text is, and in nothing else."""

    __slots__ = ("reported",)

    read_event = _CHUNK.decode
    read_reply = _REPLY.decode
    said_in = "choices"

    reported: bytes
    """The usage as the provider gave it, in JSON; none unless ``usage`` is the provider's."""

    @property
    def complete(self) -> bool:
        """The stream said that it was over; not every provider sends ``[DONE]``, but each gives a reason for stopping."""
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

    def _take(self, said: ChatChunk) -> EventKind:
        if self.response_id is None:
            self.response_id = said.id
            self.response_model = said.model
        usage = said.usage
        if said.error is not ABSENT or said.x_groq is not None:
            groq = said.x_groq or _Groq()
            error = json_of(said.error) or json_of(groq.error)
            if error:
                self.error = error_in_band(error)
                return "error"
            usage = groq.usage if usage is ABSENT else usage
        has_usage = usage is not ABSENT and (raw := bytes(usage)) not in EMPTY and self._count(raw)
        if not said.choices:
            return "usage" if has_usage else "other"
        kind: EventKind = "other"
        for choice in said.choices:
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
                return True  # who says it twice, under two names, has thought it once
        return False

    def _count(self, raw: bytes) -> bool:
        """Take the provider's usage, if that is what it is; a later one replaces an earlier one."""
        usage = usage_in(raw)
        if usage is None:
            return False
        self.usage, self.reported = usage, raw
        return True


def _arguments_size(calls: bytes) -> int:
    """Bytes of a tool call's name and arguments, in a chunk. In short ones the arguments' escapes are left in: they weigh what
    JSON weighs more than text."""
    place = calls.rfind(b'"arguments":')
    if place >= 0 and len(calls) < LONG_CALL_BYTES:
        return max(0, len(calls) - place - len(b'"arguments":""}}]'))
    return raw_size(calls)[0]
