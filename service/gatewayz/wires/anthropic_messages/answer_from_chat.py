"""A chat answer as an answer of Anthropic's, whole or event by event.

A stream of theirs is a message_start, then one block of content after the other (start, deltas, stop), a message_delta with
the reason for stopping and the usage, a message_stop; every event is named in its ``event`` line, by which their clients go.
A chat tells of neither where a block ends nor, before its end, how long the input was: the first is concluded from what comes
next, the second is 0 in message_start and right in message_delta, where it is a running total anyway.
"""

from __future__ import annotations

from typing import Any

import orjson

from gatewayz.errors import ProviderMalformedResponse
from gatewayz.records import NO_USAGE, Call, Usage
from gatewayz.wires.base import Shape
from gatewayz.wires.ids import bare_id
from gatewayz.wires.json_values import Object, list_of, object_of, text_of
from gatewayz.wires.openai_chat.fold import ChatFold
from gatewayz.wires.openai_chat.text import calls_said, reasoning_said, text_said
from gatewayz.wires.openai_chat.tool_names import whole_name
from gatewayz.wires.sse import DONE, data_of

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_THINKS = ("enabled", "adaptive", "between_tools")


class _Call:
    """A tool call on its way: what of its arguments has been said, and what waits for its turn."""

    __slots__ = ("begun", "ended", "id", "name", "said", "waiting")

    def __init__(self, call_id: str, name: str = "") -> None:
        self.id = call_id
        self.name = name
        self.begun = self.ended = False
        self.said: list[str] = []
        self.waiting: list[str] = []

    def block(self) -> Object:
        return {"type": "tool_use", "id": self.id, "name": self.name}

    def is_whole(self) -> bool:
        """Whether its arguments are an object, to which nothing can be added."""
        if not self.said or not self.said[-1].rstrip().endswith("}"):
            return False
        try:
            orjson.loads("".join(self.said))
        except orjson.JSONDecodeError:
            return False
        return True


