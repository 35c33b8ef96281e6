"""An answer of OpenAI's Responses API as parts, whole or event by event.

Results of hosted tools are left out: no other wire has a place for them. Pure: no I/O, no clock.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gatewayz.errors import ProviderMalformedResponse
from gatewayz.wires.json_values import Object, count_of, list_of, object_of, text_of
from gatewayz.wires.openai_chat.reasoning_details import openai_detail
from gatewayz.wires.openai_responses.fold import ResponsesEvent, ResponsesFold, ResponsesItem, ResponsesReply
from gatewayz.wires.parts import (
    Citation,
    Finished,
    Part,
    Refusal,
    SealedThought,
    Served,
    Started,
    Text,
    Thought,
    ToolCall,
    Used,
)

BETWEEN_SUMMARIES = "\n\n"


class _Item(ResponsesItem):
    """Only the type is checked: servers that copy this API omit or rename members that they do not use."""

    id: Any = None
    call_id: Any = None
    arguments: Any = None
    input: Any = None
    content: Any = None
    summary: Any = None
    encrypted_content: Any = None


class _Response(ResponsesReply):
    output: list[_Item] | None = None  # pyright: ignore[reportIncompatibleVariableOverride] - decoded, never assigned
    service_tier: Any = None


class _Event(ResponsesEvent):
    item: _Item | None = None  # pyright: ignore[reportIncompatibleVariableOverride] - decoded, never assigned
    response: _Response | None = None  # pyright: ignore[reportIncompatibleVariableOverride] - decoded, never assigned
    output_index: Any = 0
    content_index: Any = 0
    summary_index: Any = 0
    logprobs: Any = None
    annotation: Any = None
    arguments: Any = None
    input: Any = None


_EVENT = msgspec.json.Decoder(_Event)
_RESPONSE = msgspec.json.Decoder(_Response)
_TEXT = msgspec.json.Decoder(str)


class _Fold(ResponsesFold):
    """Also reads the members that parts are made of."""

    __slots__ = ()

    read_event = _EVENT.decode
    read_reply = _RESPONSE.decode


class ResponsesReader:
    """Reads one answer.

    Some servers do not stream everything. Content that did not come in deltas is read when its item is done, or at the end.
    """

    __slots__ = ("_calls", "_gap", "_places", "_sealed", "_seen", "_served", "_spoke", "_started", "_thought", "fold")

    def __init__(self) -> None:
        self.fold = _Fold()
        self._started = False
        self._seen: set[tuple[int, int]] = set()  # output and content indexes that came, so that none is sent twice
        self._calls: dict[int, ToolCall] = {}  # by output index
        self._places: dict[str, int] = {}  # call id → output index
        self._spoke = self._thought = self._sealed = False
        self._gap = False  # the next text of a thought begins a new one
        self._served: Any = None

    def event(self, event: _Event) -> list[Part]:
        parts: list[Part] = []
        kind = event.type or ""
        if kind == "response.output_text.delta":
            self._start(parts)
            self._spoke = True
            self._seen.add((count_of(event.output_index), count_of(event.content_index)))
            parts.append(Text(_delta(event), 0, list_of(event.logprobs) or None))
            return parts
        match kind:
            case "response.refusal.delta":
                self._start(parts)
                self._spoke = True
                self._seen.add((count_of(event.output_index), count_of(event.content_index)))
                parts.append(Refusal(_delta(event)))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                self._start(parts)
                self._think(_delta(event), parts)
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                self._argue(count_of(event.output_index), _delta(event), parts)
            case _:
                self._step(kind, event, parts)
        return parts

    def _step(self, kind: str, event: _Event, parts: list[Part]) -> None:
        """An event that is not a delta: something begins or ends, or comes in one piece."""
        match kind:
            case "response.created":
                self._start(parts)
                if event.response is not None:
                    self._serve(event.response, parts)
            case "response.reasoning_summary_part.added":
                self._gap = self._thought
            case "response.output_text.annotation.added":
                self._start(parts)
                parts += _citations([event.annotation])
            case "response.output_item.added" if event.item is not None:
                self._gap = self._thought
                self._begin_call(count_of(event.output_index), event.item, parts)
            case "response.function_call_arguments.done" | "response.custom_tool_call_input.done":
                self._argue_late(count_of(event.output_index), text_of(event.arguments or event.input), parts)
            case "response.output_item.done" if event.item is not None:
                self._end_item(count_of(event.output_index), event.item, parts)
            case "response.completed" | "response.incomplete" if event.response is not None:
                self._finish(event.response, parts)
            case _:
                pass

    def reply(self, whole: _Response) -> list[Part]:
        """A whole answer is read as a stream without deltas, item by item."""
        parts: list[Part] = []
        self._serve(whole, parts)
        for place, item in enumerate(whole.output or ()):
            self._gap = self._thought
            self._think(_thought_in(item), parts)
            self._seal(item, parts)
            for part in _contents(item):
                self._speak(part, parts)
            self._begin_call(place, item, parts)
        return [*parts, *self.end()]

    def end(self) -> list[Part]:
        reasons = self.fold.finish_reasons
        reason = reasons[0] if reasons else "stop"
        if reason == "stop" and self._calls:
            reason = "tool_calls"
        usage = self.fold.usage
        return [Finished(reason)] if usage.source == "none" else [Finished(reason), Used(usage)]

    def _start(self, parts: list[Part]) -> None:
        if not self._started:
            self._started = True
            parts.append(Started())

    def _serve(self, response: _Response, parts: list[Part]) -> None:
        if (tier := response.service_tier) and tier != self._served:
            self._served = tier
            parts.append(Served(tier))

    def _think(self, text: str, parts: list[Part]) -> None:
        if not text:
            return
        if self._gap:
            self._gap, text = False, BETWEEN_SUMMARIES + text
        self._thought = True
        parts.append(Thought(text))

    def _seal(self, item: _Item, parts: list[Part]) -> None:
        """Add the reasoning's encrypted content, which the provider wants back with the next turn."""
        if item.type == "reasoning" and item.encrypted_content:
            sealed = openai_detail({"id": item.id, "encrypted_content": item.encrypted_content})
            if sealed is not None:
                self._sealed = True
                self._start(parts)
                parts.append(SealedThought(sealed))

    def _speak(self, content: Object, parts: list[Part]) -> None:
        """Add a complete content part of a message."""
        self._start(parts)
        tokens = list_of(content.get("logprobs")) or None
        if (text := text_of(content.get("text"))) or tokens:
            self._spoke = True
            parts.append(Text(text, 0, tokens))
            parts += _citations(list_of(content.get("annotations")))
        if refusal := text_of(content.get("refusal")):
            self._spoke = True
            parts.append(Refusal(refusal))

    def _begin_call(self, place: int, item: _Item, parts: list[Part]) -> None:
        if place in self._calls or item.type not in ("function_call", "custom_tool_call"):
            return
        if not item.name:
            raise ProviderMalformedResponse("The provider called a tool without a name.")
        custom = item.type == "custom_tool_call"
        arguments = text_of(item.input if custom else item.arguments)
        call = ToolCall(len(self._calls), text_of(item.call_id), item.name, arguments, custom=custom)
        self._calls[place] = call
        self._places[call.id] = place
        if arguments:
            self._seen.add((place, 0))
        self._start(parts)
        parts.append(call)

    def _argue(self, place: int, arguments: str, parts: list[Part]) -> None:
        call = self._calls.get(place)
        if call is not None and arguments:
            self._seen.add((place, 0))
            parts.append(ToolCall(call.index, arguments=arguments, custom=call.custom))

    def _argue_late(self, place: int, arguments: str, parts: list[Part]) -> None:
        if (place, 0) not in self._seen:
            self._argue(place, arguments, parts)

    def _end_item(self, place: int, item: _Item, parts: list[Part]) -> None:
        if place not in self._calls:
            self._begin_call(place, item, parts)
        else:
            self._argue_late(place, text_of(item.arguments or item.input), parts)
        self._seal(item, parts)
        for number, content in enumerate(_contents(item)):
            if (place, number) not in self._seen:
                self._seen.add((place, number))
                self._speak(content, parts)

    def _finish(self, response: _Response, parts: list[Part]) -> None:
        """Add what only the whole response holds, but only those kinds of content that were not streamed at all. Indexes in
        the response may differ from the stream's, so nothing finer can be compared."""
        items = response.output or []
        self._start(parts)
        self._serve(response, parts)
        if not self._thought:
            self._think(BETWEEN_SUMMARIES.join([shown for item in items if (shown := _thought_in(item))]), parts)
        if not self._sealed:
            for item in items:
                self._seal(item, parts)
        if not self._spoke:
            for content in [content for item in items for content in _contents(item)]:
                self._speak(content, parts)
        streamed = bool(self._calls)
        for number, item in enumerate(items):
            if not streamed:
                self._begin_call(number, item, parts)
            elif (place := self._places.get(text_of(item.call_id))) is not None:
                self._argue_late(place, text_of(item.arguments or item.input), parts)


def _delta(event: _Event) -> str:
    """The text of a delta; empty where it is not a string."""
    return _TEXT.decode(event.delta) if bytes(event.delta)[:1] == b'"' else ""


def _contents(item: _Item) -> list[Object]:
    return [object_of(content) for content in list_of(item.content)] if item.type == "message" else []


def _thought_in(item: _Item) -> str:
    """The reasoning that an item shows: its summaries, or with open models its full text."""
    if item.type != "reasoning":
        return ""
    shown = list_of(item.summary) or list_of(item.content)
    return BETWEEN_SUMMARIES.join([text_of(object_of(part).get("text")) for part in shown])


def _citations(annotations: list[Any]) -> list[Part]:
    """Citations of URLs. Citations of files are left out: no other wire has a place for them."""
    found = [object_of(annotation) for annotation in annotations]
    return [
        Citation({"type": "url_citation", "url_citation": {name: v for name, v in one.items() if name != "type"}})
        for one in found
        if one.get("type") == "url_citation"
    ]
