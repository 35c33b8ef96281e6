"""An answer of Anthropic's as parts, whole or event by event.

The next turn needs a thought's signature or its encrypted content. Both are passed on in OpenRouter's form, and
turns_from_chat.py reads them back. Pure: no I/O, no clock.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
from msgspec import Raw

from gatewayz.errors import ProviderMalformedResponse
from gatewayz.wires.anthropic_messages.fold import (
    MessagesBlock,
    MessagesDelta,
    MessagesEvent,
    MessagesFold,
    MessagesReply,
)
from gatewayz.wires.anthropic_messages.thinking_blocks import encrypted_detail, signed_detail
from gatewayz.wires.json_values import object_of, text_of
from gatewayz.wires.parts import Finished, Part, SealedThought, Started, Text, Thought, ToolCall, Used

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class _Block(MessagesBlock):
    id: Any = None
    text: Any = None
    thinking: Any = None
    signature: Any = None
    data: Any = None
    input: Raw = Raw()


class _Delta(MessagesDelta):
    type: str | None = None
    signature: Any = None


class _Event(MessagesEvent):
    content_block: _Block | None = None  # pyright: ignore[reportIncompatibleVariableOverride] - decoded, never assigned
    delta: _Delta | None = None  # pyright: ignore[reportIncompatibleVariableOverride] - decoded, never assigned


_EVENT = msgspec.json.Decoder(_Event)
_BLOCKS = msgspec.json.Decoder(list[_Block])


class _Fold(MessagesFold):
    """Also reads the members that parts are made of."""

    __slots__ = ()

    read_event = _EVENT.decode


class MessagesReader:
    """Reads one answer. A block of a whole answer is read as a stream's block that comes in one piece. ``_open`` is the block
    that still grows."""

    __slots__ = ("_calls", "_details", "_has_arguments", "_open", "_thought", "fold")

    def __init__(self) -> None:
        self.fold = _Fold()
        self._open = _Block()
        self._calls = -1
        self._has_arguments = False
        self._details = 0
        self._thought: list[str] = []

    def event(self, event: _Event) -> list[Part]:
        match event.type:
            case "content_block_delta":
                return [] if event.delta is None else self._grow(event.delta)
            case "content_block_start":
                return [] if event.content_block is None else self._begin(event.content_block)
            case "content_block_stop":
                return self._end_block()
            case "message_start":
                return [Started()]
            case _:
                return []

    def reply(self, whole: MessagesReply) -> list[Part]:
        parts: list[Part] = []
        for block in _BLOCKS.decode(whole.content):
            parts += self._begin(block)
            if block.type == "thinking":
                parts += self._sign(block.signature)
            parts += self._end_block()
        return [*parts, *self.end()]

    def end(self) -> list[Part]:
        reasons = self.fold.finish_reasons
        finished = Finished(FINISH_REASONS.get(reasons[0], "stop") if reasons else "stop")
        usage = self.fold.usage
        return [finished] if usage.source == "none" else [finished, Used(usage)]

    def _begin(self, block: _Block) -> list[Part]:
        self._open = block
        self._has_arguments = False
        self._thought = []
        match block.type:
            case "text" if block.text:
                return [Text(text_of(block.text))]
            case "thinking" if block.thinking:
                self._thought.append(text_of(block.thinking))
                return [Thought(self._thought[0])]
            case "tool_use":
                if not block.name:
                    raise ProviderMalformedResponse("The provider called a tool without a name.")
                self._calls += 1
                return [ToolCall(self._calls, text_of(block.id), block.name)]
            case "redacted_thinking":
                return [self._sealed(encrypted_detail(text_of(block.data), self._details))]
            case _:
                return []

    def _grow(self, delta: _Delta) -> list[Part]:
        match delta.type:
            case "text_delta" if delta.text:
                return [Text(delta.text)]
            case "thinking_delta" if delta.thinking:
                self._thought.append(delta.thinking)
                return [Thought(delta.thinking)]
            case "signature_delta":
                return self._sign(delta.signature)
            case "input_json_delta" if delta.partial_json and self._open.type == "tool_use":
                self._has_arguments = True
                return [ToolCall(self._calls, arguments=delta.partial_json)]
            case _:
                return []

    def _end_block(self) -> list[Part]:
        """A tool call without any piece of input has no input, or had it at the start. Callers parse the arguments as JSON,
        and an empty string is not JSON."""
        block, self._open = self._open, _Block()
        if block.type != "tool_use" or self._has_arguments:
            return []
        given = object_of(orjson.loads(bytes(block.input) or b"{}"))
        return [ToolCall(self._calls, arguments=orjson.dumps(given).decode())]

    def _sign(self, signature: Any) -> list[Part]:
        if not (given := text_of(signature)):
            return []
        return [self._sealed(signed_detail("".join(self._thought), given, self._details))]

    def _sealed(self, detail: dict[str, Any]) -> SealedThought:
        self._details += 1
        return SealedThought(detail)
