"""The output items of a Responses answer while they grow. Each writes its own events, in OpenAI's order.

Pure: no I/O, no clock.
"""

from __future__ import annotations

from typing import Any, Literal

import orjson

from gatewayz.wires.json_values import Object
from gatewayz.wires.openai_chat.reasoning_details import seal_details
from gatewayz.wires.openai_responses.tools import Tool, unwrapped_input
from gatewayz.wires.parts import ToolCall

Status = Literal["in_progress", "completed", "incomplete"]
Events = list[bytes]


class Emitter:
    """Writes events and numbers them. A muted emitter writes nothing; it serves whole answers."""

    __slots__ = ("_next", "muted")

    def __init__(self, *, muted: bool = False) -> None:
        self._next = 0
        self.muted = muted

    def delta(self, kind: bytes, place: bytes, text: str, more: bytes = b"") -> bytes:
        """Write the event by which something grows by ``text``. ``place`` and ``more`` are members, in JSON."""
        if self.muted:
            return b""
        number = self._next
        self._next += 1
        return b'event: %b\ndata: {"type":"%b","sequence_number":%d,%b,"delta":%b%b}\n\n' % (
            kind,
            kind,
            number,
            place,
            orjson.dumps(text),
            more,
        )

    def __call__(self, kind: str, members: Object) -> bytes:
        if self.muted:
            return b""
        data = orjson.dumps({"type": kind, "sequence_number": self._next, **members})
        self._next += 1
        return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


class Item:
    """The common part of all items: their place, their beginning and their end."""

    __slots__ = ("_emit", "_place", "ended", "id", "index", "status")

    def __init__(self, emit: Emitter, item_id: str, index: int) -> None:
        self._emit = emit
        self.id = item_id
        self.index = index
        self.status: Status = "in_progress"
        self.ended = False
        self._place: Object = {"item_id": item_id, "output_index": index}

    def _place_json(self) -> bytes:
        """The place at which this item grows, as members of an event."""
        return orjson.dumps(self._place)[1:-1]

    def value(self) -> Object:
        """The item as far as it has come."""
        raise NotImplementedError

    def begin(self) -> Events:
        if self._emit.muted:
            return []
        return [self._emit("response.output_item.added", {"output_index": self.index, "item": self.value()})]

    def end(self, status: Status) -> Events:
        """Does nothing the second time."""
        if self.ended:
            return []
        self.ended = True
        self.status = status
        if self._emit.muted:
            self._end_content()
            return []
        return [
            *self._end_content(),
            self._emit("response.output_item.done", {"output_index": self.index, "item": self.value()}),
        ]

    def _end_content(self) -> Events:
        return []


class ReasoningItem(Item):
    """Reasoning that a provider shows: one summary, since chat does not say where another begins."""

    __slots__ = ("_details", "_texts", "_where")

    def __init__(self, emit: Emitter, item_id: str, index: int) -> None:
        super().__init__(emit, item_id, index)
        self._texts: list[str] = []
        self._details: list[Object] = []
        self._place = {**self._place, "summary_index": 0}
        self._where = self._place_json()

    def value(self) -> Object:
        value: Object = {"id": self.id, "type": "reasoning", "summary": [self._part()] if self._texts else []}
        if (sealed := seal_details(self._details)) is not None:
            value["encrypted_content"] = sealed
        return value

    def seal(self, detail: Object) -> None:
        """Keep what the provider wants back with the next turn. A signature after several pieces of text belongs to all of
        the text."""
        if detail.get("signature") and not detail.get("text"):
            detail = {**detail, "text": "".join(self._texts)}
        self._details.append(detail)

    def add(self, text: str) -> Events:
        events: Events = []
        if not self._texts:
            part = {"type": "summary_text", "text": ""}
            events.append(self._emit("response.reasoning_summary_part.added", {**self._place, "part": part}))
        self._texts.append(text)
        events.append(self._emit.delta(b"response.reasoning_summary_text.delta", self._where, text))
        return events

    def _part(self) -> Object:
        return {"type": "summary_text", "text": "".join(self._texts)}

    def _end_content(self) -> Events:
        if not self._texts:
            return []
        part = self._part()
        return [
            self._emit("response.reasoning_summary_text.done", {**self._place, "text": part["text"]}),
            self._emit("response.reasoning_summary_part.done", {**self._place, "part": part}),
        ]


