"""A chat request as a request on Anthropic's wire.

Left out, because they do not change the answer: storage and caching, the speed of the answer, names of participants, image
detail. Also left out: ``seed``, which is best effort anyway, and sampling settings that the model refuses. A member that
would change the answer and has no equal is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from gatewayz.wires.anthropic_messages.json_schema import narrowed
from gatewayz.wires.anthropic_messages.model_limits import Traits, sampling_of, thinking_of, traits_of
from gatewayz.wires.anthropic_messages.tools_from_chat import add_tools
from gatewayz.wires.anthropic_messages.turns_from_chat import turns_of
from gatewayz.wires.json_values import (
    Object,
    list_at,
    list_of,
    no_equal,
    object_at,
    object_of,
    text_at,
    wrong_type,
)
from gatewayz.wires.openai_chat import reasoning_effort

_SAMPLING = ("temperature", "top_p", "top_k")
# fmt: off
_TRANSLATED = frozenset((
    *_SAMPLING, *reasoning_effort.MEMBERS, "model", "messages", "max_tokens", "max_completion_tokens", "stop", "stream", "user",
    "safety_identifier", "tools", "tool_choice", "parallel_tool_calls", "response_format",
))
_HINTS = frozenset((
    "stream_options", "store", "metadata", "service_tier", "prediction", "prompt_cache_key", "prompt_cache_retention",
    "prompt_cache_options", "seed",
))
# fmt: on
# Members with no equal, and their values that ask for nothing.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "verbosity": ("medium",),
    "functions": ([],),
}
_JSON_ONLY = "Answer with one valid JSON object and nothing else."
_SCHEMA_ONLY = "Answer with nothing but JSON that is valid against this JSON schema: "
_ROOM_TO_ANSWER = 4_096
"""Tokens added to a caller's thinking budget where it set no limit."""


def chat_request_to_messages(chat: Mapping[str, Any], model: str, *, stream: bool) -> Object:
    """The Messages request. Raises InvalidRequest naming the member that has no equal there or has the wrong type.

    Anthropic requires ``max_tokens``; where the caller set none, it is the default of the model's generation. JSON mode
    without a schema becomes a sentence in the system prompt. So does a schema or a forced tool call that the model does not
    support: there is no other way to ask for it.
    """
    _refuse_members_without_equal(chat)
    traits = traits_of(model)
    asked = reasoning_effort.thinking_options(chat)
    system, messages = turns_of(list_at(chat.get("messages"), "messages"))
    config: Object = {}
    if (sentence := _add_format(chat, config, traits)) is not None:
        system.append({"type": "text", "text": sentence})
    max_tokens = _max_tokens(chat, traits, asked)
    request: Object = {"model": model, "max_tokens": max_tokens, "messages": messages}
    if (sentence := add_tools(chat, request, strict=traits.schemas, forced=traits.forced_calls)) is not None:
        system.append({"type": "text", "text": sentence})
    if system:
        lone = len(system) == 1 and len(system[0]) == 2  # a text without a cache mark
        request["system"] = system[0]["text"] if lone else system
    if stream:
        request["stream"] = True
    if stop := _stop_sequences(chat.get("stop")):
        request["stop_sequences"] = stop
    if user := chat.get("safety_identifier") or chat.get("user"):
        request["metadata"] = {"user_id": text_at(user, "user")}
    if asked is not None:
        _add_thinking(asked, request, config)
    thinks = object_of(request.get("thinking")).get("type") in ("enabled", "adaptive")
    request.update(sampling_of(_sampling(chat), model, thinks=thinks))
    if config:
        request["output_config"] = config
    return request


def _refuse_members_without_equal(chat: Mapping[str, Any]) -> None:
    for name, value in chat.items():
        if name in _TRANSLATED or name in _HINTS or value is None or value in _NEUTRAL.get(name, ()):
            continue
        raise no_equal(name, "Anthropic's API has no equal")


def _add_thinking(asked: reasoning_effort.ThinkingOptions, request: Object, config: Object) -> None:
    """Set ``thinking`` and the effort, which depend on the model, the limit, the tool choice and the messages set before."""
    free = object_of(request.get("tool_choice")).get("type") not in ("any", "tool")
    signed = _may_think(request["messages"])
    thinking, effort = thinking_of(asked, request["model"], request["max_tokens"], free=free, signed=signed)
    if thinking is not None:
        request["thinking"] = thinking
    if effort is not None:
        config["effort"] = effort


def _add_format(chat: Mapping[str, Any], config: Object, traits: Traits) -> str | None:
    """Set the schema of the answer. Returns a sentence for the system prompt where the model cannot be given a schema."""
    match (form := object_at(chat.get("response_format") or {"type": "text"}, "response_format")).get("type"):
        case "text":
            return None
        case "json_object":
            return _JSON_ONLY
        case "json_schema":
            named = object_at(form.get("json_schema"), "response_format.json_schema")
            schema = object_at(named.get("schema"), "response_format.json_schema.schema")
            sayable = narrowed(schema) if traits.schemas else None
            if sayable is None:
                return _SCHEMA_ONLY + orjson.dumps(schema).decode()
            config["format"] = {"type": "json_schema", "schema": sayable}
            return None
        case _:
            raise wrong_type("response_format.type", "'text', 'json_object' or 'json_schema'")


def _max_tokens(chat: Mapping[str, Any], traits: Traits, asked: reasoning_effort.ThinkingOptions | None) -> int:
    max_tokens = chat.get("max_completion_tokens")
    if max_tokens is None:
        max_tokens = chat.get("max_tokens")
    if max_tokens is None:
        budget = (asked.budget or 0) if asked is not None and traits.thinks == "within a budget" else 0
        return max(traits.default_max_tokens, budget + _ROOM_TO_ANSWER)
    if not isinstance(max_tokens, int):
        raise wrong_type("max_completion_tokens", "an integer")
    return max_tokens


def _stop_sequences(stop: Any) -> list[Any]:
    """Without sequences of white space alone, which Anthropic refuses."""
    if not stop:
        return []
    sequences = [stop] if isinstance(stop, str) else list_at(stop, "stop")
    return [sequence for sequence in sequences if text_at(sequence, "stop").strip()]


def _sampling(chat: Mapping[str, Any]) -> Object:
    given = {name: chat[name] for name in _SAMPLING if chat.get(name) is not None}
    for name, value in given.items():
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise wrong_type(name, "a number")
    return given


def _may_think(messages: list[Object]) -> bool:
    """False between tool calls and their results where the calls were made without thinking, or the caller dropped the
    thinking. Older models refuse to think there."""
    if messages[-1]["role"] == "assistant":
        return False
    last = [object_of(block) for block in list_of(messages[-1]["content"])]
    if len(messages) < 2 or not any(block.get("type") == "tool_result" for block in last):
        return True
    calls = [object_of(block) for block in list_of(messages[-2]["content"])]
    return bool(calls) and calls[0].get("type") in ("thinking", "redacted_thinking")
