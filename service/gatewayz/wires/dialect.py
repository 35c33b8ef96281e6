"""The inner request: what a request may carry between a caller's wire and a provider's different wire.

It is a chat request as OpenAI documents it, plus the members of ``MEMBERS``. A caller's wire sets them. The chat wire removes
them with the functions below, since some chat providers refuse them. The other provider wires refuse unknown members by name,
so a member that is missing in this table reaches no provider by accident.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gatewayz.wires.json_values import Object, list_of, object_of, text_of


@dataclass(frozen=True, slots=True)
class Member:
    """A member that OpenAI's chat does not have, or that only some chat providers know."""

    name: str
    where: Literal["request", "assistant message", "tool message", "tool call"]
    type: str
    meaning: str
    set_by: str
    removed_by: str


MEMBERS: tuple[Member, ...] = (
    Member(
        "reasoning",
        "request",
        "object: effort, max_tokens, enabled, exclude (OpenRouter's); summary (OpenAI's)",
        "how much to think, and whether to show it",
        "anthropic_messages: to show thoughts (show_thoughts); a caller of another wire: any value",
        "openai_chat, where it only asks to show thoughts: chat providers that show thoughts show them unasked",
    ),
    Member(
        "thinking",
        "request",
        "object: type, budget_tokens, display (Anthropic's)",
        "how much to think",
        "anthropic_messages: not to think (forbid_thinking); a caller of another wire: any value",
        "openai_chat, where it forbids thinking: no member for that is accepted by every chat provider",
    ),
    Member(
        "reasoning_content",
        "assistant message",
        "string",
        "an earlier turn's thoughts, as shown",
        "anthropic_messages, openai_responses: unsigned thoughts",
        "openai_chat, unless the provider wants them back (``reasoning_back``); the others do not read it",
    ),
    Member(
        "reasoning_details",
        "assistant message",
        "list of objects, in OpenRouter's form (openai_chat/reasoning_details.py)",
        "signed or encrypted thoughts of an earlier turn",
        "anthropic_messages, openai_responses",
        "openai_chat, unless the provider wants it back; the other wires read their own entries",
    ),
    Member(
        "extra_content",
        "tool call",
        'object: {"google": {"thought_signature": string}}',
        "Gemini's signature of a call, or of the content before it",
        "openai_responses",
        "openai_chat, unless the provider wants it back; of the other wires only Gemini reads it",
    ),
    Member(
        "is_error",
        "tool message",
        "true",
        "the tool failed",
        "anthropic_messages",
        "openai_chat, which has only the tool's text; openai_responses does not read it",
    ),
)

ReasoningBack = Literal["content", "details"]
"""How a provider takes an earlier turn's reasoning back: as plain text, or with signatures and encrypted content."""

_SHOW: Object = {"summary": "auto"}
_FORBID: Object = {"type": "disabled"}
_SEALED = ("reasoning_details", "extra_content")
_OF_REASONING = (*_SEALED, "reasoning_content")


def show_thoughts(request: Object) -> None:
    """Ask to see the thoughts. Chat providers show them unasked; OpenAI's Responses API shows them only on request."""
    request["reasoning"] = _SHOW


def forbid_thinking(request: Object) -> None:
    """Ask the model not to think; each provider's wire has its own setting for that."""
    request["thinking"] = _FORBID


def remove_settings(request: Object) -> None:
    """Remove what the two functions above set, for chat providers."""
    if request.get("reasoning") == _SHOW:
        del request["reasoning"]
    if request.get("thinking") == _FORBID:
        del request["thinking"]


def tool_failed(message: Mapping[str, Any]) -> bool:
    return bool(message.get("is_error"))


def thought_of(message: Mapping[str, Any]) -> str:
    """An earlier turn's thoughts as text, whichever model thought them. It serves models that require thoughts."""
    if text := text_of(message.get("reasoning_content")):
        return text
    details = map(object_of, list_of(message.get("reasoning_details")))
    return "".join([text_of(detail.get("text")) for detail in details if detail.get("type") == "reasoning.text"])


def message_for_chat(message: Object, back: ReasoningBack | None) -> Object:
    """A message in the form that a chat provider accepts: with its reasoning in the form ``back``, or without."""
    if tool_failed(message):
        return {name: value for name, value in message.items() if name != "is_error"}
    if message.get("role") != "assistant" or (back == "details" and "reasoning_details" in message):
        return message
    plain = {name: value for name, value in message.items() if name not in _OF_REASONING}
    if back == "details":
        plain |= {name: message[name] for name in _SEALED if name in message}
        if text := text_of(message.get("reasoning_content")):
            plain["reasoning"] = text
        return plain
    if back == "content" and (text := thought_of(message)):
        plain["reasoning_content"] = text
    if calls := list_of(plain.get("tool_calls")):
        plain["tool_calls"] = [{k: v for k, v in object_of(call).items() if k not in _SEALED} for call in calls]
    return plain
