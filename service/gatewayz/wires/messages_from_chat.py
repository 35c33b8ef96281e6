"""A chat request as a request on Anthropic's wire.

Not carried over, because it changes nothing in the answer: where it is stored and cached, how fast it comes, the names of
participants, how finely an image is looked at. What would change the answer and has no equal is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from gatewayz.errors import InvalidRequest
from gatewayz.wires.json_values import (
    Object,
    list_at,
    list_of,
    no_equal,
    object_at,
    object_of,
    present,
    shown,
    text_at,
    wrong_type,
)
from gatewayz.wires.messages_model import default_max_tokens, thinking_of
from gatewayz.wires.messages_schema import closed
from gatewayz.wires.messages_thinking import block_of

_SAME = ("top_p", "top_k")
# fmt: off
_TRANSLATED = frozenset((
    *_SAME, "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "stop", "stream", "user",
    "safety_identifier", "tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort",
))
_HINTS = frozenset((
    "stream_options", "store", "metadata", "service_tier", "prediction", "prompt_cache_key", "prompt_cache_retention",
    "prompt_cache_options",
))
# fmt: on
# Members with no equal, and the values with which they say nothing.
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
_NO_INPUT: Object = {"type": "object", "properties": {}}
_TOOL_CHOICES = {"auto": "auto", "required": "any", "none": "none"}


def chat_to_messages(chat: Mapping[str, Any], model: str, *, stream: bool) -> Object:
    """The Messages request. Raises InvalidRequest naming the member that has no equal there, or is not what it should be.

    ``max_tokens``, which Anthropic requires, is the model's customary most where the caller set none. JSON mode without a
    schema becomes a sentence of the system prompt: there is no other way to ask for it.
    """
    for name, value in chat.items():
        if name in _TRANSLATED or name in _HINTS or value is None or value in _NEUTRAL.get(name, ()):
            continue
        raise no_equal(name, "Anthropic's API has no equal")
    system, messages = _turns(list_at(chat.get("messages"), "messages"))
    config: Object = {}
    match (form := object_at(chat.get("response_format") or {"type": "text"}, "response_format")).get("type"):
        case "text":
            pass
        case "json_object":
            system.append({"type": "text", "text": _JSON_ONLY})
        case "json_schema":
            named = object_at(form.get("json_schema"), "response_format.json_schema")
            schema = object_at(named.get("schema"), "response_format.json_schema.schema")
            config["format"] = {"type": "json_schema", "schema": closed(schema)}
        case _:
            raise wrong_type("response_format.type", "'text', 'json_object' or 'json_schema'")
    max_tokens = chat.get("max_completion_tokens")
    if max_tokens is None:
        max_tokens = chat.get("max_tokens")
    if max_tokens is None:
        max_tokens = default_max_tokens(model)
    if not isinstance(max_tokens, int):
        raise wrong_type("max_completion_tokens", "an integer")
    request: Object = {"model": model, "max_tokens": max_tokens, "messages": messages}
    if system:
        lone = len(system) == 1 and len(system[0]) == 2  # a text and nothing else, no mark for the cache
        request["system"] = system[0]["text"] if lone else system
    if stream:
        request["stream"] = True
    request.update({name: chat[name] for name in _SAME if chat.get(name) is not None})
    if (temperature := chat.get("temperature")) is not None:
        if not isinstance(temperature, int | float):
            raise wrong_type("temperature", "a number")
        if temperature > 1:
            raise no_equal("temperature", "Anthropic's models take at most 1")
        request["temperature"] = temperature
    if stop := chat.get("stop"):
        request["stop_sequences"] = [stop] if isinstance(stop, str) else list_at(stop, "stop")
    if user := chat.get("safety_identifier") or chat.get("user"):
        request["metadata"] = {"user_id": text_at(user, "user")}
    _add_tools(chat, request)
    if (effort := chat.get("reasoning_effort")) is not None:
        # Nobody thinks who must call a tool: Anthropic refuses the two together.
        free = object_of(request.get("tool_choice")).get("type") not in ("any", "tool")
        thinking, word = thinking_of(
            text_at(effort, "reasoning_effort"), model, max_tokens, free=free, signed=_may_think(messages)
        )
        if thinking is not None:
            request["thinking"] = thinking
        if word is not None:
            config["effort"] = word
    if config:
        request["output_config"] = config
    return request


def _turns(chat_messages: list[Any]) -> tuple[list[Object], list[Object]]:
    """The system prompt, gathered from wherever it stands, and the turns: of two in a row by the same speaker, one is made,
    so that all results of parallel tool calls stand together."""
    system: list[Object] = []
    turns: list[Object] = []
    for index, value in enumerate(chat_messages):
        path = f"messages[{index}]"
        message = object_at(value, path)
        content = message.get("content")
        match role := message.get("role"):
            case "system" | "developer":
                system.extend(_parts(content, f"{path}.content", texts_only=True))
                continue
            case "user":
                blocks = _parts(content, f"{path}.content")
            case "assistant":
                blocks = _assistant_blocks(message, path)
            case "tool":
                blocks = [_tool_result(message, path)]
            case _:
                raise no_equal(f"{path}.role", f"{role!r:.40} is no role there")
        speaker = "assistant" if role == "assistant" else "user"
        if turns and turns[-1]["role"] == speaker:
            turns[-1]["content"].extend(blocks)
        elif blocks:
            turns.append({"role": speaker, "content": blocks})
    _trim_prefill(turns)
    for turn in turns:
        blocks = turn["content"]
        if len(blocks) == 1 and len(blocks[0]) == 2 and blocks[0]["type"] == "text":
            turn["content"] = blocks[0]["text"]
    return system, turns


def _trim_prefill(turns: list[Object]) -> None:
    """The beginning of the answer, if the last turn is that, without white space at its end: Anthropic refuses it so."""
    if turns and turns[-1]["role"] == "assistant" and (block := turns[-1]["content"][-1])["type"] == "text":
        block["text"] = block["text"].rstrip()
        if not block["text"]:
            turns[-1]["content"].pop()
        if not turns[-1]["content"]:
            turns.pop()
    if not turns:
        raise InvalidRequest(
            "Invalid value for 'messages': nothing is said in them.", code="invalid_value", param="messages"
        )


def _assistant_blocks(message: Object, path: str) -> list[Object]:
    """An earlier answer: its signed thinking, its text, its tool calls, in the order in which they were given."""
    blocks: list[Object] = []
    for detail in list_at(message.get("reasoning_details") or [], f"{path}.reasoning_details"):
        blocks.extend(block_of(object_of(detail)))
    if message.get("content") is not None:
        blocks.extend(_parts(message["content"], f"{path}.content", texts_only=True))
    if message.get("function_call") is not None:
        raise no_equal(f"{path}.function_call", "tool_calls have taken its place")
    for index, value in enumerate(list_at(message.get("tool_calls") or [], f"{path}.tool_calls")):
        at = f"{path}.tool_calls[{index}]"
        call = object_at(value, at)
        if call.get("type", "function") != "function":
            raise no_equal(f"{at}.type", "only functions are")
        function = object_at(call.get("function"), f"{at}.function")
        blocks.append(
            {
                "type": "tool_use",
                "id": text_at(call.get("id"), f"{at}.id"),
                "name": text_at(function.get("name"), f"{at}.function.name"),
                "input": _input(function.get("arguments"), f"{at}.function.arguments"),
            }
        )
    return blocks


def _input(arguments: Any, path: str) -> Object:
    """A call's arguments, which a chat holds as text and Anthropic as an object."""
    text = text_at(arguments, path)
    if not text.strip():
        return {}
    try:
        return object_at(orjson.loads(text), path)
    except orjson.JSONDecodeError:
        raise wrong_type(path, "a JSON object, as text") from None


