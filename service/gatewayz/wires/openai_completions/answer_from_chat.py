"""Chat answers as answers of OpenAI's older completions. Pure: no I/O, no clock."""

from __future__ import annotations

from typing import Any

import orjson

from gatewayz.wires.base import Shape
from gatewayz.wires.ids import bare_id
from gatewayz.wires.json_values import Object, list_of, object_of, text_of
from gatewayz.wires.openai_chat.text import text_said
from gatewayz.wires.sse import DONE, data_of, event_of

_REASONS = {"length": "length", "content_filter": "content_filter"}


class ChatToCompletions:
    """One answer. ``prompt`` is what to say first in every choice (``echo``), or nothing."""

    __slots__ = ("_base", "_done", "_include_usage", "_offsets", "_prompt", "_shape")

    def __init__(self, shape: Shape, prompt: str = "") -> None:
        self._shape = shape
        self._prompt = prompt
        self._base: Object = {
            "id": "cmpl-" + bare_id(shape.response_id),
            "object": "text_completion",
            "created": shape.created_s,
            "model": shape.model,
        }
        self._offsets: dict[int, int] = {}  # choice → characters said so far
        self._include_usage = shape.include_usage
        self._done = False

    def reply(self, body: bytes) -> bytes:
        chat = object_of(orjson.loads(body))
        choices: list[Object] = []
        for choice in map(object_of, list_of(chat.get("choices"))):
            index = _index_of(choice)
            text = self._first(index) + _text_of(object_of(choice.get("message")))
            choices.append(
                self._choice(index, text, choice, _REASONS.get(text_of(choice.get("finish_reason")), "stop"))
            )
        return orjson.dumps({**self._base, "choices": choices, **_told(chat), "usage": chat.get("usage")})

    def event(self, event: bytes) -> bytes:
        data = data_of(event)
        if not data or self._done:
            return b""
        if data == DONE:
            return self.end()
        chunk = object_of(orjson.loads(data))
        choices: list[Object] = []
        for choice in map(object_of, list_of(chunk.get("choices"))):
            index = _index_of(choice)
            reason = text_of(choice.get("finish_reason"))
            text = self._first(index) + _text_of(object_of(choice.get("delta")))
            if text or reason or choice.get("logprobs"):
                choices.append(self._choice(index, text, choice, _REASONS.get(reason, "stop") if reason else None))
        usage = chunk.get("usage") if self._include_usage else None
        if not choices and usage is None:
            return b""
        said: Object = {**self._base, "choices": choices, **_told(chunk)}
        if self._include_usage:
            said["usage"] = usage
        return event_of(orjson.dumps(said))

    def end(self) -> bytes:
        if self._done:
            return b""
        self._done = True
        return event_of(DONE)

    def _first(self, index: int) -> str:
        """What goes before the choice's own text: the prompt, once, where it was asked for."""
        return "" if index in self._offsets else self._prompt

    def _choice(self, index: int, text: str, choice: Object, reason: str | None) -> Object:
        offset = self._offsets.get(index, 0)
        self._offsets[index] = offset + len(text)
        logprobs = _logprobs(choice.get("logprobs"), offset)
        return {"text": text, "index": index, "logprobs": logprobs, "finish_reason": reason}


def _text_of(message: Object) -> str:
    """What was said, were it only a refusal: a completion has no other place for one."""
    return text_said(message) or text_of(message.get("refusal"))


def _index_of(choice: Object) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _told(chat: Object) -> Object:
    fingerprint = chat.get("system_fingerprint")
    return {} if fingerprint is None else {"system_fingerprint": fingerprint}


def _logprobs(logprobs: Any, offset: int) -> Object | None:
    """Chat's list of tokens as four lists, with where in the text each token begins."""
    tokens = [object_of(token) for token in list_of(object_of(logprobs).get("content"))]
    if not tokens:
        return None
    texts = [text_of(token.get("token")) for token in tokens]
    offsets: list[int] = []
    for text in texts:
        offsets.append(offset)
        offset += len(text)
    return {
        "tokens": texts,
        "token_logprobs": [token.get("logprob") for token in tokens],
        "top_logprobs": [_alternatives(token) for token in tokens],
        "text_offset": offsets,
    }


def _alternatives(token: Object) -> Object:
    others = map(object_of, list_of(token.get("top_logprobs")))
    return {text_of(other.get("token")): other.get("logprob") for other in others}
