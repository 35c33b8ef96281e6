"""Answers of OpenAI's Responses API as chat answers. Pure: no I/O, no clock."""

from __future__ import annotations

from typing import Any

import orjson

from gatewayz.wires.base import Shape
from gatewayz.wires.ids import bare_id
from gatewayz.wires.json_values import Object, count_of, list_of, object_of, text_of
from gatewayz.wires.openai_chat.reasoning_details import openai_detail
from gatewayz.wires.openai_responses.fold import finish_reason
from gatewayz.wires.sse import DONE, data_of, event_of

BETWEEN_SUMMARIES = "\n\n"


class ResponsesToChat:
    """One answer. Its reasoning becomes ``reasoning_content``; what hosted tools did is left out, for chat has no place for
    it."""

    __slots__ = (
        "_annotations",
        "_base",
        "_call_places",
        "_calls",
        "_details",
        "_done",
        "_include_usage",
        "_said",
        "_spoke",
        "_started",
        "_thought",
        "_tier",
        "_usage_member",
    )

    def __init__(self, shape: Shape) -> None:
        self._base: Object = {
            "id": "chatcmpl-" + bare_id(shape.response_id),
            "object": "chat.completion.chunk" if shape.stream else "chat.completion",
            "created": shape.created_s,
            "model": shape.model,
        }
        self._include_usage = shape.include_usage
        self._usage_member: Object = {"usage": None} if shape.include_usage else {}
        self._tier: Object = {}
        self._calls: dict[
            int, tuple[int, str, str]
        ] = {}  # output index → index among the calls, and where arguments go
        self._said: set[tuple[int, int]] = set()  # what came in deltas, so that it is not said again
        self._call_places: dict[str, int] = {}  # call id → output index
        self._annotations = 0
        self._details = 0
        self._started = False
        self._spoke = False
        self._thought = False
        self._done = False

    def reply(self, body: bytes) -> bytes:
        response = object_of(orjson.loads(body))
        items = [object_of(item) for item in list_of(response.get("output"))]
        message = _message(items)
        tokens = [token for part in _text_parts(items) for token in list_of(part.get("logprobs"))]
        choice: Object = {
            "index": 0,
            "message": message,
            "logprobs": {"content": tokens, "refusal": None} if tokens else None,
            "finish_reason": _reason(response, items) or "stop",
        }
        answer: Object = {**self._base, "choices": [choice], "usage": chat_usage(response.get("usage"))}
        if response.get("service_tier"):
            answer["service_tier"] = response["service_tier"]
        return orjson.dumps(answer)

    def event(self, event: bytes) -> bytes:
        data = data_of(event)
        if not data or data == DONE or self._done:
            return b""
        said = object_of(orjson.loads(data))
        match said.get("type"):
            case "response.created":
                tier = object_of(said.get("response")).get("service_tier")
                self._tier = {"service_tier": tier} if tier else {}
                return self._start()
            case "response.output_text.delta":
                self._note(said, "content_index")
                return self._delta({"content": text_of(said.get("delta"))}, said.get("logprobs"))
            case "response.refusal.delta":
                self._note(said, "content_index")
                return self._delta({"refusal": text_of(said.get("delta"))})
            case "response.reasoning_summary_part.added" if count_of(said.get("summary_index")):
                return self._delta({"reasoning_content": BETWEEN_SUMMARIES})
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                self._thought = True
                return self._delta({"reasoning_content": text_of(said.get("delta"))})
            case "response.output_text.annotation.added":
                return self._annotate(object_of(said.get("annotation")))
            case "response.output_item.added":
                return self._begin_item(said)
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                return self._argue(_output_index(said), text_of(said.get("delta")))
            case "response.function_call_arguments.done":
                return self._argue_late(_output_index(said), text_of(said.get("arguments")))
            case "response.custom_tool_call_input.done":
                return self._argue_late(_output_index(said), text_of(said.get("input")))
            case "response.output_item.done":
                return self._end_item(said)
            case "response.completed" | "response.incomplete":
                return self._finish(object_of(said.get("response")))
            case _:
                return b""

    def end(self) -> bytes:
        return b""  # the last event has said everything; a stream without it has not ended well

    def _start(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        return self._chunk({"role": "assistant", "content": ""})

    def _delta(self, delta: Object, logprobs: Any = None) -> bytes:
        return self._start() + self._chunk(delta, logprobs=list_of(logprobs))

    def _chunk(self, delta: Object, reason: str | None = None, logprobs: list[Any] | None = None) -> bytes:
        told = {"content": logprobs, "refusal": None} if logprobs else None
        choice: Object = {"index": 0, "delta": delta, "logprobs": told, "finish_reason": reason}
        return event_of(orjson.dumps({**self._base, **self._tier, "choices": [choice], **self._usage_member}))

    def _note(self, said: Object, part: str) -> None:
        self._spoke = True
        self._said.add((_output_index(said), count_of(said.get(part))))

    def _annotate(self, given: Object) -> bytes:
        """Numbered, as is every list in a stream: readers that put one together go by the numbers."""
        if (annotation := _annotation(given)) is None:
            return b""
        self._annotations += 1
        return self._delta({"annotations": [{**annotation, "index": self._annotations - 1}]})

    def _seal(self, item: Object) -> bytes:
        if (sealed := _sealed(item)) is None:
            return b""
        self._details += 1
        return self._delta({"reasoning_details": [{**sealed, "index": self._details - 1}]})

    def _begin_item(self, said: Object) -> bytes:
        call = _call(object_of(said.get("item")))
        output_index = _output_index(said)
        if call is None or output_index in self._calls:
            return b""
        return self._begin_call(output_index, call)

    def _begin_call(self, output_index: int, call: Object) -> bytes:
        kind, member = ("custom", "input") if call["type"] == "custom" else ("function", "arguments")
        index = len(self._calls)
        self._calls[output_index] = (index, kind, member)
        self._call_places[call["id"]] = output_index
        if call[kind][member]:
            self._said.add((output_index, 0))
        return self._delta({"tool_calls": [{"index": index, **call}]})

    def _argue(self, output_index: int, arguments: str) -> bytes:
        place = self._calls.get(output_index)
        if place is None or not arguments:
            return b""
        self._said.add((output_index, 0))
        index, kind, member = place
        return self._delta({"tool_calls": [{"index": index, kind: {member: arguments}}]})

    def _argue_late(self, output_index: int, arguments: str) -> bytes:
        return b"" if (output_index, 0) in self._said else self._argue(output_index, arguments)

    def _end_item(self, said: Object) -> bytes:
        """Some servers do not stream everything: what was not said in deltas is said now."""
        item = object_of(said.get("item"))
        output_index = _output_index(said)
        if _call(item) is not None:
            if output_index not in self._calls:
                return self._begin_item(said)
            return self._argue_late(output_index, text_of(item.get("arguments") or item.get("input")))
        if item.get("type") != "message":
            return self._seal(item)
        late = b""
        for i, part in enumerate(map(object_of, list_of(item.get("content")))):
            if (output_index, i) not in self._said:
                self._said.add((output_index, i))
                late += self._speak(part)
        return late

    def _speak(self, part: Object) -> bytes:
        """A whole part of a message."""
        said = b""
        if text := text_of(part.get("text")):
            said += self._delta({"content": text}, part.get("logprobs"))
        if refusal := text_of(part.get("refusal")):
            said += self._delta({"refusal": refusal})
        self._spoke = self._spoke or bool(said)
        return said

    def _finish_saying(self, items: list[Object]) -> bytes:
        """What only the whole response says, of the kinds of which nothing was streamed: places in it need not be those of the
        stream, so that no more can be told apart."""
        said = b""
        for item in items:
            if not self._thought and (thoughts := BETWEEN_SUMMARIES.join(_thoughts(item))):
                said += self._delta({"reasoning_content": thoughts})
        if not self._details:
            said += b"".join([self._seal(item) for item in items])
        if not self._spoke:
            said += b"".join([self._speak(part) for part in _parts(items)])
        streamed = bool(self._calls)
        for number, call in enumerate(call for item in items if (call := _call(item)) is not None):
            if not streamed:
                said += self._begin_call(-1 - number, call)
            elif (place := self._call_places.get(call["id"])) is not None:
                kind, member = self._calls[place][1:]
                said += self._argue_late(place, text_of(object_of(call.get(kind)).get(member)))
        return said

    def _finish(self, response: Object) -> bytes:
        self._done = True
        items = [object_of(item) for item in list_of(response.get("output"))]
        late = self._finish_saying(items)
        reason = _reason(response, items)
        if reason in (None, "stop") and self._calls:
            reason = "tool_calls"
        if response.get("service_tier"):
            self._tier = {"service_tier": response["service_tier"]}
        events = self._start() + late + self._chunk({}, reason or "stop")
        usage = chat_usage(response.get("usage"))
        if self._include_usage and usage is not None:
            events += event_of(orjson.dumps({**self._base, **self._tier, "choices": [], "usage": usage}))
        return events + event_of(DONE)


def chat_usage(usage: Any) -> Object | None:
    """Counts under chat's names."""
    counts = object_of(usage)
    if not counts:
        return None
    given, made = object_of(counts.get("input_tokens_details")), object_of(counts.get("output_tokens_details"))
    prompt, completion = count_of(counts.get("input_tokens")), count_of(counts.get("output_tokens"))
    prompt_details: Object = {"cached_tokens": count_of(given.get("cached_tokens"))}
    if written := count_of(given.get("cache_write_tokens")):
        prompt_details["cache_write_tokens"] = written
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": count_of(counts.get("total_tokens")) or prompt + completion,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": {"reasoning_tokens": count_of(made.get("reasoning_tokens"))},
    }


