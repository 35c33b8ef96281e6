"""A chat request as a request of OpenAI's Responses API. Pure: no I/O, no clock."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Any

import orjson

from gatewayz.wires.json_values import (
    Object,
    copied,
    list_at,
    list_in,
    no_equal,
    object_at,
    object_in,
    present,
    shown,
    text_at,
    text_in,
    wrong_type,
)
from gatewayz.wires.openai_chat import reasoning_effort
from gatewayz.wires.openai_chat.reasoning_details import openai_items
from gatewayz.wires.openai_chat.tool_names import chat_parameters

_REFUSED: Mapping[str, str] = {
    "n": "the Responses API gives one answer",
    "stop": "the Responses API has no stop sequences",
    "frequency_penalty": "the Responses API has no penalties",
    "presence_penalty": "the Responses API has no penalties",
    "logit_bias": "the Responses API has no biases",
    "prediction": "the Responses API takes no prediction",
    "audio": "the Responses API answers in text",
    "modalities": "the Responses API answers in text",
    "functions": "use tools",
    "function_call": "use tool_choice",
    "web_search_options": "the Responses API searches by a hosted tool",
}
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "stop": ([],),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "functions": ([],),
}
"""Values of refused members that ask for nothing."""

_TRANSLATED = frozenset((*_REFUSED, "model", "messages", "max_tokens", "max_completion_tokens", "response_format", "verbosity",
                         *reasoning_effort.MEMBERS, "tools", "tool_choice", "logprobs", "top_logprobs", "stream",
                         "stream_options", "store", "seed"))  # fmt: skip
"""Chat's members that are translated below, refused or dropped; all others are copied."""

_TAKES_EFFORT_NONE = re.compile(r"gpt-(?:5\.[1-9]|[6-9])")
_MIN_OUTPUT_TOKENS = 16
"""OpenAI refuses a smaller limit here; chat does not. Clients that only probe a model ask for one token."""
_NO_PARAMETERS: Object = {"type": "object", "properties": {}}
_NO_STRICT_PARAMETERS: Object = {**_NO_PARAMETERS, "required": [], "additionalProperties": False}
_LOGPROBS = "message.output_text.logprobs"


def chat_request_to_responses(chat: Mapping[str, Any], model: str, *, stream: bool) -> Object:
    """The Responses request that asks for the same.

    Members that both APIs have, and members that neither knows, are copied unchanged. Raises InvalidRequest naming the member
    that has no equal in the Responses API.
    """
    chat = present(chat)
    _refuse_members_without_equal(chat)
    request: Object = {name: value for name, value in chat.items() if name not in _TRANSLATED}
    request["model"] = model
    request["input"] = _input(list_at(chat.get("messages"), "messages"))
    # The Responses API stores by default; chat does not.
    request["store"] = bool(chat.get("store", False))
    if stream:
        _add_stream(chat, request)
    limit = chat.get("max_completion_tokens", chat.get("max_tokens"))
    if limit is not None:
        request["max_output_tokens"] = max(limit, _MIN_OUTPUT_TOKENS) if isinstance(limit, int) else limit
    include: list[str] = []
    if (reasoning := _reasoning(chat, model)) is not None:
        if reasoning:
            request["reasoning"] = reasoning
        if reasoning.get("effort") != "none":
            include.append("reasoning.encrypted_content")  # nothing is stored, so the caller has to keep it
    if text := _text_settings(chat):
        request["text"] = text
    if tools := list_at(chat.get("tools", []), "tools"):
        request["tools"] = [_tool(object_at(tool, f"tools[{i}]"), f"tools[{i}]") for i, tool in enumerate(tools)]
    if "tool_choice" in chat:
        request["tool_choice"] = _tool_choice(chat["tool_choice"])
    if chat.get("logprobs"):
        include.append(_LOGPROBS)
        if chat.get("top_logprobs"):
            request["top_logprobs"] = chat["top_logprobs"]
    if include:
        request["include"] = include
    return request


def _refuse_members_without_equal(chat: Object) -> None:
    for name, reason in _REFUSED.items():
        if name in chat and chat[name] not in _NEUTRAL.get(name, ()):
            raise no_equal(name, reason)


def _add_stream(chat: Object, request: Object) -> None:
    request["stream"] = True
    options = copied(object_at(chat.get("stream_options", {}), "stream_options"), ("include_obfuscation",))
    if options:
        request["stream_options"] = options