class MessageItem(Item):
    """The message to the user: parts of text and of refusal. Only the last one can still grow."""

    __slots__ = ("_annotations", "_ended_parts", "_kind", "_logprobs", "_texts", "_where")

    def __init__(self, emit: Emitter, item_id: str, index: int) -> None:
        super().__init__(emit, item_id, index)
        self._ended_parts: list[Object] = []
        self._kind: Literal["output_text", "refusal"] | None = None
        self._texts: list[str] = []
        self._annotations: list[Object] = []
        self._logprobs: list[Any] = []
        self._where = b""

    def value(self) -> Object:
        parts = self._ended_parts if self._kind is None else [*self._ended_parts, self._part()]
        return {"id": self.id, "type": "message", "status": self.status, "role": "assistant", "content": parts}

    def add_text(self, text: str, logprobs: list[Any] | None) -> Events:
        events = self._switch("output_text")
        self._texts.append(text)
        more = b',"logprobs":[]'
        if logprobs:
            self._logprobs += logprobs
            more = b',"logprobs":' + orjson.dumps(logprobs)
        events.append(self._emit.delta(b"response.output_text.delta", self._where, text, more))
        return events

    def add_refusal(self, refusal: str) -> Events:
        events = self._switch("refusal")
        self._texts.append(refusal)
        events.append(self._emit.delta(b"response.refusal.delta", self._where, refusal))
        return events

    def add_annotation(self, annotation: Object) -> Events:
        events = self._switch("output_text")
        place = {**self._part_place(), "annotation_index": len(self._annotations)}
        self._annotations.append(annotation)
        events.append(self._emit("response.output_text.annotation.added", {**place, "annotation": annotation}))
        return events

    def _switch(self, kind: Literal["output_text", "refusal"]) -> Events:
        if self._kind == kind:
            return []
        events = self._end_content()
        self._kind = kind
        place = self._part_place()
        self._where = orjson.dumps(place)[1:-1]
        events.append(self._emit("response.content_part.added", {**place, "part": self._part()}))
        return events

    def _part_place(self) -> Object:
        return {**self._place, "content_index": len(self._ended_parts)}

    def _part(self) -> Object:
        text = "".join(self._texts)
        if self._kind == "refusal":
            return {"type": "refusal", "refusal": text}
        return {"type": "output_text", "text": text, "annotations": self._annotations, "logprobs": self._logprobs}

    def _end_content(self) -> Events:
        if self._kind is None:
            return []
        place, part = self._part_place(), self._part()
        if self._kind == "refusal":
            done = self._emit("response.refusal.done", {**place, "refusal": part["refusal"]})
        else:
            text = {"text": part["text"], "logprobs": part["logprobs"]}
            done = self._emit("response.output_text.done", {**place, **text})
        self._ended_parts.append(part)
        self._kind, self._texts, self._annotations, self._logprobs = None, [], [], []
        return [done, self._emit("response.content_part.done", {**place, "part": part})]


class CallItem(Item):
    """A call of one of the caller's tools: of a function, whose arguments are JSON, or of a custom tool, which takes text.

    In chat a custom tool is a function with one string parameter; ``tool`` says which kind it is. A custom tool's input is
    written once it is complete.
    """

    __slots__ = ("_arguments", "_extra", "_where", "_wrapped", "call_id", "custom", "name", "namespace")

    def __init__(self, emit: Emitter, item_id: str, index: int, call: ToolCall, tool: Tool | None) -> None:
        super().__init__(emit, item_id, index)
        self.call_id = call.id or "call_" + item_id[3:]
        self._wrapped = tool is not None and tool.custom and not call.custom
        self.custom = self._wrapped or call.custom
        self.name = call.name if tool is None else tool.name
        self.namespace: Object = {} if tool is None or tool.namespace is None else {"namespace": tool.namespace}
        self._arguments: list[str] = []
        self._where = self._place_json()
        # Gemini's signature of a call, which it wants back with the call's result.
        self._extra: Object = {} if call.extra_content is None else {"extra_content": call.extra_content}

    def value(self) -> Object:
        kind, member = ("custom_tool_call", "input") if self.custom else ("function_call", "arguments")
        return {
            "id": self.id,
            "type": kind,
            "status": self.status,
            "call_id": self.call_id,
            **self.namespace,
            "name": self.name,
            member: "" if self._wrapped and not self.ended else self._content(),
            **self._extra,
        }

    def add(self, call: ToolCall) -> Events:
        """Add a piece of the call, the first one included."""
        if call.extra_content is not None:
            self._extra = {"extra_content": call.extra_content}
        if not call.arguments:
            return []
        self._arguments.append(call.arguments)
        return [] if self._wrapped else self._delta(call.arguments)

    def _content(self) -> str:
        content = "".join(self._arguments)
        return unwrapped_input(content) if self._wrapped else content

    def _delta(self, content: str) -> Events:
        kind = b"response.custom_tool_call_input.delta" if self.custom else b"response.function_call_arguments.delta"
        return [self._emit.delta(kind, self._where, content)]

    def _end_content(self) -> Events:
        content = self._content()
        if self.custom:
            late = self._delta(content) if self._wrapped and content else []
            return [*late, self._emit("response.custom_tool_call_input.done", {**self._place, "input": content})]
        late: Events = []
        if not content.strip() and self.status == "completed":
            # A function without parameters: callers parse its arguments as JSON, and an empty string is not JSON.
            self._arguments.append("{}")
            content = self._content()
            late = self._delta("{}")
        done = {**self._place, "name": self.name, "arguments": content}
        return [*late, self._emit("response.function_call_arguments.done", done)]
