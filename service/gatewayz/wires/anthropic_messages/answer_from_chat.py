"""Parts as an answer of Anthropic's, whole or event by event.

A stream is a message_start, then one content block after the other (start, deltas, stop), then a message_delta with the stop
reason and the usage, then a message_stop. Clients go by the ``event`` line that names each event. A whole answer has the same
blocks.

Parts say neither where a block ends nor, before the end, how long the input was. A block's end is inferred from the next
part. The input length is 0 in message_start and right in message_delta, where usage is cumulative. Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import orjson

from gatewayz.errors import ProviderMalformedResponse
from gatewayz.records import NO_USAGE, Call, Usage
from gatewayz.wires.base import AnswerInfo
from gatewayz.wires.ids import bare_id
from gatewayz.wires.json_values import Object, object_of, text_of
from gatewayz.wires.openai_chat.tool_names import whole_name
from gatewayz.wires.parts import Finished, Part, Refusal, SealedThought, Text, Thought, ToolCall, Used

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_THINKS = ("enabled", "adaptive", "between_tools")

_Kind = Literal["text", "thinking", "redacted_thinking", "tool_use"]
_Member = Literal["text", "thinking", "signature", "partial_json"]
_DELTA_TYPES: dict[_Member, bytes] = {
    "text": b'"text_delta","text"',
    "thinking": b'"thinking_delta","thinking"',
    "signature": b'"signature_delta","signature"',
    "partial_json": b'"input_json_delta","partial_json"',
}


class _BlockWriter(Protocol):
    """Writes content blocks, one after the other."""

    def begin(self, block: Object) -> None: ...

    def add(self, member: _Member, text: str) -> None:
        """Extends the open block."""
        ...

    def end(self) -> None: ...


class _Events:
    """Blocks as the events of a stream."""

    __slots__ = ("_index", "out")

    def __init__(self) -> None:
        self._index = -1
        self.out: list[bytes] = []

    def begin(self, block: Object) -> None:
        self._index += 1
        self.out.append(_event("content_block_start", {"index": self._index, "content_block": block}))

    def add(self, member: _Member, text: str) -> None:
        self.out.append(
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":%b:%b}}\n\n'
            % (self._index, _DELTA_TYPES[member], orjson.dumps(text))
        )

    def end(self) -> None:
        self.out.append(b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % self._index)


class _Content:
    """Blocks as the content of a whole answer."""

    __slots__ = ("_arguments", "content")

    def __init__(self) -> None:
        self.content: list[Object] = []
        self._arguments = ""

    def begin(self, block: Object) -> None:
        self.content.append(block)
        self._arguments = ""

    def add(self, member: _Member, text: str) -> None:
        if member == "partial_json":
            self._arguments += text
        else:
            self.content[-1][member] += text

    def end(self) -> None:
        block = self.content[-1]
        if block["type"] == "tool_use":
            block["input"] = _input(self._arguments)


class _Call:
    """A tool call in progress: the arguments that were written, and those that wait for earlier calls to end."""

    __slots__ = ("begun", "ended", "id", "name", "said", "waiting")

    def __init__(self, call_id: str, name: str) -> None:
        self.id = call_id
        self.name = name
        self.begun = self.ended = False
        self.said: list[str] = []
        self.waiting: list[str] = []

    def is_whole(self) -> bool:
        """Whether the arguments are a complete JSON object."""
        if not self.said or not self.said[-1].rstrip().endswith("}"):
            return False
        try:
            orjson.loads("".join(self.said))
        except orjson.JSONDecodeError:
            return False
        return True


class MessagesWriter:
    """Writes one answer to ``call``. Thinking is shown only to a caller that asked for it, since others take the first block
    for the answer. Only the first of several choices is written."""

    __slots__ = (
        "_calls",
        "_finished",
        "_info",
        "_number",
        "_numbered",
        "_open",
        "_refused",
        "_signature",
        "_started",
        "_stop_sequences",
        "_thinks",
        "_tools",
        "_turn",
        "_unsigned",
        "_usage",
        "_writer",
    )

    def __init__(self, call: Call, info: AnswerInfo) -> None:
        self._info = info
        self._number = bare_id(info.response_id)
        thinking = call.fields.get("thinking")
        self._thinks = thinking is not None and object_of(orjson.loads(thinking)).get("type") in _THINKS
        self._stop_sequences = call.parameters.stop_sequences
        self._tools = call.fields.get("tools")
        self._writer: _BlockWriter = _Content()
        self._open: _Kind | None = None
        self._started = self._refused = self._unsigned = False
        self._signature = ""
        self._calls: list[_Call] = []
        self._turn = 0  # index of the call being written; earlier ones have ended
        self._numbered: dict[int, _Call] = {}
        self._finished = Finished("stop")
        self._usage: Usage = NO_USAGE

    def write(self, parts: Sequence[Part]) -> bytes:
        events = self._writer = _Events() if not isinstance(self._writer, _Events) else self._writer
        out = events.out = [] if self._started else [self._start()]
        self._take(parts)
        return out[0] if len(out) == 1 else b"".join(out)

    def end(self) -> bytes:
        events = self._writer if isinstance(self._writer, _Events) else _Events()
        out = events.out = [] if self._started else [self._start()]
        self._end_content()
        out.append(_event("message_delta", {"delta": self._stop(), "usage": messages_usage(self._usage)}))
        out.append(_event("message_stop", {}))
        return b"".join(out)

    def whole(self, parts: Sequence[Part]) -> bytes:
        self._writer = writer = _Content()
        self._take(parts)
        self._end_content()
        return orjson.dumps({**self._message(writer.content), **self._stop(), "usage": messages_usage(self._usage)})

    def _start(self) -> bytes:
        self._started = True
        message = {**self._message([]), "stop_reason": None, "stop_sequence": None, "usage": messages_usage(NO_USAGE)}
        return _event("message_start", {"message": message})

    def _message(self, content: list[Object]) -> Object:
        return {
            "id": f"msg_{self._number}",
            "type": "message",
            "role": "assistant",
            "model": self._info.model,
            "content": content,
        }

    def _take(self, parts: Sequence[Part]) -> None:
        for part in parts:
            match part:
                case Text(text, 0):
                    self._text(text)
                case Thought(text, 0) if self._thinks:
                    self._enter("thinking", {"type": "thinking", "thinking": "", "signature": ""})
                    self._writer.add("thinking", text)
                case ToolCall(choice=0):
                    self._call(part)
                case SealedThought(detail, 0) if self._thinks:
                    self._seal(detail)
                case Refusal(text, 0):
                    self._refused = True
                    self._text(text)
                case Finished(choice=0):
                    self._finished = part
                case Used(usage):
                    self._usage = usage
                case _:
                    pass

    def _text(self, text: str) -> None:
        if text:
            if self._open != "text":
                self._enter("text", {"type": "text", "text": ""})
            self._writer.add("text", text)

    def _seal(self, detail: Object) -> None:
        """An encrypted thought becomes a block of its own. A signature ends the thought that it belongs to. Where no thought
        was shown, the signature gets a block of its own, since the next turn needs it."""
        if detail.get("type") == "reasoning.encrypted":
            if data := detail.get("data"):
                self._close()
                self._enter("redacted_thinking", {"type": "redacted_thinking", "data": data})
                self._close()
            return
        signature = text_of(detail.get("signature"))
        if not signature or (self._open != "thinking" and self._unsigned):  # the thought it belongs to has ended
            return
        if self._open != "thinking":
            self._enter("thinking", {"type": "thinking", "thinking": "", "signature": ""})
            if text := text_of(detail.get("text")):
                self._writer.add("thinking", text)
        self._signature = signature
        self._close()

    def _call(self, part: ToolCall) -> None:
        made = self._numbered.get(part.index)
        if made is None:
            call_id = part.id or f"toolu_{self._number}_{len(self._calls)}"  # callers refer to a call by its id
            made = self._numbered[part.index] = _Call(call_id, whole_name(part.name, self._tools))
            self._calls.append(made)
        if part.arguments:
            if made.ended and part.arguments.strip():
                raise ProviderMalformedResponse("The provider went on with a tool call that had ended.")
            made.waiting.append(part.arguments)
        self._write_calls()

    def _write_calls(self, *, all_of_them: bool = False) -> None:
        """Write the calls one after the other, even if their pieces are interleaved. A call whose arguments are not yet a
        complete object holds back the later ones until it cannot grow any more."""
        while self._turn < len(self._calls):
            call = self._calls[self._turn]
            if not call.begun:
                call.begun = True
                self._enter("tool_use", {"type": "tool_use", "id": call.id, "name": call.name, "input": {}})
            for arguments in call.waiting:
                self._writer.add("partial_json", arguments)
            call.said += call.waiting
            call.waiting = []
            if not all_of_them and (self._turn == len(self._calls) - 1 or not call.is_whole()):
                return
            call.ended = True
            self._turn += 1

    def _enter(self, kind: _Kind, block: Object) -> None:
        if self._open == kind and kind != "tool_use":
            return
        if kind != "tool_use":
            self._write_calls(all_of_them=True)
        self._close()
        self._open = kind
        self._writer.begin(block)

    def _close(self) -> None:
        if self._open is None:
            return
        if self._open == "thinking":
            # As in Anthropic's own streams, the signature is a thought's last delta.
            self._writer.add("signature", self._signature)
            self._unsigned = not self._signature
            self._signature = ""
        self._open = None
        self._writer.end()

    def _end_content(self) -> None:
        self._write_calls(all_of_them=True)
        self._close()

    def _stop(self) -> Object:
        # vLLM says which sequence matched. Without that the reason stays end_turn.
        found = self._finished.stop_sequence
        sequence = found if found in self._stop_sequences else None
        return {"stop_reason": self._stop_reason(sequence), "stop_sequence": sequence, "stop_details": None}

    def _stop_reason(self, sequence: str | None) -> str:
        if sequence is not None:
            return "stop_sequence"
        if self._refused:
            return "refusal"
        reason = _STOP_REASONS.get(self._finished.reason, "end_turn")
        # Some providers report "stop" after tool calls; a caller would then not look for the calls.
        return "tool_use" if reason == "end_turn" and self._calls else reason


def messages_usage(usage: Usage) -> Object:
    """Usage as Anthropic reports it: the three counts of input are disjoint."""
    # Some providers count the same tokens as written to the cache and as read from it.
    read = min(usage.cache_read_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - read)
    reported: Object = {
        "input_tokens": usage.input_tokens - read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        reported["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return reported


def _event(kind: str, members: Object) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps({"type": kind, **members}) + b"\n\n"


def _input(arguments: str) -> Object:
    """The arguments of a complete tool call as an object."""
    if not arguments.strip():
        return {}
    try:
        found = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        raise ProviderMalformedResponse("The provider called a tool with arguments that are not JSON.") from None
    if not isinstance(found, dict):
        raise ProviderMalformedResponse("The provider called a tool with arguments that are no JSON object.")
    return object_of(found)
