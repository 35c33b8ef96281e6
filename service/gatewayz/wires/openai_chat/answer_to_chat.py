"""An answer of a chat provider as parts, whole or event by event.

Chat providers differ in where they put content (thoughts above all) and in how they number tool calls. The parts do not.
Pure: no I/O, no clock.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
from msgspec import Raw

from gatewayz.errors import ProviderMalformedResponse
from gatewayz.wires.fold import ABSENT, json_of
from gatewayz.wires.json_values import Object, list_of, object_of, text_of
from gatewayz.wires.openai_chat.fold import ChatChunk, ChatChunkChoice, ChatDelta, ChatFold, ChatReply, ChatReplyChoice
from gatewayz.wires.openai_chat.reasoning_details import is_sealed
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


class _Message(ChatDelta):
    reasoning_details: Raw = ABSENT
    annotations: Raw = ABSENT


class _Choice(ChatChunkChoice):
    delta: _Message | None = None  # pyright: ignore[reportIncompatibleVariableOverride] - decoded, never assigned
    index: Any = 0
    logprobs: Raw = ABSENT
    stop_reason: Any = None
    """The stop sequence that matched, as vLLM reports it."""


class _Event(ChatChunk):
    choices: list[_Choice] | None = None  # pyright: ignore[reportIncompatibleVariableOverride] - decoded, never assigned
    service_tier: Any = None
    system_fingerprint: Any = None


class _WholeChoice(ChatReplyChoice):
    index: Any = 0
    logprobs: Raw = ABSENT
    stop_reason: Any = None


class _Whole(ChatReply):
    choices: list[_WholeChoice] | None = None  # pyright: ignore[reportIncompatibleVariableOverride] - decoded, never assigned
    service_tier: Any = None
    system_fingerprint: Any = None


_EVENT = msgspec.json.Decoder(_Event)
_WHOLE = msgspec.json.Decoder(_Whole)
_MESSAGE = msgspec.json.Decoder(_Message | None)
_EMPTY_MESSAGE = _Message()


class _Fold(ChatFold):
    """Also reads the members that parts are made of."""

    __slots__ = ()

    read_event = _EVENT.decode
    read_reply = _WHOLE.decode


class ChatReader:
    """Reads one answer."""

    __slots__ = ("_calls", "_finished", "_served", "_started", "fold")

    def __init__(self) -> None:
        self.fold = _Fold()
        self._started: set[int] = set()
        self._calls = _Calls()
        self._served = _NOTHING_SERVED
        self._finished: dict[int, Finished] = {}

    def event(self, event: _Event) -> list[Part]:
        parts: list[Part] = []
        if event.service_tier is not None or event.system_fingerprint is not None:
            self._serve(event, parts)
        for choice in event.choices or ():
            number = choice.index if isinstance(choice.index, int) else 0
            if number not in self._started:
                self._started.add(number)
                parts.append(Started(number))
            if choice.delta is not None:
                self._add_content(choice.delta, choice.logprobs, number, parts)
            if choice.finish_reason:
                self._finish(choice, number)
        return parts

    def reply(self, whole: _Whole) -> list[Part]:
        """A whole answer is read as a stream of one event."""
        parts: list[Part] = []
        self._serve(whole, parts)
        for choice in whole.choices or ():
            number = choice.index if isinstance(choice.index, int) else 0
            message = _EMPTY_MESSAGE if choice.message is ABSENT else _MESSAGE.decode(choice.message) or _EMPTY_MESSAGE
            parts.append(Started(number))
            self._add_content(message, choice.logprobs, number, parts, whole=True)
            self._finish(choice, number)
        return [*parts, *self.end()]

    def end(self) -> list[Part]:
        self._calls.check()
        finished: list[Part] = [self._finished[number] for number in sorted(self._finished)]
        usage = self.fold.usage
        return finished if usage.source == "none" else [*finished, Used(usage, self.fold.reported)]

    def _serve(self, answer: _Event | _Whole, parts: list[Part]) -> None:
        served = Served(answer.service_tier, answer.system_fingerprint)
        if served != self._served:
            self._served = served
            parts.append(served)

    def _finish(self, choice: _Choice | _WholeChoice, number: int) -> None:
        """Keep the finish reason until the end: usage comes after it, and a stream cut in between must not look finished."""
        self._finished[number] = Finished(choice.finish_reason or "stop", number, text_of(choice.stop_reason) or None)

    def _add_content(
        self, message: _Message, logprobs: Raw, choice: int, parts: list[Part], *, whole: bool = False
    ) -> None:
        content: Any = "" if message.content is ABSENT else orjson.loads(bytes(message.content))
        thought = _text(message.reasoning_content) or _text(message.reasoning)
        if isinstance(content, str):
            text = content
        else:
            text, thought = _text_in(content), thought or _thought_in(content)
        if message.reasoning_details is not ABSENT:
            _reason(thought, _objects(message.reasoning_details), choice, parts, whole=whole)
        elif thought:
            parts.append(Thought(thought, choice))
        tokens = _tokens(logprobs)
        if text or tokens:
            parts.append(Text(text, choice, tokens))
        for annotation in _objects(message.annotations):
            parts.append(Citation(annotation, choice))
        if refusal := _text(message.refusal):
            parts.append(Refusal(refusal, choice))
        calls = _objects(message.tool_calls)
        if not calls and (function := json_of(message.function_call)):
            # The deprecated function_call, which some providers still send.
            calls = [{"index": 0, "function": orjson.loads(function)}]
        for place, call in enumerate(calls):
            parts.extend(self._calls.piece({**call, "index": place} if whole else call, choice))


_NOTHING_SERVED = Served()


def _reason(thought: str, details: list[Object], choice: int, parts: list[Part], *, whole: bool) -> None:
    """Add a thought and its signed or encrypted details. In a whole answer the details show where one thought ends and the
    next begins, if they hold the text of all of them. In a stream the text has already been sent."""
    texts = [text_of(detail.get("text")) for detail in details if detail.get("signature")]
    if whole and all(texts) and len("".join(texts)) >= len(thought):
        thought = ""
    else:
        texts = []
    if thought:
        parts.append(Thought(thought, choice))
    for detail in details:
        if texts and detail.get("signature"):
            parts.append(Thought(text_of(detail["text"]), choice))
        if is_sealed(detail):
            parts.append(SealedThought(detail, choice))


def _text(raw: Raw) -> str:
    return "" if raw is ABSENT else text_of(orjson.loads(bytes(raw)))


def _objects(raw: Raw) -> list[Object]:
    return [object_of(value) for value in list_of(orjson.loads(found))] if (found := json_of(raw)) else []


def _tokens(logprobs: Raw) -> list[Any] | None:
    found = json_of(logprobs)
    return (list_of(object_of(orjson.loads(found)).get("content")) or None) if found else None


def _text_in(content: Any) -> str:
    """The text in a list of content parts, the form of Mistral's reasoning models."""
    parts = map(object_of, list_of(content))
    return "".join([text_of(part.get("text")) for part in parts if part.get("type") == "text"])


