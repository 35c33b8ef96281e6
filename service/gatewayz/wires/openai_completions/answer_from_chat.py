"""Parts as an answer of OpenAI's older completions, whole or in chunks. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from gatewayz.wires.base import AnswerInfo
from gatewayz.wires.ids import bare_id
from gatewayz.wires.json_values import Object, list_of, object_of, text_of
from gatewayz.wires.openai_chat.usage import chat_usage
from gatewayz.wires.parts import Finished, Part, Refusal, Served, Started, Text, Used
from gatewayz.wires.sse import DONE, event_of

_REASONS = {"length": "length", "content_filter": "content_filter"}


class CompletionsWriter:
    """Writes one answer. ``prompt`` is the text at the start of every choice (``echo``), or nothing. A whole answer is the
    joined pieces of a stream."""

    __slots__ = ("_head", "_include_usage", "_offsets", "_prompt", "_usage")

    def __init__(self, info: AnswerInfo, prompt: str = "") -> None:
        self._prompt = prompt
        self._head: Object = {
            "id": "cmpl-" + bare_id(info.response_id),
            "object": "text_completion",
            "created": info.created_s,
            "model": info.model,
        }
        self._offsets: dict[int, int] = {}  # choice → characters so far
        self._include_usage = info.include_usage
        self._usage: Any = None

    def write(self, parts: Sequence[Part]) -> bytes:
        out: list[bytes] = []
        for part in parts:
            piece = self._piece(part)
            if piece is not None and (piece["text"] or piece["finish_reason"] or piece["logprobs"]):
                out.append(self._chunk([piece], None))
        return b"".join(out)

    def end(self) -> bytes:
        usage = b"" if self._usage is None or not self._include_usage else self._chunk([], self._usage)
        return usage + event_of(DONE)

    def whole(self, parts: Sequence[Part]) -> bytes:
        choices: dict[int, Object] = {}
        for part in parts:
            if (piece := self._piece(part)) is not None:
                so_far = choices.get(piece["index"])
                choices[piece["index"]] = piece if so_far is None else _joined(so_far, piece)
        return orjson.dumps({**self._head, "choices": list(choices.values()), "usage": self._usage})

    def _chunk(self, choices: list[Object], usage: Any) -> bytes:
        members: Object = {"usage": usage} if self._include_usage else {}
        return event_of(orjson.dumps({**self._head, "choices": choices, **members}))

    def _piece(self, part: Part) -> Object | None:
        """The piece that a part adds to its choice; None where it adds nothing. Tool calls and thoughts have no place here. A
        refusal becomes text."""
        match part:
            case Text(text, choice, logprobs):
                return self._choice(choice, text, logprobs)
            case Refusal(text, choice):
                return self._choice(choice, text)
            case Started(choice):
                return self._choice(choice, "")
            case Finished(reason, choice):
                return self._choice(choice, "", None, _REASONS.get(reason, "stop"))
            case Used(usage, reported):
                self._usage = chat_usage(usage) if reported is None else orjson.loads(reported)
            case Served(system_fingerprint=fingerprint) if fingerprint is not None:
                self._head["system_fingerprint"] = fingerprint
            case _:
                pass
        return None

    def _choice(self, index: int, text: str, logprobs: list[Any] | None = None, reason: str | None = None) -> Object:
        if index not in self._offsets:
            text = self._prompt + text
        offset = self._offsets.get(index, 0)
        self._offsets[index] = offset + len(text)
        return {"text": text, "index": index, "logprobs": _logprobs(logprobs, offset), "finish_reason": reason}


def _joined(one: Object, other: Object) -> Object:
    """Two pieces of a choice joined into one."""
    first, second = one["logprobs"], other["logprobs"]
    if first and second:
        first = {name: [*first[name], *second[name]] for name in first}
    return {**other, "text": one["text"] + other["text"], "logprobs": first or second}


def _logprobs(logprobs: list[Any] | None, offset: int) -> Object | None:
    """Chat's list of tokens as four lists, one of them with the offset of each token in the text."""
    if not logprobs:
        return None
    tokens = [object_of(token) for token in logprobs]
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
