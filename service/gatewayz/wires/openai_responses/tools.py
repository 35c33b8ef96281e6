"""The caller's tools of the Responses API as chat functions, and back.

Chat has one list of functions. A custom tool, which takes text, becomes a function with one string parameter. A tool in a
namespace gets the namespace into its name. Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gatewayz.wires.json_values import (
    Object,
    copied,
    list_at,
    list_in,
    list_of,
    no_equal,
    object_at,
    object_in,
    object_of,
    shown,
    text_at,
    text_in,
    text_of,
    wrong_type,
)
from gatewayz.wires.openai_chat.tool_names import chat_name, chat_parameters

_HOSTED = "it hosts no tools"
_OWN = ("function", "custom", "namespace")
_OFFERED_UNASKED = ("web_search", "image_generation", "tool_search")
"""Type prefixes of the hosted tools that coding agents send with every request, next to their own tools."""
_SWITCH_OFF: Mapping[str, str] = {"web_search": '; leave it out (in Codex: web_search = "disabled")'}
_INPUT = "The tool's whole input, as it is: plain text, not wrapped in anything else."


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool under the caller's name for it."""

    name: str
    namespace: str | None = None
    custom: bool = False


def tools_to_chat(request: Object) -> Object:
    """The ``tools`` and ``tool_choice`` members of the chat request.

    Raises InvalidRequest naming the member that has no equal in chat.
    """
    chat: Object = {}
    given = [object_at(tool, f"tools[{i}]") for i, tool in enumerate(list_at(request.get("tools", []), "tools"))]
    left_out = _left_out(given)
    tools: list[Object] = []
    for i, tool in enumerate(given):
        if i not in left_out:
            tools.extend(_tool(tool, f"tools[{i}]"))
    if tools:
        chat["tools"] = tools
        chat.update(copied(request, ("parallel_tool_calls",)))  # OpenAI's chat refuses it without tools
    if "tool_choice" in request and (tools or request["tool_choice"] != "auto"):
        chat["tool_choice"] = _tool_choice(request["tool_choice"])
    return chat


def kept_tools(tools: list[Object]) -> list[Object]:
    """The tools that are sent to the model."""
    left_out = _left_out(tools)
    return [tool for i, tool in enumerate(tools) if i not in left_out]


def call_name(item: Object, path: str) -> str:
    """The name of a call's tool in chat."""
    name = text_in(item, "name", path)
    return _named(name, text_of(item.get("namespace")))


def wrapped_input(text: Any) -> str:
    """A custom tool's input as the arguments of its function."""
    return orjson.dumps({"input": text_of(text)}).decode()


def unwrapped_input(arguments: str) -> str:
    """The input in the arguments of a custom tool's function; the arguments unchanged where the model gave something else."""
    try:
        text = object_of(orjson.loads(arguments)).get("input")
    except orjson.JSONDecodeError:
        return arguments
    return text if isinstance(text, str) else arguments


def renamed_tools(raw: bytes | None) -> dict[str, Tool]:
    """The tools in a request's ``tools`` that are not plain functions with a plain name, by their names in chat."""
    renamed: dict[str, Tool] = {}
    for tool in map(object_of, list_of(orjson.loads(raw or b"[]"))):
        namespace = text_of(tool.get("name")) if tool.get("type") == "namespace" else ""
        for member in map(object_of, list_of(tool.get("tools"))) if namespace else (tool,):
            name, custom = text_of(member.get("name")), member.get("type") == "custom"
            if (named := _named(name, namespace)) != name or custom:
                renamed[named] = Tool(name, namespace or None, custom)
    return renamed


def _named(name: str, namespace: str) -> str:
    return chat_name(f"{namespace}__{name}" if namespace else name)


def _left_out(tools: list[Object]) -> set[int]:
    """Indexes of the hosted tools that may be left out: agents send them unasked, next to tools of the caller's own."""
    if not any(tool.get("type") in _OWN for tool in tools):
        return set()
    return {i for i, tool in enumerate(tools) if text_of(tool.get("type")).startswith(_OFFERED_UNASKED)}


def _tool(tool: Object, path: str, namespace: str = "") -> list[Object]:
    kind = tool.get("type")
    match kind:
        case "function" | "custom":
            name = text_in(tool, "name", path)
            if tool.get("allowed_callers") and "direct" not in list_in(tool, "allowed_callers", path):
                raise no_equal(f"{path}.allowed_callers", "only the model itself calls tools")
            # ``defer_loading`` needs no equal: without a tool search, all tools are sent from the start.
            function: Object = {"name": _named(name, namespace)}
            if tool.get("description") is not None:
                function["description"] = tool["description"]
            if kind == "custom":
                function["parameters"] = _text_input(tool, path)
            else:
                if tool.get("parameters") is not None:
                    function["parameters"] = chat_parameters(object_in(tool, "parameters", path))
                if tool.get("strict") is not None:
                    function["strict"] = tool["strict"]
            return [{"type": "function", "function": function}]
        case "namespace" if not namespace:
            space = text_in(tool, "name", path)
            return [
                function
                for i, member in enumerate(list_in(tool, "tools", path))
                for function in _tool(object_at(member, f"{path}.tools[{i}]"), f"{path}.tools[{i}]", space)
            ]
        case str() as other:
            how = next((how for begin, how in _SWITCH_OFF.items() if other.startswith(begin)), "")
            raise no_equal(f"{path}.type", f"{_HOSTED}, {shown(other)} included{how}")
        case _:
            raise wrong_type(f"{path}.type", "a string")


def _text_input(tool: Object, path: str) -> Object:
    """The schema of a custom tool. Its grammar goes into the description, for it cannot be enforced."""
    description = _INPUT
    form = object_at(tool.get("format") or {}, f"{path}.format")
    if form.get("type") == "grammar":
        syntax = text_at(form.get("syntax"), f"{path}.format.syntax")
        definition = text_at(form.get("definition"), f"{path}.format.definition")
        description = f"{description} It has to match this grammar ({syntax}):\n{definition}"
    properties = {"input": {"type": "string", "description": description}}
    return {"type": "object", "properties": properties, "required": ["input"], "additionalProperties": False}


def _tool_choice(choice: Any) -> Any:
    if isinstance(choice, str):
        return choice
    chosen = object_at(choice, "tool_choice")
    match chosen.get("type"):
        case "function" | "custom":
            return _reference(chosen, "tool_choice")
        case "allowed_tools":
            allowed = list_at(chosen.get("tools"), "tool_choice.tools")
            given = [object_at(tool, f"tool_choice.tools[{i}]") for i, tool in enumerate(allowed)]
            left_out = _left_out(given)
            tools = [_reference(tool, f"tool_choice.tools[{i}]") for i, tool in enumerate(given) if i not in left_out]
            return {"type": "allowed_tools", "allowed_tools": {"mode": chosen.get("mode", "auto"), "tools": tools}}
        case _:
            raise no_equal("tool_choice", _HOSTED)


def _reference(reference: Object, path: str) -> Object:
    if reference.get("type") not in ("function", "custom"):
        raise no_equal(f"{path}.type", _HOSTED)
    return {"type": "function", "function": {"name": call_name(reference, path)}}
