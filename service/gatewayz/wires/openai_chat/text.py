"""What a chat message or delta says, in the ways in which providers of chat say it. Pure: no I/O, no clock."""

from __future__ import annotations

from typing import Any

from gatewayz.wires.json_values import Object, list_of, object_of, text_of

SHOW_REASONING: Object = {"summary": "auto"}
"""The ``reasoning`` of a chat request whose caller, on another wire, asked to see thoughts: OpenAI shows them to nobody else."""

DO_NOT_THINK: Object = {"type": "disabled"}
"""The ``thinking`` of a chat request whose caller, on another wire, wants none: each provider's wire knows how to say it."""


def text_said(message: Object) -> str:
    """The text: a string, or (Mistral's reasoning models) a list of parts of which the ``text`` ones are it."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join(
        [text_of(part.get("text")) for part in map(object_of, list_of(content)) if part.get("type") == "text"]
    )


def reasoning_said(message: Object) -> str:
    """The reasoning, as far as it is shown: ``reasoning_content`` (DeepSeek, Moonshot, xAI, vLLM), ``reasoning`` (OpenRouter,
    Groq, Cerebras), or the ``thinking`` parts of the content (Mistral)."""
    for name in ("reasoning_content", "reasoning"):
        if said := text_of(message.get(name)):
            return said
    content: Any = message.get("content")
    thoughts = [part for part in map(object_of, list_of(content)) if part.get("type") == "thinking"]
    return "".join([text_said({"content": thought.get("thinking")}) for thought in thoughts])


def calls_said(message: Object) -> list[Object]:
    """The calls of tools, or the one of a function in the deprecated ``function_call`` that some providers still send."""
    calls = [object_of(call) for call in list_of(message.get("tool_calls"))]
    if not calls and (function := object_of(message.get("function_call"))):
        return [{"index": 0, "type": "function", "function": function}]
    return calls
