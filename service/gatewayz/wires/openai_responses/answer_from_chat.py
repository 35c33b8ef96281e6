"""Chat answers as answers of OpenAI's Responses API: a whole one as the response object, a stream as its events in order.

Reference: platform.openai.com/docs/api-reference/responses-streaming; the SDK's accumulator is stricter than the page, and is
what the tests hold this to. Pure: no I/O, no clock; ids are made from the one that is given.
"""

from __future__ import annotations

from typing import Any, TypeVar

import orjson

from gatewayz.records import Call
from gatewayz.wires.base import Shape
from gatewayz.wires.ids import bare_id
from gatewayz.wires.json_values import Object, count_of, list_of, object_of, text_of
from gatewayz.wires.openai_chat.reasoning_details import is_sealed
from gatewayz.wires.openai_chat.text import calls_said, reasoning_said, text_said
from gatewayz.wires.openai_responses.echo import echo
from gatewayz.wires.openai_responses.items import (
    CallItem,
    Emitter,
    Events,
    Item,
    MessageItem,
    ReasoningItem,
    Status,
    called,
)
from gatewayz.wires.openai_responses.tools import Tool, renamed_tools
from gatewayz.wires.sse import DONE, data_of

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_TIERS = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")
"""The words of OpenAI's that a response may have for how it was served; other providers' own its readers do not know."""

Talking = TypeVar("Talking", ReasoningItem, MessageItem)


