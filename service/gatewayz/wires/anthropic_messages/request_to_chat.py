"""A request on Anthropic's wire as a chat request.

Left out, because they do not change the answer: prompt-cache marks, context management, examples of tool input, and unsigned
thinking of earlier turns. A member that would change the answer and has no equal is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson

from gatewayz.errors import InvalidRequest
from gatewayz.wires.anthropic_messages.errors import NO_THREADS
from gatewayz.wires.anthropic_messages.json_schema import is_strict
from gatewayz.wires.anthropic_messages.server_tools import is_server_tool, server_tool_text
from gatewayz.wires.anthropic_messages.thinking_blocks import details_of
from gatewayz.wires.dialect import forbid_thinking, show_thoughts
from gatewayz.wires.json_values import (
    Object,
    list_at,
    no_equal,
    object_at,
    object_in,
    present,
    text_at,
    text_in,
    text_of,
    wrong_type,
)
from gatewayz.wires.openai_chat.messages import joined, one_beginning
from gatewayz.wires.openai_chat.tool_names import chat_name, chat_parameters

_SAME = ("temperature", "top_p", "top_k")
# fmt: off
_TRANSLATED = frozenset((
    *_SAME, "model", "messages", "max_tokens", "system", "stop_sequences", "metadata", "stream", "tools", "tool_choice",
    "thinking", "output_config", "output_format",
))
# fmt: on
_HINTS = frozenset(("cache_control", "context_management", "diagnostics", "service_tier", "betas"))
_NEUTRAL: Mapping[str, Any] = {"speed": "standard", "mcp_servers": []}

# Budgets that Anthropic's guides recommend for light, ordinary and hard work.
_EFFORT_BY_BUDGET = ((4_096, "low"), (16_384, "medium"))

_USER_CHARACTERS = 64
_TOOL_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def messages_request_to_chat(request: Mapping[str, Any]) -> Object:
    """The chat request. Raises InvalidRequest naming the member that has no equal there or has the wrong type."""
    for name, value in request.items():
        if name in _TRANSLATED or name in _HINTS or value is None or _NEUTRAL.get(name) == value:
            continue
        if name == "thread":
            raise InvalidRequest(
                "'thread' cannot be sent to this model's provider: nobody there holds a conversation. "
                "Send the whole of it as 'messages', without 'thread'.",
                code=NO_THREADS,
                param=name,
            )
        raise no_equal(name, "it has no equal outside Anthropic's API")
    messages: list[Object] = []
    if request.get("system") is not None:
        messages.append({"role": "system", "content": _text_content(request["system"], "system")})
    for index, message in enumerate(list_at(request.get("messages"), "messages")):
        messages.extend(_message(message, f"messages[{index}]"))
    if messages and messages[-1]["role"] == "assistant":
        # A chat model would start a new answer instead of continuing this one.
        raise no_equal(
            f"messages[{len(list_at(request['messages'], 'messages')) - 1}]",
            "a beginning of the answer is continued by Anthropic's models only",
        )
    chat: Object = {"model": request.get("model"), "messages": one_beginning(messages)}
    chat.update({name: request[name] for name in _SAME if request.get(name) is not None})
    if request.get("max_tokens") is not None:
        if request["max_tokens"] == 0:
            raise no_equal("max_tokens", "an answer of no tokens, which fills a cache, is Anthropic's own")
        chat["max_completion_tokens"] = request["max_tokens"]
    if request.get("stop_sequences"):
        chat["stop"] = list_at(request["stop_sequences"], "stop_sequences")
    if request.get("stream"):
        chat["stream"] = True
    if (metadata := request.get("metadata")) is not None and (user := object_at(metadata, "metadata").get("user_id")):
        chat["user"] = _user(text_at(user, "metadata.user_id"))
    _add_tools(request, chat)
    _add_output(request, chat)
    return chat


def _user(user_id: str) -> str:
    """The user id in at most 64 characters, OpenAI's limit. A longer one, such as Claude Code's, is replaced by its
    digest."""
    return user_id if len(user_id) <= _USER_CHARACTERS else sha256(user_id.encode(errors="surrogatepass")).hexdigest()


def _message(message: Any, path: str) -> list[Object]:
    """One turn. Each tool result of a user's turn becomes a message of its own, ahead of the other content."""
    turn = object_at(message, path)
    content = turn.get("content")
    match turn.get("role"):
        case "system":
            return [{"role": "system", "content": _text_content(content, f"{path}.content")}]
        case "user":
            if isinstance(content, str):
                return [{"role": "user", "content": content}]
            return _user_turn(list_at(content, f"{path}.content"), f"{path}.content")
        case "assistant":
            if isinstance(content, str):
                return [{"role": "assistant", "content": content}]
            return _assistant_turn(list_at(content, f"{path}.content"), f"{path}.content")
        case _:
            raise wrong_type(f"{path}.role", "'user' or 'assistant'")


