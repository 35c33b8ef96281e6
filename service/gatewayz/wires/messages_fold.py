"""What an answer of Anthropic's Messages API amounts to, whether it comes whole or in events.

Pure: no I/O, no clock. Anthropic counts input in three parts that exclude each other (read from its cache, written to it,
neither); our ``input_tokens`` is their sum. A stream reports usage twice, and each count of the later report replaces the
earlier one where it is given.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gatewayz.errors import ProviderError, ProviderMalformedResponse
from gatewayz.records import NO_USAGE, Usage
from gatewayz.wires.chat_fold import EventKind, error_in_band
from gatewayz.wires.sse import data_of


class _OutputDetails(Struct):
    thinking_tokens: int | None = None


class _Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _Message(Struct):
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    content: Raw = Raw()
    usage: Raw = Raw()
    type: str | None = None
    error: Raw = Raw()


class _Block(Struct):
    type: str | None = None


class _Delta(Struct):
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(Struct):
    type: str | None = None
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: Raw = Raw()
    error: Raw = Raw()


_REPLY = msgspec.json.Decoder(_Message)
_EVENT = msgspec.json.Decoder(_Event)
_USAGE = msgspec.json.Decoder(_Usage)
_NOTHING = (b"", b"null")


class MessagesFold:
    """What one answer amounts to. Read the attributes at any time: a stream that was cut has said what it has said."""

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
        """All is said. A stream of this wire always ends in message_stop; one that lacks it was cut."""
        return self.done

    def reply(self, body: bytes) -> None:
        """Fold a whole answer. Raises ProviderMalformedResponse when it is not one, ProviderError when it is an error
        under status 200."""
        try:
            message = _REPLY.decode(body)
        except (ValueError, RecursionError):
            raise ProviderMalformedResponse("The provider's answer is not the JSON it should be.") from None
        if message.type == "error" or bytes(message.error) not in _NOTHING:
            raise error_in_band(bytes(message.error))
        if not bytes(message.content).startswith(b"["):
            raise ProviderMalformedResponse("The provider's answer has no content.")
        self._take(message)
        self.done = True

    def event(self, event: bytes) -> EventKind:
        """Fold one event of a stream. Raises ProviderMalformedResponse when its data is not JSON; an error event does not
        raise but sets ``error``. Never ``usage``: on this wire usage is part of what every caller gets."""
        data = data_of(event)
        if not data:
            return "other"
        try:
            said = _EVENT.decode(data)
        except msgspec.ValidationError:
            return "other"  # JSON, but of a shape we do not know: the caller may
        except (ValueError, RecursionError):
            raise ProviderMalformedResponse("The provider sent an event that is not valid JSON.") from None
        match said.type:
            case "content_block_delta":
                delta = said.delta
                if delta is None or not (delta.text or delta.partial_json or delta.thinking):
                    return "other"
                self.content_events += 1
                return "content"
            case "content_block_start":
                # Of a tool call the name is content already; text and thinking start empty.
                if said.content_block is None or said.content_block.type in ("text", "thinking"):
                    return "other"
                self.content_events += 1
                return "content"
            case "message_start":
                if said.message is not None:
                    self._take(said.message)
            case "message_delta":
                if said.delta is not None and said.delta.stop_reason:
                    self.finish_reasons = (said.delta.stop_reason,)
                self._count(bytes(said.usage))
            case "message_stop":
                self.done = True
                return "done"
            case "error":
                self.error = error_in_band(bytes(said.error))
                return "error"
            case _:
                pass
        return "other"

    def _take(self, message: _Message) -> None:
        self.response_id = message.id
        self.response_model = message.model
        if message.stop_reason:
            self.finish_reasons = (message.stop_reason,)
        self._count(bytes(message.usage))

    def _count(self, raw: bytes) -> None:
        try:
            usage = _USAGE.decode(raw)
        except (ValueError, RecursionError):
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
    """A count as the provider gave it, never below nothing nor more than a counter holds; what was known if it gave none."""
    return before if count is None else min(max(count, 0), 2**53)
