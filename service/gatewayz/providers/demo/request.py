"""What the demo provider is asked for: reads a chat request as OpenAI would. No I/O, no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import orjson
from msgspec import Struct

from gatewayz.providers.demo.text import Prompt
from gatewayz.providers.demo.tokens import TOKENS_PER_ANSWER, TOKENS_PER_IMAGE, TOKENS_PER_MESSAGE, count_tokens

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
    tool_choice: Any = None  # a string or an object
    response_format: _Format | None = None


_DECODER = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer: its status, and OpenAI's error object."""

    status: int
    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DemoRequest:
    model: str
    stream: bool
    include_usage: bool
    choices: int
    max_tokens: int | None
    stops: tuple[str, ...]
    tool: str | None
    """The tool to call; ``None`` to answer in text."""
    schema: Any
    """The JSON schema of the answer, or of the tool's arguments; ``None`` for prose."""
    prompt: Prompt
    cached_tokens: int
    seed: int


def read_request(body: bytes) -> DemoRequest | Refusal:
    try:
        parsed = _DECODER.decode(body)
    except (ValueError, RecursionError) as error:
        return _bad(str(error))
    if (refusal := _unknown_model(parsed) or _beyond_limits(parsed)) is not None:
        return refusal
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
    return DemoRequest(
        model=parsed.model,
        stream=bool(parsed.stream),
        include_usage=parsed.stream_options is not None and bool(parsed.stream_options.include_usage),
        choices=parsed.n or 1,
        max_tokens=_max_tokens(parsed),
        stops=tuple(stop for stop in _stops(parsed) if stop),
        tool=None if tool is None else tool.name,
        schema=_schema_of_answer(parsed.response_format) if tool is None else tool.parameters or {"type": "object"},
        prompt=prompt,
        cached_tokens=cached,
        seed=_seed(parsed),
    )


def _unknown_model(body: _Body) -> Refusal | None:
    if body.model in MODELS:
        return None
    message = f"The model `{body.model}` does not exist; there are {', '.join(MODELS)}."
    return _refusal(404, message, code="model_not_found")


def _beyond_limits(body: _Body) -> Refusal | None:
    max_tokens = _max_tokens(body)
    if not body.messages:
        return _bad("messages must not be empty.", "messages")
    if max_tokens is not None and max_tokens < 1:
        return _bad("max_tokens must be at least 1.", "max_tokens")
    if body.n is not None and not 1 <= body.n <= MAX_CHOICES:
        return _bad(f"n must be between 1 and {MAX_CHOICES}.", "n")
    if len(_stops(body)) > MAX_STOPS:
        return _bad(f"stop takes up to {MAX_STOPS} sequences.", "stop")
    return None


def _max_tokens(body: _Body) -> int | None:
    return body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens


def _stops(body: _Body) -> tuple[str, ...]:
    return (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())


def _seed(body: _Body) -> int:
    """Of the model and the messages alone: streamed or whole, the same request gets the same answer."""
    told = orjson.dumps([body.model, [[message.role, message.content] for message in body.messages]])
    return int.from_bytes(hashlib.blake2s(told, digest_size=8).digest(), "big")


def _read_prompt(body: _Body) -> tuple[Prompt, int]:
    tokens, cached = TOKENS_PER_ANSWER, 0
    texts: list[str] = []
    for message in body.messages:
        text, images = _text_of(message.content)
        size = TOKENS_PER_MESSAGE + count_tokens(text) + images * TOKENS_PER_IMAGE
        if message.tool_calls:
            size += count_tokens(orjson.dumps(message.tool_calls).decode())
        if message.role in ("system", "developer"):
            cached += size  # as a provider does that caches the beginning of every prompt
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


def _schema_of_answer(wanted: _Format | None) -> Any:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_schema" and wanted.json_schema is not None:
        return wanted.json_schema.get("schema", {"type": "object"})
    return {
        "type": "object",
        "properties": {"answer": {"const": "This is JSON, as you asked."}, "ok": {"type": "boolean"}},
    }


def _bad(message: str, param: str | None = None, code: str | None = None) -> Refusal:
    return _refusal(400, message, param, code)


def _refusal(status: int, message: str, param: str | None = None, code: str | None = None) -> Refusal:
    return Refusal(status, {"message": message, "type": "invalid_request_error", "param": param, "code": code})