class ChatToMessages:
    """One answer on its way. ``call`` is the request: thinking is shown only to a caller who asked for it, since others take
    the first block for the answer."""

    __slots__ = (
        "_calls",
        "_ended",
        "_finish_reason",
        "_fold",
        "_index",
        "_number",
        "_numbered",
        "_open",
        "_refused",
        "_shape",
        "_signature",
        "_started",
        "_stop_sequence",
        "_stop_sequences",
        "_thinks",
        "_tools",
        "_turn",
    )

    def __init__(self, call: Call, shape: Shape) -> None:
        self._shape = shape
        self._number = bare_id(shape.response_id)
        self._fold = ChatFold()
        thinking = object_of(orjson.loads(call.fields.get("thinking", b"null")))
        self._thinks = thinking.get("type") in _THINKS
        self._stop_sequences = call.parameters.stop_sequences
        self._started = self._ended = self._refused = False
        self._index = -1
        self._open: str | None = None
        self._tools = call.fields.get("tools")
        self._calls: list[_Call] = []
        self._turn = 0  # which of them is being said; those before it have ended
        self._numbered: dict[int | None, _Call] = {}  # the latest that the provider gave a number
        self._signature = ""
        self._finish_reason: str | None = None
        self._stop_sequence: str | None = None

    def reply(self, body: bytes) -> bytes:
        """A whole answer. Raises ProviderMalformedResponse when it is not one."""
        self._fold.reply(body)
        choices = list_of(object_of(orjson.loads(body)).get("choices"))
        if not choices:
            raise ProviderMalformedResponse("The provider's answer has no choices.")
        choice = object_of(choices[0])
        message = object_of(choice.get("message"))
        content: list[Object] = []
        if self._thinks:
            content.extend(_thinking(message))
        text = text_said(message) or text_of(message.get("refusal"))
        if text:
            content.append({"type": "text", "text": text})
        self._refused = bool(message.get("refusal"))
        for index, call in enumerate(calls_said(message)):
            function = object_of(call.get("function"))
            made = _Call(text_of(call.get("id")) or self._call_id(index), self._name(text_of(function.get("name"))))
            self._calls.append(made)
            content.append({**made.block(), "input": _input(function.get("arguments"))})
        self._note_reason(choice)
        return orjson.dumps(
            {
                **self._message(content),
                "stop_reason": self._stop_reason(),
                "stop_sequence": self._stop_sequence,
                "stop_details": None,
                "usage": messages_usage(self._fold.usage),
            }
        )

    def event(self, event: bytes) -> bytes:
        """What one event becomes. The end is kept back until the provider's own, for usage comes behind the reason."""
        data = data_of(event)
        if not data:
            return b""
        if data == DONE:
            return self.end()
        try:
            chunk = object_of(orjson.loads(data))
        except orjson.JSONDecodeError:
            raise ProviderMalformedResponse("The provider sent an event that is not valid JSON.") from None
        if chunk.get("usage") or chunk.get("x_groq"):
            self._fold.event(event)
        if chunk.get("error"):
            return b""  # its wording is the gateway's
        out: list[bytes] = []
        if not self._started:
            self._started = True
            out.append(self._begin())
        choices = list_of(chunk.get("choices"))
        if choices:
            choice = object_of(choices[0])
            self._delta(object_of(choice.get("delta")), out)
            self._note_reason(choice)
        return b"".join(out)

    def end(self) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        out: list[bytes] = []
        if not self._started:
            out.append(self._begin())
        self._say_calls(out, all_of_them=True)
        if self._turn < len(self._calls):
            raise ProviderMalformedResponse("The provider sent a tool call without a name.")
        self._close(out)
        delta = {
            "stop_reason": self._stop_reason(),
            "stop_sequence": self._stop_sequence,
            "stop_details": None,
        }
        out.append(_event("message_delta", {"delta": delta, "usage": messages_usage(self._fold.usage)}))
        out.append(_event("message_stop", {}))
        return b"".join(out)

    def _begin(self) -> bytes:
        message = {**self._message([]), "stop_reason": None, "stop_sequence": None, "usage": messages_usage(NO_USAGE)}
        return _event("message_start", {"message": message})

    def _message(self, content: list[Object]) -> Object:
        shape = self._shape
        return {
            "id": f"msg_{self._number}",
            "type": "message",
            "role": "assistant",
            "model": shape.model,
            "content": content,
        }

    def _delta(self, delta: Object, out: list[bytes]) -> None:
        if self._thinks:
            self._think(delta, out)
        if text := text_said(delta) or text_of(delta.get("refusal")):
            self._refused = self._refused or bool(delta.get("refusal"))
            self._enter("text", {"type": "text", "text": ""}, out)
            self._say({"type": "text_delta", "text": text}, out)
        for call in calls_said(delta):
            self._call(call, out)

    def _think(self, delta: Object, out: list[bytes]) -> None:
        thought = reasoning_said(delta)
        details = [object_of(value) for value in list_of(delta.get("reasoning_details"))]
        for detail in details:
            if detail.get("type") == "reasoning.encrypted" and detail.get("data"):
                self._close(out)
                self._enter("redacted", {"type": "redacted_thinking", "data": detail["data"]}, out)
                self._close(out)
        if thought:
            self._enter("thinking", {"type": "thinking", "thinking": "", "signature": ""}, out)
            self._say({"type": "thinking_delta", "thinking": thought}, out)
        for detail in details:
            if self._open == "thinking" and (signature := text_of(detail.get("signature"))):
                self._signature = signature

    def _call(self, call: Object, out: list[bytes]) -> None:
        """A tool call, or a piece of one. Some providers number none of their calls, or all of them 0, and send each whole: a
        new id under a number that is taken begins a new one."""
        function = object_of(call.get("function"))
        number: int | None = call["index"] if isinstance(call.get("index"), int) else None
        call_id, name = text_of(call.get("id")), text_of(function.get("name"))
        made = self._numbered.get(number)
        if made is not None and made.name and name and (number is None or (call_id and call_id != made.id)):
            made = None
        if made is None:
            made = self._numbered[number] = _Call(call_id or self._call_id(len(self._calls)))
            self._calls.append(made)
        if name and not made.name:
            made.name = self._name(name)
            made.id = call_id or made.id
        if part := _arguments(function.get("arguments")):
            if made.ended and part.strip():
                raise ProviderMalformedResponse("The provider went on with a tool call that had ended.")
            made.waiting.append(part)
        self._say_calls(out)

    def _say_calls(self, out: list[bytes], *, all_of_them: bool = False) -> None:
        """Calls in their order, one after the other, however their pieces are mixed: one whose arguments are not yet a whole
        object keeps those behind it waiting, until nothing more of it can come."""
        while self._turn < len(self._calls) and (call := self._calls[self._turn]).name:
            if not call.begun:
                call.begun = True
                self._enter("tool", {**call.block(), "input": {}}, out)
            for part in call.waiting:
                self._say({"type": "input_json_delta", "partial_json": part}, out)
            call.said += call.waiting
            call.waiting = []
            if not all_of_them and (self._turn == len(self._calls) - 1 or not call.is_whole()):
                return
            call.ended = True
            self._turn += 1

    def _name(self, name: str) -> str:
        return whole_name(name, self._tools)

    def _call_id(self, index: int) -> str:
        """For a provider that gives none: callers answer a call by its id."""
        return f"toolu_{self._number}_{index}"

    def _enter(self, kind: str, block: Object, out: list[bytes]) -> None:
        if self._open == kind and kind != "tool":
            return
        if kind != "tool":
            self._say_calls(out, all_of_them=True)
        self._close(out)
        self._index += 1
        self._open = kind
        out.append(_event("content_block_start", {"index": self._index, "content_block": block}))

    def _say(self, delta: Object, out: list[bytes]) -> None:
        out.append(_event("content_block_delta", {"index": self._index, "delta": delta}))

    def _close(self, out: list[bytes]) -> None:
        if self._open is None:
            return
        if self._open == "thinking":
            # As theirs do: the signature is the last that is heard of a thought.
            self._say({"type": "signature_delta", "signature": self._signature}, out)
            self._signature = ""
        self._open = None
        out.append(_event("content_block_stop", {"index": self._index}))

    def _note_reason(self, choice: Object) -> None:
        if reason := text_of(choice.get("finish_reason")):
            self._finish_reason = reason
        # vLLM's word for which sequence it was; where nobody says, it stays an end_turn.
        if (found := text_of(choice.get("stop_reason"))) and found in self._stop_sequences:
            self._stop_sequence = found

    def _stop_reason(self) -> str:
        if self._stop_sequence is not None:
            return "stop_sequence"
        if self._refused:
            return "refusal"
        reason = _STOP_REASONS.get(self._finish_reason or "stop", "end_turn")
        # Some say "stop" behind tool calls, and their callers would not look for them.
        return "tool_use" if reason == "end_turn" and self._calls else reason


