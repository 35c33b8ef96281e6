"""What the demo provider answers: composes choices and usage. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gatewayz.providers.demo.json_schema import instance_of
from gatewayz.providers.demo.request import DemoRequest
from gatewayz.providers.demo.text import answer_text, thought_text
from gatewayz.providers.demo.tokens import count_tokens, tokens_of


@dataclass(frozen=True, slots=True)
class Choice:
    pieces: tuple[str, ...]
    """The answer's tokens, or those of the tool's arguments."""
    finish_reason: str
    tool: str | None = None
    thoughts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DemoAnswer:
    choices: tuple[Choice, ...]
    usage: Mapping[str, Any]


def compose(request: DemoRequest) -> DemoAnswer:
    choices = tuple(_choice(request, index) for index in range(request.choices))
    reasoning = sum(len(choice.thoughts) for choice in choices)
    completion = reasoning + sum(
        len(choice.pieces) + (count_tokens(choice.tool) if choice.tool is not None else 0) for choice in choices
    )
    return DemoAnswer(
        choices,
        {
            "prompt_tokens": request.prompt.tokens,
            "completion_tokens": completion,
            "total_tokens": request.prompt.tokens + completion,
            "prompt_tokens_details": {"cached_tokens": request.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        },
    )


def _choice(request: DemoRequest, index: int) -> Choice:
    seed = request.seed + index
    thoughts = tuple(tokens_of(thought_text(request.prompt, seed))) if request.model == "thinker" else ()
    prose = request.schema is None
    text = answer_text(request.prompt, seed) if prose else orjson.dumps(instance_of(request.schema)).decode()
    reason = "stop" if request.tool is None else "tool_calls"
    if request.tool is None:
        ends = [place for place in (text.find(stop) for stop in request.stops) if place >= 0]
        text = text[: min(ends)] if ends else text
    pieces = tuple(tokens_of(text))
    if request.max_tokens is not None and len(thoughts) + len(pieces) > request.max_tokens:
        thoughts = thoughts[: request.max_tokens]
        pieces = pieces[: request.max_tokens - len(thoughts)]
        reason = "length"
    return Choice(pieces, reason, request.tool, thoughts)