def _message(items: list[Object]) -> Object:
    texts = [text_of(part.get("text")) for part in _text_parts(items)]
    refusals = [text_of(part.get("refusal")) for part in _parts(items) if part.get("type") == "refusal"]
    message: Object = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    if reasoning := BETWEEN_SUMMARIES.join([thought for item in items for thought in _thoughts(item)]):
        message["reasoning_content"] = reasoning
    if details := [detail for item in items if (detail := _sealed(item)) is not None]:
        message["reasoning_details"] = details
    annotations = [
        annotation
        for part in _text_parts(items)
        for given in list_of(part.get("annotations"))
        if (annotation := _annotation(object_of(given)))
    ]
    if annotations:
        message["annotations"] = annotations
    if calls := [call for item in items if (call := _call(item)) is not None]:
        message["tool_calls"] = calls
    return message


def _parts(items: list[Object]) -> list[Object]:
    messages = [item for item in items if item.get("type") == "message"]
    return [object_of(part) for item in messages for part in list_of(item.get("content"))]


def _text_parts(items: list[Object]) -> list[Object]:
    return [part for part in _parts(items) if part.get("type") == "output_text"]


def _thoughts(item: Object) -> list[str]:
    """The reasoning that is shown: its summaries, or (open models) itself."""
    if item.get("type") != "reasoning":
        return []
    shown = list_of(item.get("summary")) or list_of(item.get("content"))
    return [text_of(object_of(part).get("text")) for part in shown]


def _sealed(item: Object) -> Object | None:
    """The part of the reasoning that is not shown, but wanted back with the next turn."""
    return openai_detail(item) if item.get("type") == "reasoning" else None


def _call(item: Object) -> Object | None:
    match item.get("type"):
        case "function_call":
            function = {"name": text_of(item.get("name")), "arguments": text_of(item.get("arguments"))}
            return {"id": text_of(item.get("call_id")), "type": "function", "function": function}
        case "custom_tool_call":
            custom = {"name": text_of(item.get("name")), "input": text_of(item.get("input"))}
            return {"id": text_of(item.get("call_id")), "type": "custom", "custom": custom}
        case _:
            return None


def _annotation(annotation: Object) -> Object | None:
    """Chat knows citations of addresses only; those of files are left out."""
    if annotation.get("type") != "url_citation":
        return None
    return {"type": "url_citation", "url_citation": {name: v for name, v in annotation.items() if name != "type"}}


def _reason(response: Object, items: list[Object]) -> str | None:
    incomplete = object_of(response.get("incomplete_details")).get("reason")
    return finish_reason(response.get("status"), incomplete, [item.get("type") for item in items])


def _output_index(said: Object) -> int:
    return count_of(said.get("output_index"))