def _user_turn(blocks: list[Any], path: str) -> list[Object]:
    results: list[Object] = []
    parts: list[Object] = []
    for index, value in enumerate(blocks):
        at = f"{path}[{index}]"
        block = object_at(value, at)
        if block.get("type") == "tool_result":
            text, others = _tool_result(block.get("content"), f"{at}.content")
            call_id = text_in(block, "tool_use_id", at)
            failed = {"is_error": True} if block.get("is_error") is True else {}
            results.append({"role": "tool", "tool_call_id": call_id, "content": text, **failed})
            parts.extend(others)
        else:
            parts.append(_part(block, at))
    if parts:
        results.append({"role": "user", "content": joined(parts)})
    return results


def _tool_result(content: Any, path: str) -> tuple[str, list[Object]]:
    """The result's text, and what a tool message cannot hold: images and files, which then go into the user's turn."""
    if content is None or isinstance(content, str):
        return content or "", []
    texts: list[str] = []
    others: list[Object] = []
    for index, value in enumerate(list_at(content, path)):
        part = _part(object_at(value, f"{path}[{index}]"), f"{path}[{index}]")
        if part["type"] == "text":
            texts.append(part["text"])
        else:
            others.append(part)
    return "\n".join(texts), others


def _assistant_turn(blocks: list[Any], path: str) -> list[Object]:
    texts: list[str] = []
    calls: list[Object] = []
    details: list[Object] = []
    thoughts: list[str] = []
    for index, value in enumerate(blocks):
        at = f"{path}[{index}]"
        block = object_at(value, at)
        match block.get("type"):
            case "text":
                texts.append(text_in(block, "text", at))
            case "tool_use":
                arguments = orjson.dumps(object_at(block.get("input", {}), f"{at}.input")).decode()
                name = chat_name(text_in(block, "name", at))
                call_id = text_in(block, "id", at)
                function = {"name": name, "arguments": arguments}
                calls.append({"id": call_id, "type": "function", "function": function})
            case "thinking" | "redacted_thinking":
                details.extend(details_of(block))
                if not block.get("signature"):
                    thoughts.append(text_of(block.get("thinking")))
            case _ if is_server_tool(block):
                texts.append(server_tool_text(block))
            case other:
                raise no_equal(at, f"a block of type {_shown(other)} has no equal outside Anthropic's API")
    if not texts and not calls:
        return []
    message: Object = {"role": "assistant", "content": "".join(texts) if texts else None}
    if calls:
        message["tool_calls"] = calls
    if details:
        message["reasoning_details"] = details
    if thought := "".join(thoughts):
        message["reasoning_content"] = thought  # unsigned: only a few providers take it back, as plain text
    return [message]


def _part(block: Object, path: str) -> Object:
    """A block of content as a part of a chat message."""
    match block.get("type"):
        case "text":
            return {"type": "text", "text": text_in(block, "text", path)}
        case "image":
            source = object_in(block, "source", path)
            match source.get("type"):
                case "base64":
                    url = _data_url(source, f"{path}.source")
                case "url":
                    url = text_at(source.get("url"), f"{path}.source.url")
                case other:
                    raise no_equal(f"{path}.source", f"an image of source {_shown(other)} is in Anthropic's keeping")
            return {"type": "image_url", "image_url": {"url": url}}
        case "document":
            source = object_in(block, "source", path)
            if source.get("type") == "text":
                return {"type": "text", "text": text_at(source.get("data"), f"{path}.source.data")}
            if source.get("type") != "base64":
                kind = _shown(source.get("type"))
                raise no_equal(f"{path}.source", f"a document of source {kind} has no equal in a chat")
            name = block.get("title") or "document.pdf"
            file = {"filename": text_at(name, f"{path}.title"), "file_data": _data_url(source, f"{path}.source")}
            return {"type": "file", "file": file}
        case other:
            raise no_equal(path, f"a block of type {_shown(other)} has no equal outside Anthropic's API")