def _reasoning(chat: Object, model: str) -> Object | None:
    """How much to think, and whether to show it; None where the request does not say."""
    made = copied(object_at(chat.get("reasoning", {}), "reasoning"), ("summary",))
    asked = reasoning_effort.thinking_options({name: chat.get(name) for name in ("reasoning", "thinking")})
    effort = chat.get("reasoning_effort")
    if asked is not None:
        if asked.shown and "summary" not in made:
            made["summary"] = "auto"
        # Effort "none" is an error to some models. It is sent to them only where the caller itself set it as an effort.
        word = asked.effort if effort is not None else asked.word  # a given effort counts before one made from a budget
        if word is not None and (word != "none" or _TAKES_EFFORT_NONE.search(model)):
            effort = word
    if effort is not None:
        made["effort"] = effort
    return made if made or (asked is not None and asked.effort != "none") else None


def _text_settings(chat: Object) -> Object:
    text: Object = copied(chat, ("verbosity",))
    form = object_at(chat.get("response_format", {}), "response_format")
    match form.get("type", "text"):
        case "text":
            pass
        case "json_object":
            text["format"] = {"type": "json_object"}
        case "json_schema":
            path = "response_format.json_schema"
            schema = object_at(form.get("json_schema"), path)
            text_in(schema, "name", path)
            text["format"] = {
                "type": "json_schema",
                **copied(schema, ("name", "description", "strict")),
                "schema": schema.get("schema") or {},
            }
        case other:
            raise no_equal("response_format.type", f"it knows no format {shown(other)}")
    return text


def _tool(tool: Object, path: str) -> Object:
    match tool.get("type", "function"):
        case "function":
            function = object_in(tool, "function", path)
            text_at(function.get("name"), f"{path}.function.name")
            # The Responses API is strict by default; chat is not.
            strict = bool(function.get("strict", False))
            parameters = _NO_STRICT_PARAMETERS if strict else _NO_PARAMETERS
            if function.get("parameters") is not None:
                parameters = chat_parameters(object_at(function["parameters"], f"{path}.function.parameters"))
            named = copied(function, ("name", "description"))
            return {"type": "function", **named, "parameters": parameters, "strict": strict}
        case "custom":
            custom = object_in(tool, "custom", path)
            text_at(custom.get("name"), f"{path}.custom.name")
            form = object_at(custom.get("format") or {}, f"{path}.custom.format")
            if form.get("type") == "grammar":
                form = {"type": "grammar", **object_at(form.get("grammar"), f"{path}.custom.format.grammar")}
            return {"type": "custom", **copied(custom, ("name", "description")), **({"format": form} if form else {})}
        case str() as other:
            raise no_equal(f"{path}.type", f"chat knows no tools of type {shown(other)}")
        case _:
            raise wrong_type(f"{path}.type", "a string")


def _tool_choice(choice: Any) -> Any:
    if isinstance(choice, str):
        return "required" if choice == "any" else choice  # Mistral's value
    chosen = object_at(choice, "tool_choice")
    match chosen.get("type", "function"):
        case "function" | "custom":
            return _tool_reference(chosen, "tool_choice")
        case "allowed_tools":
            path = "tool_choice.allowed_tools"
            allowed = object_at(chosen.get("allowed_tools"), path)
            tools = [
                _tool_reference(object_at(tool, f"{path}.tools[{i}]"), f"{path}.tools[{i}]")
                for i, tool in enumerate(list_in(allowed, "tools", path))
            ]
            return {"type": "allowed_tools", "mode": allowed.get("mode", "auto"), "tools": tools}
        case other:
            raise no_equal("tool_choice.type", f"it knows no choice {shown(other)}")


def _tool_reference(reference: Object, path: str) -> Object:
    kind = reference.get("type", "function")
    if kind not in ("function", "custom"):
        raise no_equal(f"{path}.type", f"it knows no tools of type {shown(kind)}")
    named = object_at(reference.get(kind), f"{path}.{kind}")
    return {"type": kind, "name": text_at(named.get("name"), f"{path}.{kind}.name")}