def messages_usage(usage: Usage) -> Object:
    """Usage as Anthropic reports it: the three kinds of input exclude each other."""
    # Some providers count what was written to the cache and read from it at once as both.
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


def _thinking(message: Object) -> list[Object]:
    """The blocks of thinking of a whole answer; a provider that signs gives them in full."""
    blocks: list[Object] = []
    for detail in map(object_of, list_of(message.get("reasoning_details"))):
        if detail.get("type") == "reasoning.encrypted" and detail.get("data"):
            blocks.append({"type": "redacted_thinking", "data": detail["data"]})
        elif detail.get("type") == "reasoning.text" and detail.get("signature"):
            thinking, signature = text_of(detail.get("text")), text_of(detail.get("signature"))
            blocks.append({"type": "thinking", "thinking": thinking, "signature": signature})
    if not any(block["type"] == "thinking" for block in blocks) and (thought := reasoning_said(message)):
        blocks.append({"type": "thinking", "thinking": thought, "signature": ""})
    return blocks


def _arguments(value: Any) -> str:
    """Arguments as text; some providers send the object itself."""
    return orjson.dumps(value).decode() if isinstance(value, dict) and value else text_of(value)


def _input(arguments: Any) -> Object:
    """The object that a whole tool call's arguments say."""
    if isinstance(arguments, dict):
        return object_of(arguments)
    text = text_of(arguments)
    if not text.strip():
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ProviderMalformedResponse("The provider called a tool with arguments that are not JSON.") from None
    if not isinstance(found, dict):
        raise ProviderMalformedResponse("The provider called a tool with arguments that are no JSON object.")
    return object_of(found)
