"""A chat request's tools, and the choice among them, as Anthropic's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatewayz.wires.anthropic_messages.json_schema import narrowed
from gatewayz.wires.json_values import Object, list_at, list_in, no_equal, object_at, object_in, text_at, wrong_type

_NO_INPUT: Object = {"type": "object", "properties": {}}
_CHOICES = {"auto": "auto", "required": "any", "any": "any", "none": "none"}  # "any" is Mistral's value


def add_tools(chat: Mapping[str, Any], request: Object, *, strict: bool, forced: bool) -> str | None:
    """Set ``tools`` and ``tool_choice``. ``strict``: the model supports schemas for its calls. ``forced``: the model supports
    forced calls.

    Returns a sentence for the system prompt where a call is forced and the model does not support that.
    """
    tools = [_tool(value, f"tools[{i}]", strict) for i, value in enumerate(list_at(chat.get("tools") or [], "tools"))]
    chosen, names = _choice(chat.get("tool_choice"))
    if not tools:
        if chosen is not None and chosen["type"] in ("any", "tool"):
            raise wrong_type("tool_choice", "'none' or 'auto' where no tools are given")
        return None
    if names is not None:  # Anthropic has no list of allowed tools: the others are not sent
        tools = [tool for tool in tools if tool["name"] in names]
        if not tools:
            raise wrong_type("tool_choice.allowed_tools.tools", "names of tools that are given")
    sentence: str | None = None
    if chosen is not None and chosen["type"] in ("any", "tool") and not forced:
        name = chosen.get("name")
        sentence = f"Answer by calling the tool {name}." if name else "Answer by calling at least one of the tools."
        chosen = {"type": "auto"}
    if chat.get("parallel_tool_calls") is False:
        one_by_one: Object = chosen or {"type": "auto"}
        chosen = one_by_one if one_by_one["type"] == "none" else {**one_by_one, "disable_parallel_tool_use": True}
    request["tools"] = tools
    if chosen is not None:
        request["tool_choice"] = chosen
    return sentence


def marked(block: Object, part: Object) -> Object:
    """With the mark for Anthropic's prompt cache. Callers put it on parts of chat messages and on tools."""
    return block if part.get("cache_control") is None else {**block, "cache_control": part["cache_control"]}


def _tool(value: Any, path: str, strict: bool) -> Object:
    tool = object_at(value, path)
    if tool.get("type", "function") != "function":
        raise no_equal(f"{path}.type", "only functions are")
    function = object_in(tool, "function", path)
    schema = object_at(function.get("parameters") or _NO_INPUT, f"{path}.function.parameters")
    definition: Object = {"name": text_at(function.get("name"), f"{path}.function.name")}
    if function.get("description"):
        definition["description"] = function["description"]
    schema = schema if "type" in schema else {"type": "object", **schema}
    sayable = narrowed(schema) if strict and function.get("strict") else None
    definition["input_schema"] = schema if sayable is None else sayable
    if sayable is not None:
        definition["strict"] = True
    return marked(definition, tool)


def _choice(choice: Any) -> tuple[Object | None, set[str] | None]:
    """The choice, and the names of the allowed tools where they are restricted."""
    if choice is None:
        return None, None
    if isinstance(choice, str):
        if choice not in _CHOICES:
            raise wrong_type("tool_choice", "'none', 'auto', 'required' or a function")
        return {"type": _CHOICES[choice]}, None
    named = object_at(choice, "tool_choice")
    match named.get("type", "function"):
        case "function":
            return {"type": "tool", "name": _name(named, "tool_choice")}, None
        case "allowed_tools":
            path = "tool_choice.allowed_tools"
            allowed = object_at(named.get("allowed_tools"), path)
            mode = allowed.get("mode", "auto")
            if mode not in ("auto", "required"):
                raise wrong_type(f"{path}.mode", "'auto' or 'required'")
            tools = list_in(allowed, "tools", path)
            names = {_name(object_at(t, f"{path}.tools[{i}]"), f"{path}.tools[{i}]") for i, t in enumerate(tools)}
            return {"type": _CHOICES[mode]}, names
        case _:
            raise no_equal("tool_choice.type", "only functions can be chosen")


def _name(reference: Object, path: str) -> str:
    return text_at(object_in(reference, "function", path).get("name"), f"{path}.function.name")