class ChatToResponses:
    """One answer. What is told apart in chat by the member it comes in is told apart here by items: a text item ends where
    another kind begins; calls end with the answer, since several may be under way at once.

    A whole answer is taken as a stream of one event, so that the two cannot differ.
    """

    __slots__ = (
        "_calls",
        "_emit",
        "_ended_s",
        "_finished",
        "_given_tools",
        "_head",
        "_items",
        "_nameless",
        "_reason",
        "_started",
        "_suffix",
        "_talking",
        "_told",
        "_tools",
    )

    def __init__(self, call: Call, shape: Shape) -> None:
        self._suffix = bare_id(shape.response_id)
        self._head: Object = {
            "id": "resp_" + self._suffix,
            "object": "response",
            "created_at": shape.created_s,
            "model": shape.model,
            **echo(call),
            "store": False,
        }
        self._ended_s = shape.ended_s
        self._given_tools = call.fields.get("tools")
        self._tools: dict[str, Tool] | None = None
        self._emit = Emitter(muted=not shape.stream)
        # What the provider says of the whole answer, in its latest word.
        self._told: Object = {"usage": None, "service_tier": "default"}
        self._reason = ""
        self._items: list[Item] = []
        self._talking: ReasoningItem | MessageItem | None = None
        self._calls: dict[int | None, CallItem] = {}
        self._nameless: dict[int | None, list[Object]] = {}
        self._started = False
        self._finished = False

    def reply(self, body: bytes) -> bytes:
        chat = object_of(orjson.loads(body))
        self._tell(chat)
        choice = object_of(next(iter(list_of(chat.get("choices"))), None))
        message = dict(object_of(choice.get("message")))
        message["tool_calls"] = [{**call, "index": i} for i, call in enumerate(calls_said(message))]
        self._take({**choice, "delta": message})
        return orjson.dumps(self._end()[1])

    def event(self, event: bytes) -> bytes:
        data = data_of(event)
        if not data or self._finished:
            return b""
        if data == DONE:
            return self.end()
        chunk = object_of(orjson.loads(data))
        self._tell(chunk)
        said = self._start()
        for choice in map(object_of, list_of(chunk.get("choices"))):
            if not choice.get("index"):  # the request asked for one answer
                said += self._take(choice)
        return b"".join(said)

    def end(self) -> bytes:
        """Ends what is open, then the response: at ``[DONE]``, or where a stream ends well without."""
        if self._finished:
            return b""
        self._finished = True
        said = self._start()
        ended, response = self._end()
        said += ended
        said.append(self._emit(f"response.{response['status']}", {"response": response}))
        return b"".join(said)

    def _tell(self, chat: Object) -> None:
        # Groq's streams report usage under a member of their own.
        if (usage := response_usage(chat.get("usage") or object_of(chat.get("x_groq")).get("usage"))) is not None:
            self._told["usage"] = usage
        if (tier := chat.get("service_tier")) in _TIERS:
            self._told["service_tier"] = tier

    def _start(self) -> Events:
        if self._started:
            return []
        self._started = True
        response = {"response": self._response("in_progress")}
        return [self._emit("response.created", response), self._emit("response.in_progress", response)]

    def _end(self) -> tuple[Events, Object]:
        status: Status = "incomplete" if self._reason in _INCOMPLETE else "completed"
        said = [event for item in self._items for event in item.end(status)]
        return said, self._response(status)

    def _response(self, status: Status) -> Object:
        reason = _INCOMPLETE.get(self._reason) if status == "incomplete" else None
        return {
            **self._head,
            "status": status,
            "completed_at": self._ended_s() if status == "completed" else None,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "output": [item.value() for item in self._items],
            **self._told,
        }

    def _take(self, choice: Object) -> Events:
        """What one delta adds."""
        if reason := text_of(choice.get("finish_reason")):
            self._reason = reason
        delta = object_of(choice.get("delta"))
        said: Events = []
        if reasoning := reasoning_said(delta):
            said += self._talk(ReasoningItem, "rs", said).add(reasoning)
        for detail in map(object_of, list_of(delta.get("reasoning_details"))):
            if is_sealed(detail):
                self._talk(ReasoningItem, "rs", said).seal(detail)
        text = text_said(delta)
        tokens = list_of(object_of(choice.get("logprobs")).get("content"))
        if text or tokens:
            said += self._talk(MessageItem, "msg", said).add_text(text, tokens)
        for annotation in map(response_annotation, map(object_of, list_of(delta.get("annotations")))):
            if annotation is not None:
                said += self._talk(MessageItem, "msg", said).add_annotation(annotation)
        if refusal := text_of(delta.get("refusal")):
            said += self._talk(MessageItem, "msg", said).add_refusal(refusal)
        for call in calls_said(delta):
            said += self._call(call)
        return said

    def _talk(self, kind: type[Talking], prefix: str, said: Events) -> Talking:
        """The item of this kind that is open; ends one of another kind."""
        if isinstance(self._talking, kind):
            return self._talking
        said += self._hush()
        item = kind(self._emit, self._id(prefix), len(self._items))
        self._talking = item
        self._items.append(item)
        said += item.begin()
        return item

    def _hush(self) -> Events:
        talking, self._talking = self._talking, None
        return [] if talking is None else talking.end("completed")

    def _call(self, call: Object) -> Events:
        number: int | None = call["index"] if isinstance(call.get("index"), int) else None
        call_id, name = text_of(call.get("id")), text_of(called(call).get("name"))
        item = self._calls.get(number)
        # Some providers number none of their calls, or all of them the same: an id tells them apart, or that one is named anew.
        anew = call_id != item.call_id if item is not None and call_id else bool(name) and number is None
        if item is not None and not anew:
            return item.add(call)
        if not name:  # it comes with a later piece
            self._nameless.setdefault(number, []).append(call)
            return []
        earlier = self._nameless.pop(number, [])
        call_id = call_id or next((found for piece in earlier if (found := text_of(piece.get("id")))), "")
        said = self._hush()
        item_id = self._id("fc")
        tool = self._renamed().get(name)
        item = CallItem(self._emit, item_id, len(self._items), call, call_id or "call_" + item_id[3:], tool)
        self._calls[number] = item
        self._items.append(item)
        said += item.begin()
        for piece in (*earlier, call):
            said += item.add(piece)
        return said

    def _renamed(self) -> dict[str, Tool]:
        """Read only when there is a call, for most answers have none."""
        if self._tools is None:
            self._tools = renamed_tools(self._given_tools)
        return self._tools

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{self._suffix}_{len(self._items)}"


def response_usage(usage: Any) -> Object | None:
    """Chat's counts under this API's names."""
    counts = object_of(usage)
    if not counts:
        return None
    given, made = object_of(counts.get("prompt_tokens_details")), object_of(counts.get("completion_tokens_details"))
    prompt, completion = count_of(counts.get("prompt_tokens")), count_of(counts.get("completion_tokens"))
    cached = count_of(given.get("cached_tokens")) or count_of(counts.get("prompt_cache_hit_tokens"))
    return {
        "input_tokens": prompt,
        "input_tokens_details": {
            "cached_tokens": cached,
            "cache_write_tokens": count_of(given.get("cache_write_tokens")),
        },
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": count_of(made.get("reasoning_tokens"))},
        "total_tokens": count_of(counts.get("total_tokens")) or prompt + completion,
    }


def response_annotation(annotation: Object) -> Object | None:
    """Chat's citation of an address, one level flatter and with all that readers require of it; None for what is no such."""
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