def _tool_result(message: Object, path: str) -> Object:
    content = message.get("content")
    shown = content if isinstance(content, str) else _parts(content, f"{path}.content")
    call_id = text_at(message.get("tool_call_id"), f"{path}.tool_call_id")
    return _marked({"type": "tool_result", "tool_use_id": call_id, "content": shown}, message)


def _parts(content: Any, path: str, *, texts_only: bool = False) -> list[Object]:
    """What a message says, in blocks; an empty text is none, for Anthropic refuses it."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    blocks: list[Object] = []
    for index, value in enumerate(list_at(content, path)):
        at = f"{path}[{index}]"
        part = object_at(value, at)
        match kind := part.get("type"):
            case "text" | "refusal":
                text = text_at(part.get(kind), f"{at}.{kind}")
                if text:
                    blocks.append(_marked({"type": "text", "text": text}, part))
            case "image_url" if not texts_only:
                url = text_at(object_at(part.get("image_url"), f"{at}.image_url").get("url"), f"{at}.image_url.url")
                blocks.append(_marked({"type": "image", "source": _source(url, f"{at}.image_url.url")}, part))
            case "file" if not texts_only:
                file = object_at(part.get("file"), f"{at}.file")
                if file.get("file_data") is None:
                    raise no_equal(f"{at}.file", "a file by its id is in another's keeping; send its data")
                source = _source(text_at(file["file_data"], f"{at}.file.file_data"), f"{at}.file.file_data")
                block = present({"type": "document", "source": source, "title": file.get("filename")})
                blocks.append(_marked(block, part))
            case _:
                raise no_equal(f"{at}.type", f"a part of type {shown(kind)} has no equal here")
    return blocks


def _marked(block: Object, part: Object) -> Object:
    """With the mark for Anthropic's prompt cache, which callers put on parts of chat messages too."""
    return block if part.get("cache_control") is None else {**block, "cache_control": part["cache_control"]}


