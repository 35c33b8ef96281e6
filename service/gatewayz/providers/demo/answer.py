"""What the demo provider answers: reads the request as OpenAI would, and composes choices and usage. No I/O, no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import orjson
from msgspec import Struct

from gatewayz.providers.demo.json_schema import instance_of
from gatewayz.providers.demo.text import Prompt, answer_text, thought_text
from gatewayz.providers.demo.tokens import (
    TOKENS_PER_ANSWER,
    TOKENS_PER_IMAGE,
    TOKENS_PER_MESSAGE,
    count_tokens,
    tokens_of,
)

CONTEXT_TOKENS = 128_000
MAX_CHOICES = 16
MAX_STOPS = 4
MODELS = ("fast", "slow", "thinker", "flaky", "rate-limited", "error", "overloaded", "cut", "stall", "hang")


class _Function(Struct):
    name: str
    parameters: Any = None  # a JSON schema
    description: str | None = None


class _Tool(Struct):
    function: _Function
    type: str = "function"


class _Message(Struct):
    role: str
    content: Any = None  # text, or parts
    tool_calls: Any = None


class _Options(Struct):
    include_usage: bool | None = None


class _Format(Struct):
    type: str = "text"
    json_schema: dict[str, Any] | None = None


class _Body(Struct):
    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _Options | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    tools: list[_Tool] | None = None
    tool_choice: Any = None  # a word or an object
    response_format: _Format | None = None


_DECODER = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The provider's no: status and OpenAI's error object."""

    status: int
    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    model: str
    stream: bool
    include_usage: bool
    choices: int
    max_tokens: int | None
    stops: tuple[str, ...]
    tool: str | None
    """The tool to call; ``None`` to answer in words."""
    schema: Any
    """What the answer (or the tool's arguments) must look like; ``None`` for prose."""
    prompt: Prompt
    cached_tokens: int
    seed: int


@dataclass(frozen=True, slots=True)
class Choice:
    pieces: tuple[str, ...]
    """The answer's tokens, or those of the tool's arguments."""
    finish_reason: str
    tool: str | None = None
    thoughts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    choices: tuple[Choice, ...]
    usage: Mapping[str, Any]


def read_request(body: bytes) -> Request | Refusal:
    try:
        parsed = _DECODER.decode(body)
    except (ValueError, RecursionError) as error:
        return _bad(str(error))
    if parsed.model not in MODELS:
        return Refusal(
            404,
            {
                "message": f"The model `{parsed.model}` does not exist; there are {', '.join(MODELS)}.",
                "type": "invalid_request_error",
                "param": None,
                "code": "model_not_found",
            },
        )
    if not parsed.messages:
        return _bad("messages must not be empty.", "messages")
    max_tokens = parsed.max_tokens if parsed.max_completion_tokens is None else parsed.max_completion_tokens
    if max_tokens is not None and max_tokens < 1:
        return _bad("max_tokens must be at least 1.", "max_tokens")
    if parsed.n is not None and not 1 <= parsed.n <= MAX_CHOICES:
        return _bad(f"n must be between 1 and {MAX_CHOICES}.", "n")
    stops = (parsed.stop,) if isinstance(parsed.stop, str) else tuple(parsed.stop or ())
    if len(stops) > MAX_STOPS:
        return _bad(f"stop takes up to {MAX_STOPS} sequences.", "stop")
    prompt, cached = _read_prompt(parsed)
    if prompt.tokens > CONTEXT_TOKENS:
        return _bad(
            f"This model's maximum context length is {CONTEXT_TOKENS} tokens. However, your messages resulted in"
            f" {prompt.tokens} tokens.",
            "messages",
            "context_length_exceeded",
        )
    tool = _chosen_tool(parsed)
    if isinstance(tool, Refusal):
        return tool
    schema = (tool.parameters or {"type": "object"}) if tool is not None else _wanted_schema(parsed.response_format)
    # The seed leaves out how the answer travels: streamed or whole, it is the same answer.
    seed_of = orjson.dumps([parsed.model, [[message.role, message.content] for message in parsed.messages]])
    return Request(
        model=parsed.model,
        stream=bool(parsed.stream),
        include_usage=parsed.stream_options is not None and bool(parsed.stream_options.include_usage),
        choices=parsed.n or 1,
        max_tokens=max_tokens,
        stops=tuple(stop for stop in stops if stop),
        tool=None if tool is None else tool.name,
        schema=schema,
        prompt=prompt,
        cached_tokens=cached,
        seed=int.from_bytes(hashlib.blake2s(seed_of, digest_size=8).digest(), "big"),
    )