def _input(messages: list[Any]) -> list[Object]:
    # A participant's ``name`` has no place here; it is left out, as on every other wire.
    items: list[Object] = []
    custom_calls: set[str] = set()  # their results have a type of their own here, but not in chat
    for i, value in enumerate(messages):
        path = f"messages[{i}]"
        message = object_at(value, path)
        role = text_in(message, "role", path)
        match role:
            case "user" | "system" | "developer":
                items.append({"role": role, "content": _content(message.get("content"), f"{path}.content")})
            case "assistant":
                said = _assistant(message, path)
                custom_calls.update([item["call_id"] for item in said if item.get("type") == "custom_tool_call"])
                items.extend(said)
            case "tool":
                items.append(_tool_output(message, path, custom_calls))
            case _:
                raise no_equal(f"{path}.role", f"the Responses API has no role {shown(role)}")
    return items


def _tool_output(message: Object, path: str, custom_calls: Container[str]) -> Object:
    call_id = text_in(message, "tool_call_id", path)
    return {
        "type": "custom_tool_call_output" if call_id in custom_calls else "function_call_output",
        "call_id": call_id,
        "output": _content(message.get("content"), f"{path}.content"),
    }


def _assistant(message: Object, path: str) -> list[Object]:
    """The model's reasoning and message, then its tool calls."""
    if message.get("function_call"):
        raise no_equal(f"{path}.function_call", "use tool_calls")
    if message.get("audio"):
        raise no_equal(f"{path}.audio", "the Responses API keeps no audio")
    said: list[Object] = []
    content = message.get("content")
    if isinstance(content, str):
        if content:
            said.append({"type": "output_text", "text": content, "annotations": []})
    elif content is not None:
        for j, value in enumerate(list_at(content, f"{path}.content")):
            part = object_at(value, f"{path}.content[{j}]")
            match part.get("type"):
                case "text":
                    text = text_at(part.get("text"), f"{path}.content[{j}].text")
                    said.append({"type": "output_text", "text": text, "annotations": []})
                case "refusal":
                    refusal = text_at(part.get("refusal"), f"{path}.content[{j}].refusal")
                    said.append({"type": "refusal", "refusal": refusal})
                case other:
                    raise no_equal(f"{path}.content[{j}].type", f"an assistant's message cannot hold {shown(other)}")
    if message.get("refusal"):
        said.append({"type": "refusal", "refusal": text_at(message["refusal"], f"{path}.refusal")})
    items = openai_items(message.get("reasoning_details"))
    if said and all(part["type"] == "output_text" for part in said):
        # In this form a message needs no id, and there is none.
        items.append({"role": "assistant", "content": "".join([part["text"] for part in said])})
    elif said:
        items.append({"type": "message", "role": "assistant", "content": said})
    calls = list_at(message.get("tool_calls") or [], f"{path}.tool_calls")
    for j, call in enumerate(calls):
        items.append(_call(object_at(call, f"{path}.tool_calls[{j}]"), f"{path}.tool_calls[{j}]"))
    return items


def _call(call: Object, path: str) -> Object:
    call_id = text_in(call, "id", path)
    if call.get("type") == "custom":
        custom = object_in(call, "custom", path)
        name = text_at(custom.get("name"), f"{path}.custom.name")
        return {"type": "custom_tool_call", "call_id": call_id, "name": name, "input": custom.get("input") or ""}
    function = object_in(call, "function", path)
    name = text_at(function.get("name"), f"{path}.function.name")
    arguments = function.get("arguments") or ""
    if not isinstance(arguments, str):  # some clients send the object itself
        arguments = orjson.dumps(arguments).decode()
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def _content(content: Any, path: str) -> Any:
    if isinstance(content, str):
        return content
    return [_part(object_at(part, f"{path}[{i}]"), f"{path}[{i}]") for i, part in enumerate(list_at(content, path))]


def _part(part: Object, path: str) -> Object:
    match part.get("type"):
        case "text":
            return {"type": "input_text", "text": text_in(part, "text", path)}
        case "image_url":
            image = object_in(part, "image_url", path)
            url = text_at(image.get("url"), f"{path}.image_url.url")
            return {"type": "input_image", "image_url": url, "detail": image.get("detail") or "auto"}
        case "file":
            file = object_in(part, "file", path)
            return {"type": "input_file", **copied(file, ("file_data", "file_id", "filename"))}
        case other:
            raise no_equal(f"{path}.type", f"the Responses API has no part {shown(other)}")