def _source(url: str, path: str) -> Object:
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    media_type, found, data = url[5:].partition(";base64,")
    if not found or not media_type:
        raise wrong_type(path, "an address, or data:<media type>;base64,<data>")
    return {"type": "base64", "media_type": media_type, "data": data}


def _add_tools(chat: Mapping[str, Any], request: Object) -> None:
    tools: list[Object] = []
    for index, value in enumerate(list_at(chat.get("tools") or [], "tools")):
        at = f"tools[{index}]"
        tool = object_at(value, at)
        if tool.get("type") != "function":
            raise no_equal(f"{at}.type", "only functions are")
        function = object_at(tool.get("function"), f"{at}.function")
        schema = object_at(function.get("parameters") or _NO_INPUT, f"{at}.function.parameters")
        definition: Object = {"name": text_at(function.get("name"), f"{at}.function.name")}
        if function.get("description"):
            definition["description"] = function["description"]
        definition["input_schema"] = schema if "type" in schema else {"type": "object", **schema}
        if function.get("strict"):
            definition["strict"] = True
        tools.append(_marked(definition, tool))
    choice = chat.get("tool_choice")
    chosen: Object | None = None
    if isinstance(choice, str):
        if choice not in _TOOL_CHOICES:
            raise wrong_type("tool_choice", "'none', 'auto', 'required' or a function")
        chosen = {"type": _TOOL_CHOICES[choice]}
    elif choice is not None:
        named = object_at(choice, "tool_choice")
        if named.get("type") != "function":
            raise no_equal("tool_choice.type", "only a function can be chosen")
        function = object_at(named.get("function"), "tool_choice.function")
        chosen = {"type": "tool", "name": text_at(function.get("name"), "tool_choice.function.name")}
    if not tools:
        if chosen is not None and chosen["type"] in ("any", "tool"):
            raise wrong_type("tool_choice", "'none' or 'auto' where no tools are given")
        return
    if chat.get("parallel_tool_calls") is False:
        chosen = chosen or {"type": "auto"}
        if chosen["type"] != "none":
            chosen["disable_parallel_tool_use"] = True
    request["tools"] = tools
    if chosen is not None:
        request["tool_choice"] = chosen


def _may_think(messages: list[Object]) -> bool:
    """False in the midst of tool calls that were made without thinking, or whose thinking the caller has not kept: there the
    older models refuse to think."""
    if messages[-1]["role"] == "assistant":
        return False
    last = [object_of(block) for block in list_of(messages[-1]["content"])]
    if len(messages) < 2 or not any(block.get("type") == "tool_result" for block in last):
        return True
    calls = [object_of(block) for block in list_of(messages[-2]["content"])]
    return bool(calls) and calls[0].get("type") in ("thinking", "redacted_thinking")