def compose(request: Request) -> Answer:
    choices = tuple(_choice(request, index) for index in range(request.choices))
    reasoning = sum(len(choice.thoughts) for choice in choices)
    completion = reasoning + sum(
        len(choice.pieces) + (count_tokens(choice.tool) if choice.tool is not None else 0) for choice in choices
    )
    return Answer(
        choices,
        {
            "prompt_tokens": request.prompt.tokens,
            "completion_tokens": completion,
            "total_tokens": request.prompt.tokens + completion,
            "prompt_tokens_details": {"cached_tokens": request.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        },
    )


def _choice(request: Request, index: int) -> Choice:
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


def _read_prompt(body: _Body) -> tuple[Prompt, int]:
    tokens, cached = TOKENS_PER_ANSWER, 0
    texts: list[str] = []
    for message in body.messages:
        text, images = _text_of(message.content)
        size = TOKENS_PER_MESSAGE + count_tokens(text) + images * TOKENS_PER_IMAGE
        if message.tool_calls:
            size += count_tokens(orjson.dumps(message.tool_calls).decode())
        if message.role in ("system", "developer"):
            cached += size  # as with a provider that caches what every prompt begins with
        tokens += size
        texts.append(text)
    for tool in body.tools or ():
        tokens += count_tokens(
            orjson.dumps([tool.function.name, tool.function.description, tool.function.parameters]).decode()
        )
    last = body.messages[-1]
    prompt = Prompt(
        model=body.model,
        messages=len(body.messages),
        tokens=tokens,
        words=len(texts[-1].split()),
        last=texts[-1],
        last_role=last.role,
        system=any(message.role in ("system", "developer") for message in body.messages),
        tool_result=texts[-1] if last.role == "tool" else None,
    )
    return prompt, cached


def _text_of(content: Any) -> tuple[str, int]:
    """The text of a message and the number of images in it."""
    if isinstance(content, str):
        return content, 0
    texts: list[str] = []
    images = 0
    if isinstance(content, list):
        for part in cast("list[Any]", content):
            if isinstance(part, dict):
                text = cast("dict[str, Any]", part).get("text")
                if isinstance(text, str):
                    texts.append(text)
                elif "image_url" in part:
                    images += 1
    return " ".join(texts), images


def _chosen_tool(body: _Body) -> _Function | Refusal | None:
    choice: Any = body.tool_choice
    if not body.tools or choice == "none":
        return None
    if isinstance(choice, dict):
        function = cast("dict[str, Any]", choice).get("function")
        name = cast("dict[str, Any]", function).get("name") if isinstance(function, dict) else None
        for tool in body.tools:
            if tool.function.name == name:
                return tool.function
        return _bad(f"Tool choice {name!r} is not among the tools.", "tool_choice")
    if choice == "required" or body.messages[-1].role == "user":
        return body.tools[0].function
    return None


def _wanted_schema(wanted: _Format | None) -> Any:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_schema" and wanted.json_schema is not None:
        return wanted.json_schema.get("schema", {"type": "object"})
    return {
        "type": "object",
        "properties": {"answer": {"const": "This is JSON, as you asked."}, "ok": {"type": "boolean"}},
    }


def _bad(message: str, param: str | None = None, code: str | None = None) -> Refusal:
    return Refusal(400, {"message": message, "type": "invalid_request_error", "param": param, "code": code})
