"""The outcome of an answer of Anthropic's Messages API, whole or streamed.

Pure: no I/O, no clock. Anthropic counts input in three disjoint parts (read from its cache, written to it, neither); our
``input_tokens`` is their sum. A stream reports usage twice. Each count of the later report replaces the earlier one where it
is given.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gatewayz.errors import ProviderMalformedResponse
from gatewayz.records import Usage
from gatewayz.wires.fold import SAMPLED_EVENTS, UNREADABLE, EventKind, StreamFold, token_count
from gatewayz.wires.refusals.in_band import error_in_band
from gatewayz.wires.token_estimate import arguments_size, size_of


class _OutputDetails(Struct):
    thinking_tokens: int | None = None


class _Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class MessagesReply(Struct):
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    content: Raw = Raw()
    usage: Raw = Raw()
    type: str | None = None
    error: Raw = Raw()


class MessagesBlock(Struct):
    type: str | None = None
    name: str | None = None


class MessagesDelta(Struct):
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class MessagesEvent(Struct):
    type: str | None = None
    message: MessagesReply | None = None
    content_block: MessagesBlock | None = None
    delta: MessagesDelta | None = None
    usage: Raw = Raw()
    error: Raw = Raw()


_REPLY = msgspec.json.Decoder(MessagesReply)
_EVENT = msgspec.json.Decoder(MessagesEvent)
_USAGE = msgspec.json.Decoder(_Usage)
_NOTHING = (b"", b"null")


class MessagesFold(StreamFold[MessagesEvent, MessagesReply]):
    """An answer of Anthropic's. A complete stream ends with message_stop; a stream without it was cut. No event is of kind
    ``usage``: on this wire every caller gets usage."""

    __slots__ = ()

    read_event = _EVENT.decode
    read_reply = _REPLY.decode
    content_member = "content"

    def _take_reply(self, whole: MessagesReply) -> None:
        if whole.type == "error" or bytes(whole.error) not in _NOTHING:
            raise error_in_band(bytes(whole.error))
        if not bytes(whole.content).startswith(b"["):
            raise ProviderMalformedResponse("The provider's answer has no content.")
        self._identify(whole)
        self.done = True

    def _take(self, event: MessagesEvent) -> EventKind:
        match event.type:
            case "content_block_delta":
                return "other" if event.delta is None else self._take_delta(event.delta)
            case "content_block_start":
                # A tool call's name counts as content; text and thinking start empty.
                if event.content_block is None or event.content_block.type in ("text", "thinking"):
                    return "other"
                self.content_bytes += size_of(event.content_block.name or "")
                return "content"
            case "message_start":
                if event.message is not None:
                    self._identify(event.message)
            case "message_delta":
                if event.delta is not None and event.delta.stop_reason:
                    self.finish_reasons = (event.delta.stop_reason,)
                self._count(bytes(event.usage))
            case "message_stop":
                self.done = True
                return "done"
            case "error":
                self.error = error_in_band(bytes(event.error))
                return "error"
            case _:
                pass
        return "other"

    def _take_delta(self, delta: MessagesDelta) -> EventKind:
        if text := delta.text or delta.thinking:
            size = len(text) if text.isascii() else size_of(text)
        elif text := delta.partial_json:
            size = arguments_size(size_of(text))
        else:
            return "other"
        self.content_bytes += size
        if self.content_events < SAMPLED_EVENTS:
            self._sample(size, text)
        return "content"

    def _identify(self, message: MessagesReply) -> None:
        self.response_id = message.id
        self.response_model = message.model
        if message.stop_reason:
            self.finish_reasons = (message.stop_reason,)
        self._count(bytes(message.usage))

    def _count(self, raw: bytes) -> None:
        try:
            usage = _USAGE.decode(raw)
        except UNREADABLE:
            return
        before = self.usage
        read = _later(usage.cache_read_input_tokens, before.cache_read_tokens)
        written = _later(usage.cache_creation_input_tokens, before.cache_write_tokens)
        fresh = _later(usage.input_tokens, before.input_tokens - before.cache_read_tokens - before.cache_write_tokens)
        details = usage.output_tokens_details
        self.usage = Usage(
            input_tokens=fresh + read + written,
            output_tokens=_later(usage.output_tokens, before.output_tokens),
            cache_read_tokens=read,
            cache_write_tokens=written,
            reasoning_tokens=_later(details.thinking_tokens if details else None, before.reasoning_tokens),
            source="provider",
        )


def _later(count: int | None, before: int) -> int:
    """The provider's count, between 0 and MAX_TOKENS_COUNTED; the known count where it gives none."""
    return before if count is None else token_count(count)
