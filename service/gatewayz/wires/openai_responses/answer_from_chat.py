"""Parts as an answer of OpenAI's Responses API: a whole one as the response object, a stream as its events in order.

Reference: platform.openai.com/docs/api-reference/responses-streaming. The SDK's accumulator is stricter than that page; the
tests use the accumulator. Pure: no I/O, no clock; ids are derived from the given one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import orjson

from gatewayz.records import Call, Usage
from gatewayz.wires.base import AnswerInfo
from gatewayz.wires.ids import bare_id
from gatewayz.wires.json_values import Object, count_of, object_of, text_of
from gatewayz.wires.openai_responses.echo import echo
from gatewayz.wires.openai_responses.items import (
    CallItem,
    Emitter,
    Events,
    Item,
    MessageItem,
    ReasoningItem,
    Status,
)
from gatewayz.wires.openai_responses.tools import Tool, renamed_tools
from gatewayz.wires.parts import Citation, Finished, Part, Refusal, SealedThought, Served, Text, Thought, ToolCall, Used

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_TIERS = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")
"""OpenAI's values of ``service_tier`` that a response may have. Clients do not know other providers' values."""

Growing = TypeVar("Growing", ReasoningItem, MessageItem)


class ResponsesWriter:
    """Writes one answer. Each kind of part goes into an item of its kind. An item of text or reasoning ends where another
    kind begins; calls end with the answer, since several may be open at once.

    A whole answer is written as a stream whose events are dropped, so the two cannot differ. Only the first of several
    choices is written.
    """

    __slots__ = (
        "_calls",
        "_emit",
        "_ended_s",
        "_given_tools",
        "_growing",
        "_head",
        "_items",
        "_late_members",
        "_reason",
        "_started",
        "_suffix",
        "_tools",
    )

    def __init__(self, call: Call, info: AnswerInfo) -> None:
        self._suffix = bare_id(info.response_id)
        self._head: Object = {
            "id": "resp_" + self._suffix,
            "object": "response",
            "created_at": info.created_s,
            "model": info.model,
            **echo(call),
            "store": False,
        }
        self._ended_s = info.ended_s
        self._given_tools = call.fields.get("tools")
        self._tools: dict[str, Tool] | None = None
        self._emit = Emitter(muted=not info.stream)
        # The latest values that the provider gave for the whole answer.
        self._late_members: Object = {"usage": None, "service_tier": "default"}
        self._reason = "stop"
        self._items: list[Item] = []
        self._growing: ReasoningItem | MessageItem | None = None
        self._calls: dict[int, CallItem] = {}
        self._started = False

    def write(self, parts: Sequence[Part]) -> bytes:
        events = [] if self._started else self._start()
        self._take(parts, events)
        return events[0] if len(events) == 1 else b"".join(events)

    def end(self) -> bytes:
        events = [] if self._started else self._start()
        ended, response = self._end()
        events += ended
        events.append(self._emit(f"response.{response['status']}", {"response": response}))
        return b"".join(events)

    def whole(self, parts: Sequence[Part]) -> bytes:
        self._take(parts, [])
        return orjson.dumps(self._end()[1])

    def _start(self) -> Events:
        self._started = True
        response = {"response": self._response("in_progress")}
        return [self._emit("response.created", response), self._emit("response.in_progress", response)]

    def _end(self) -> tuple[Events, Object]:
        status: Status = "incomplete" if self._reason in _INCOMPLETE else "completed"
        events = [event for item in self._items for event in item.end(status)]
        return events, self._response(status)

    def _response(self, status: Status) -> Object:
        reason = _INCOMPLETE.get(self._reason) if status == "incomplete" else None
        return {
            **self._head,
            "status": status,
            "completed_at": self._ended_s() if status == "completed" else None,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "output": [item.value() for item in self._items],
            **self._late_members,
        }

    def _take(self, parts: Sequence[Part], events: Events) -> None:
        for part in parts:
            match part:
                case Text(text, 0, logprobs):
                    if text or logprobs:
                        events += self._grow(MessageItem, "msg", events).add_text(text, logprobs)
                case Thought(text, 0):
                    events += self._grow(ReasoningItem, "rs", events).add(text)
                case ToolCall(choice=0):
                    self._call(part, events)
                case SealedThought(detail, 0):
                    self._grow(ReasoningItem, "rs", events).seal(detail)
                case Refusal(text, 0):
                    events += self._grow(MessageItem, "msg", events).add_refusal(text)
                case Citation(annotation, 0):
                    if (cited := response_annotation(annotation)) is not None:
                        events += self._grow(MessageItem, "msg", events).add_annotation(cited)
                case Served(tier) if tier in _TIERS:
                    self._late_members["service_tier"] = tier
                case Finished(reason, 0):
                    self._reason = reason
                case Used(usage):
                    self._late_members["usage"] = response_usage(usage)
                case _:
                    pass

    def _grow(self, kind: type[Growing], prefix: str, events: Events) -> Growing:
        """The open item of this kind; ends an open item of another kind."""
        if isinstance(self._growing, kind):
            return self._growing
        self._end_growing(events)
        item = kind(self._emit, self._id(prefix), len(self._items))
        self._growing = item
        self._items.append(item)
        events += item.begin()
        return item

    def _end_growing(self, events: Events) -> None:
        growing, self._growing = self._growing, None
        if growing is not None:
            events += growing.end("completed")

    def _call(self, part: ToolCall, events: Events) -> None:
        item = self._calls.get(part.index)
        if item is None:
            self._end_growing(events)
            tool = self._renamed().get(part.name)
            item = self._calls[part.index] = CallItem(self._emit, self._id("fc"), len(self._items), part, tool)
            self._items.append(item)
            events += item.begin()
        events += item.add(part)

    def _renamed(self) -> dict[str, Tool]:
        """The tools by their names in chat. Read only when there is a call, for most answers have none."""
        if self._tools is None:
            self._tools = renamed_tools(self._given_tools)
        return self._tools

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{self._suffix}_{len(self._items)}"


def response_usage(usage: Usage) -> Object:
    """Usage in the format of the Responses API."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def response_annotation(annotation: Object) -> Object | None:
    """Chat's URL citation, one level flatter and with every member that clients require; None for any other annotation."""
    if annotation.get("type") != "url_citation":
        return None
    cited = object_of(annotation.get("url_citation"))
    return {
        **cited,
        "type": "url_citation",
        "url": text_of(cited.get("url")),
        "title": text_of(cited.get("title")),
        "start_index": count_of(cited.get("start_index")),
        "end_index": count_of(cited.get("end_index")),
    }
