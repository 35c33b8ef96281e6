"""How the demo provider writes an answer: as OpenAI's chat completion, whole or as the events of a stream."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import orjson

from gatewayz.providers.demo.answer import Choice, DemoAnswer
from gatewayz.providers.demo.request import DemoRequest

CREATED_S = 1_760_000_000  # one moment for all answers: the same request gets the same answer
FINGERPRINT = "fp_demo"


def whole_answer(answer_id: str, request: DemoRequest, answer: DemoAnswer) -> bytes:
    choices: list[dict[str, Any]] = []
    for index, choice in enumerate(answer.choices):
        message: dict[str, Any] = {"role": "assistant", "content": "".join(choice.pieces) or None, "refusal": None}
        if choice.thoughts:
            message["reasoning_content"] = "".join(choice.thoughts)
        if choice.tool is not None:
            message["content"] = None
            message["tool_calls"] = [_tool_call(choice.tool, "".join(choice.pieces), answer_id, index)]
        choices.append({"index": index, "message": message, "logprobs": None, "finish_reason": choice.finish_reason})
    return orjson.dumps(
        {
            "id": answer_id,
            "object": "chat.completion",
            "created": CREATED_S,
            "model": request.model,
            "choices": choices,
            "usage": answer.usage,
            "system_fingerprint": FINGERPRINT,
        }
    )


def stream_events(answer_id: str, request: DemoRequest, answer: DemoAnswer) -> list[bytes]:
    """The stream, event by event: the role, then a token each (choices in turn), the finish reasons, the usage, the end."""
    events = _Events(answer_id, request)
    sent = [events.opening(index, choice) for index, choice in enumerate(answer.choices)]
    tracks = [events.tokens(index, choice) for index, choice in enumerate(answer.choices)]
    sent += [event for row in zip_longest(*tracks) for event in row if event is not None]
    sent += [events.delta(index, {}, choice.finish_reason) for index, choice in enumerate(answer.choices)]
    if request.include_usage:
        sent.append(events.event([], answer.usage))
    return [*sent, b"data: [DONE]\n\n"]


class _Events:
    """The events of one answer, which begin alike."""

    def __init__(self, answer_id: str, request: DemoRequest) -> None:
        self._answer_id = answer_id
        self._include_usage = request.include_usage
        self._common: dict[str, Any] = {
            "id": answer_id,
            "object": "chat.completion.chunk",
            "created": CREATED_S,
            "model": request.model,
            "system_fingerprint": FINGERPRINT,
        }

    def event(self, choices: list[dict[str, Any]], usage: Mapping[str, Any] | None = None) -> bytes:
        chunk = {**self._common, "choices": choices}
        if self._include_usage:
            chunk["usage"] = usage
        return b"data: " + orjson.dumps(chunk) + b"\n\n"

    def delta(self, index: int, content: Mapping[str, Any], reason: str | None = None) -> bytes:
        return self.event([{"index": index, "delta": content, "logprobs": None, "finish_reason": reason}])

    def opening(self, index: int, choice: Choice) -> bytes:
        role: dict[str, Any] = {"role": "assistant", "content": None if choice.tool else "", "refusal": None}
        if choice.tool is not None:
            role["tool_calls"] = [{"index": 0, **_tool_call(choice.tool, "", self._answer_id, index)}]
        return self.delta(index, role)

    def tokens(self, index: int, choice: Choice) -> list[bytes]:
        thoughts = [self.delta(index, {"reasoning_content": piece}) for piece in choice.thoughts]
        if choice.tool is None:
            return thoughts + [self.delta(index, {"content": piece}) for piece in choice.pieces]
        arguments = [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in choice.pieces]
        return thoughts + [self.delta(index, piece) for piece in arguments]


def _tool_call(name: str, arguments: str, answer_id: str, index: int) -> dict[str, Any]:
    return {
        "id": f"call_{answer_id.removeprefix('chatcmpl-')}-{index}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