def _thought_in(content: Any) -> str:
    """The thoughts in such a list; each holds parts itself."""
    parts = map(object_of, list_of(content))
    thoughts = [part.get("thinking") for part in parts if part.get("type") == "thinking"]
    return "".join([thought if isinstance(thought, str) else _text_in(thought) for thought in thoughts])


class _Call:
    """A tool call in progress, and what arrived of it before its name."""

    __slots__ = ("arguments", "extra_content", "id", "index", "name")

    def __init__(self, index: int) -> None:
        self.index = index
        self.id = self.name = self.arguments = ""
        self.extra_content: Object | None = None


class _Calls:
    """Tells an answer's tool calls apart. Some providers number none of them; some number all of them 0 and send each in one
    piece."""

    __slots__ = ("_all", "_latest")

    def __init__(self) -> None:
        self._all: list[_Call] = []
        self._latest: dict[tuple[int, int | None], _Call] = {}
        """By choice and by the provider's index."""

    def piece(self, call: Object, choice: int) -> list[Part]:
        """Add a call, or a piece of one. A new id with a name under a known index begins a new call. A new id alone does not:
        some providers change it with each piece."""
        number: int | None = call["index"] if isinstance(call.get("index"), int) else None
        custom = call.get("type") == "custom" or "custom" in call
        called = object_of(call.get("custom" if custom else "function"))
        call_id, name = text_of(call.get("id")), text_of(called.get("name"))
        made = self._latest.get((choice, number))
        if made is not None and made.name and name and (number is None or (call_id and call_id != made.id)):
            made = None
        if made is None:
            made = self._latest[choice, number] = _Call(len(self._all))
            self._all.append(made)
        arguments = _arguments(called.get("input" if custom else "arguments"))
        extra = object_of(call.get("extra_content")) or None
        if made.name:
            if not arguments and extra is None:
                return []
            return [ToolCall(made.index, "", "", arguments, choice, custom, extra)]
        made.id = call_id or made.id
        made.arguments += arguments
        made.extra_content = extra or made.extra_content
        if not name:  # it comes with a later piece
            return []
        made.name = name
        return [ToolCall(made.index, made.id, name, made.arguments, choice, custom, made.extra_content)]

    def check(self) -> None:
        """Called at the end. Raises ProviderMalformedResponse where a call has no name."""
        if not all(call.name for call in self._all):
            raise ProviderMalformedResponse("The provider sent a tool call without a name.")


def _arguments(value: Any) -> str:
    """The arguments as text; some providers send the object itself."""
    return orjson.dumps(value).decode() if isinstance(value, dict) and value else text_of(value)
