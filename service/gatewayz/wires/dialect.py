"""The inner request: what a request may carry on its way from a caller's wire to a provider's of another kind.

It is a chat request as OpenAI documents it, and beyond that the members of ``MEMBERS``. A caller's wire sets them, and the chat
wire, some of whose providers must not see them, removes them by the functions below. The other wires of providers refuse by name
what they do not know, so that a member that is missing in this table reaches nobody by accident.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gatewayz.wires.json_values import Object, list_of, object_of, text_of


@dataclass(frozen=True, slots=True)
class Member:
    """A member that OpenAI's chat does not have, or that only some of its providers know."""

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
        "anthropic_messages: that thoughts are to be shown (show_thoughts); a caller of another wire as it likes",
        "openai_chat, where it only says that thoughts are to be shown: who shows thoughts in a chat shows them unasked",
    ),
    Member(
        "thinking",
        "request",
        "object: type, budget_tokens, display (Anthropic's)",
        "how much to think",
        "anthropic_messages: not to think (forbid_thinking); a caller of another wire as it likes",
        "openai_chat, where it forbids: there is no word for it that every chat provider takes",
    ),
    Member(
        "reasoning_content",
        "assistant message",
        "string",
        "an earlier turn's thoughts, as they were shown",
        "anthropic_messages, openai_responses: thoughts that nobody signed",
        "openai_chat, unless the provider wants them back (``reasoning_back``); the others do not read it",
    ),
    Member(
        "reasoning_details",
        "assistant message",
        "list of objects, in OpenRouter's form (openai_chat/reasoning_details.py)",
        "what an earlier turn's maker signed or sealed of its thoughts",
        "anthropic_messages, openai_responses",
        "openai_chat, unless the provider wants it back; the others take what is their own",
    ),
    Member(
        "extra_content",
        "tool call",
        'object: {"google": {"thought_signature": string}}',
        "Gemini's signature of a call, or of what was said before it",
        "openai_responses",
        "openai_chat, unless the provider wants it back; the others but Gemini do not read it",
    ),
    Member(
        "is_error",
        "tool message",
        "true",
        "the tool failed",
        "anthropic_messages",
        "openai_chat, which has the tool's words alone; openai_responses does not read it",
    ),
)

ReasoningBack = Literal["content", "details"]
"""How a provider takes an earlier turn's reasoning back: as the text that it was, or with everything that was sealed."""

_SHOW: Object = {"summary": "auto"}
_FORBID: Object = {"type": "disabled"}
_SEALED = ("reasoning_details", "extra_content")
_OF_REASONING = (*_SEALED, "reasoning_content")


def show_thoughts(request: Object) -> None:
    """Ask to be shown thoughts. In a chat they are shown unasked; OpenAI's newer API shows them only to those who say this."""
    request["reasoning"] = _SHOW


def forbid_thinking(request: Object) -> None:
    """Ask that the model does not think; each provider's wire knows how to say it."""
    request["thinking"] = _FORBID


def remove_settings(request: Object) -> None:
    """Remove what the two functions above have set, for providers of chat."""
    if request.get("reasoning") == _SHOW:
        del request["reasoning"]
    if request.get("thinking") == _FORBID:
        del request["thinking"]


def tool_failed(message: Mapping[str, Any]) -> bool:
    return bool(message.get("is_error"))


def thought_of(message: Mapping[str, Any]) -> str:
    """An earlier turn's thoughts as text, whoever thought them: a model that insists on them is not told whose they were."""
    if text := text_of(message.get("reasoning_content")):
        return text
    details = map(object_of, list_of(message.get("reasoning_details")))
    return "".join([text_of(detail.get("text")) for detail in details if detail.get("type") == "reasoning.text"])


def message_for_chat(message: Object, back: ReasoningBack | None) -> Object:
    """A message as a provider of chat takes it: with its reasoning in the way that ``back`` says, or without."""
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