def _data_url(source: Object, path: str) -> str:
    media_type = text_in(source, "media_type", path)
    return f"data:{media_type};base64,{text_at(source.get('data'), f'{path}.data')}"


def _text_content(content: Any, path: str) -> str | list[Object]:
    """Text, given as a string or in blocks."""
    if isinstance(content, str):
        return content
    parts: list[Object] = []
    for index, value in enumerate(list_at(content, path)):
        block = object_at(value, f"{path}[{index}]")
        if block.get("type") != "text":
            raise wrong_type(f"{path}[{index}].type", "'text'")
        parts.append(_part(block, f"{path}[{index}]"))
    return joined(parts)


def _add_tools(request: Mapping[str, Any], chat: Object) -> None:
    tools: list[Object] = []
    for index, value in enumerate(list_at(request.get("tools") or [], "tools")):
        tool = object_at(value, f"tools[{index}]")
        if tool.get("type") not in (None, "custom"):
            raise no_equal(f"tools[{index}].type", f"{_shown(tool['type'])} is a tool that Anthropic's servers run")
        function = {
            "name": chat_name(text_at(tool.get("name"), f"tools[{index}].name")),
            "description": tool.get("description"),
            "parameters": chat_parameters(object_at(tool.get("input_schema"), f"tools[{index}].input_schema")),
            "strict": tool.get("strict"),
        }
        tools.append({"type": "function", "function": present(function)})
    if tools:
        chat["tools"] = tools
    if (value := request.get("tool_choice")) is None:
        return
    choice = object_at(value, "tool_choice")
    kind = choice.get("type")
    if kind == "tool":
        chat["tool_choice"] = {
            "type": "function",
            "function": {"name": chat_name(text_at(choice.get("name"), "tool_choice.name"))},
        }
    elif isinstance(kind, str) and kind in _TOOL_CHOICES:
        chat["tool_choice"] = _TOOL_CHOICES[kind]
    else:
        raise wrong_type("tool_choice.type", "'auto', 'any', 'tool' or 'none'")
    if choice.get("disable_parallel_tool_use") and tools:
        chat["parallel_tool_calls"] = False


def _add_output(request: Mapping[str, Any], chat: Object) -> None:
    """How much to think, and the schema of the answer (``output_format`` is its name in beta)."""
    config = object_at(request.get("output_config") or {}, "output_config")
    for name, value in config.items():
        if name not in ("effort", "format") and value is not None:
            raise no_equal(f"output_config.{name}", "it has no equal outside Anthropic's API")
    thinking = object_at(request.get("thinking") or {}, "thinking")
    effort = config.get("effort")
    if thinking.get("type") == "enabled" and effort is None:
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int):
            raise wrong_type("thinking.budget_tokens", "an integer")
        effort = next((word for limit, word in _EFFORT_BY_BUDGET if budget <= limit), "high")
    if thinking.get("type") == "disabled":
        forbid_thinking(chat)
    if effort is not None:
        chat["reasoning_effort"] = text_at(effort, "output_config.effort")
        if thinking.get("type") in ("enabled", "adaptive"):
            show_thoughts(chat)
    wanted, path = config.get("format"), "output_config.format"
    if wanted is None:
        wanted, path = request.get("output_format"), "output_format"
    if wanted is None:
        return
    form = object_at(wanted, path)
    if form.get("type") != "json_schema":
        raise wrong_type(f"{path}.type", "'json_schema'")
    schema = object_in(form, "schema", path)
    # Strict only where OpenAI accepts the schema as strict; otherwise OpenAI would refuse the call.
    named = {"name": "answer", "schema": schema, "strict": is_strict(schema)}
    chat["response_format"] = {"type": "json_schema", "json_schema": named}


def _shown(kind: object) -> str:
    """A caller's type name, shortened for an error message."""
    if not isinstance(kind, str):
        raise InvalidRequest("A block of content has no type.", code="invalid_value")
    return f"'{kind[:64]}'"
