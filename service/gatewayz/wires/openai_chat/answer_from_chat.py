"""Parts as an answer of OpenAI's chat, whole or in chunks. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from gatewayz.wires.base import AnswerInfo
from gatewayz.wires.ids import bare_id
from gatewayz.wires.json_values import Object
from gatewayz.wires.openai_chat.usage import chat_usage
from gatewayz.wires.parts import (
    Citation,
    Finished,
    Part,
    Picture,
    Refusal,
    SealedThought,
    Served,
    Signed,
    Started,
    Text,
    Thought,
    ToolCall,
    Used,
)
from gatewayz.wires.sse import DONE, event_of


class ChatWriter:
    """Writes one answer. Each part becomes a delta; a stream sends it as a chunk, a whole answer merges it into the
    message."""

    __slots__ = ("_begun", "_finished", "_head", "_include_usage", "_numbers", "_start", "_usage")

    def __init__(self, info: AnswerInfo) -> None:
        self._include_usage = info.include_usage
        self._head: Object = {
            "id": "chatcmpl-" + bare_id(info.response_id),
            "object": "chat.completion.chunk" if info.stream else "chat.completion",
            "created": info.created_s,
            "model": info.model,
        }
        self._start = self._chunk_start()
        self._begun: set[int] = set()
        self._finished = False
        self._numbers: dict[str, int] = {}
        self._usage: Used | None = None

    def write(self, parts: Sequence[Part]) -> bytes:
        return b"".join([self._write(part) for part in parts])

    def end(self) -> bytes:
        last = b"" if self._finished else self._chunk(0, {}, "stop")
        if self._include_usage and self._usage is not None:
            chunk: Object = {**self._head, "choices": [], "usage": chat_usage(self._usage.usage)}
            last += event_of(orjson.dumps(chunk))
        return last + event_of(DONE)

    def whole(self, parts: Sequence[Part]) -> bytes:
        choices: dict[int, _Choice] = {}
        usage: Object | None = None
        for part in parts:
            if isinstance(part, Used):
                usage = chat_usage(part.usage)
            elif isinstance(part, Served):
                self._serve(part)
            else:
                if (choice := choices.get(part.choice)) is None:
                    choice = choices[part.choice] = _Choice(part.choice)
                choice.put(part)
        answer = {**self._head, "choices": [choice.value for choice in choices.values()], "usage": usage}
        return orjson.dumps(answer)

    def _write(self, part: Part) -> bytes:
        if isinstance(part, Text):
            return self._chunk(part.choice, {"content": part.text}, logprobs=part.logprobs)
        if isinstance(part, Finished):
            self._finished = True
            return self._chunk(part.choice, {}, part.reason)
        if isinstance(part, Used):
            self._usage = part
            return b""
        if isinstance(part, Served):
            self._serve(part)
            return b""
        if isinstance(part, Started):
            return self._chunk(part.choice, {"content": ""})
        return self._chunk(part.choice, self._numbered(_delta_of(part)))

    def _serve(self, served: Served) -> None:
        if served.service_tier:
            self._head["service_tier"] = served.service_tier
            self._start = self._chunk_start()

    def _chunk_start(self) -> bytes:
        return b"data: " + orjson.dumps(self._head)[:-1] + b',"choices":[{"index":'

    def _chunk(self, choice: int, delta: Object, reason: str | None = None, logprobs: list[Any] | None = None) -> bytes:
        if choice not in self._begun:
            self._begun.add(choice)
            delta = {"role": "assistant", **delta}
        return b'%b%d,"delta":%b,"logprobs":%b,"finish_reason":%b}]%b}\n\n' % (
            self._start,
            choice,
            orjson.dumps(delta),
            b"null" if logprobs is None else orjson.dumps(_logprobs_object(logprobs)),
            b"null" if reason is None else orjson.dumps(reason),
            b',"usage":null' if self._include_usage else b"",
        )

    def _numbered(self, delta: Object) -> Object:
        """The delta with an index on each entry of a growing list: clients that merge deltas rely on it."""
        for name in ("annotations", "reasoning_details"):
            if name in delta:
                number = self._numbers[name] = self._numbers.get(name, -1) + 1
                return {name: [{**delta[name][0], "index": number}]}
        return delta


_Content = Text | Refusal | Thought | SealedThought | Signed | ToolCall | Citation | Picture


def _delta_of(part: _Content) -> Object:
    """The members that a part adds to a message."""
    match part:
        case Text():
            return {"content": part.text}
        case Thought():
            return {"reasoning_content": part.text}
        case ToolCall():
            return {"tool_calls": [{"index": part.index, **_call_of(part)}]}
        case Refusal():
            return {"refusal": part.text}
        case SealedThought():
            return {"reasoning_details": [part.detail]}
        case Citation():
            return {"annotations": [part.annotation]}
        case Picture():
            return {"images": [{"type": "image_url", "image_url": {"url": part.url}}]}
        case Signed():
            return {"extra_content": part.extra_content}


def _call_of(part: ToolCall) -> Object:
    kind, member = ("custom", "input") if part.custom else ("function", "arguments")
    more = {} if part.extra_content is None else {"extra_content": part.extra_content}
    if not part.name:
        return {kind: {member: part.arguments}, **more}
    return {"id": part.id, "type": kind, kind: {"name": part.name, member: part.arguments}, **more}


def _logprobs_object(tokens: list[Any]) -> Object:
    return {"content": tokens, "refusal": None}


class _Choice:
    """One choice of a whole answer while it is built."""

    __slots__ = ("_calls", "_message", "_tokens", "value")

    def __init__(self, index: int) -> None:
        self._message: Object = {"role": "assistant", "content": None, "refusal": None}
        self._calls: dict[int, Object] = {}
        self._tokens: list[Any] = []
        self.value: Object = {"index": index, "message": self._message, "logprobs": None, "finish_reason": "stop"}

    def put(self, part: _Content | Started | Finished) -> None:
        if isinstance(part, Finished):
            self.value["finish_reason"] = part.reason
        elif isinstance(part, ToolCall):
            self._call(part)
        elif not isinstance(part, Started):
            if isinstance(part, Text) and part.logprobs:
                self._tokens += part.logprobs
                self.value["logprobs"] = _logprobs_object(self._tokens)
            for name, value in _delta_of(part).items():
                so_far = self._message.get(name)
                self._message[name] = value if so_far is None or isinstance(value, dict) else so_far + value

    def _call(self, part: ToolCall) -> None:
        call = self._calls.get(part.index)
        if call is None:
            self._calls[part.index] = call = _call_of(part)
            self._message.setdefault("tool_calls", []).append(call)
            return
        kind, member = ("custom", "input") if part.custom else ("function", "arguments")
        call[kind][member] += part.arguments
        if part.extra_content is not None:
            call["extra_content"] = part.extra_content
