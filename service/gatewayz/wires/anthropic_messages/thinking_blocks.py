"""Signed or encrypted thinking, between Anthropic's blocks and chat's ``reasoning_details`` (OpenRouter's form).

A model continues its thinking only if the thinking comes back unchanged. It refuses the thinking of another provider.

Pure: no I/O, no clock.
"""

from __future__ import annotations

from gatewayz.wires.json_values import Object, text_of
from gatewayz.wires.openai_chat.reasoning_details import openai_items

_FORMAT = "anthropic-claude-v1"
_OPENAI_FORMAT = "openai-responses-v1"


def signed_detail(text: str, signature: str, index: int) -> Object:
    """A thinking block as an entry of chat's ``reasoning_details``."""
    return {"type": "reasoning.text", "text": text, "signature": signature, "format": _FORMAT, "index": index}


def encrypted_detail(data: str, index: int) -> Object:
    """A ``redacted_thinking`` block as an entry of chat's ``reasoning_details``."""
    return {"type": "reasoning.encrypted", "data": data, "format": _FORMAT, "index": index}


def block_of(detail: Object) -> list[Object]:
    """The Anthropic block for an entry of chat's ``reasoning_details``; none where another provider made the entry."""
    if detail.get("format") != _FORMAT:
        return []
    if detail.get("type") == "reasoning.text" and (signature := text_of(detail.get("signature"))):
        return [{"type": "thinking", "thinking": text_of(detail.get("text")), "signature": signature}]
    if detail.get("type") == "reasoning.encrypted" and (data := text_of(detail.get("data"))):
        return [{"type": "redacted_thinking", "data": data}]
    return []


def is_foreign(block: Object) -> bool:
    """Whether a thinking block was made from another provider's answer: it has no signature, or another provider's."""
    match block.get("type"):
        case "thinking":
            return not block.get("signature")
        case "redacted_thinking":
            return bool(openai_items([block]))
        case _:
            return False


def details_of(block: Object) -> list[Object]:
    """A caller's block as an entry of chat's ``reasoning_details``, whichever provider made it. None for an unsigned block:
    no provider takes it back."""
    if block.get("type") == "thinking":
        signature = text_of(block.get("signature"))
        return [signed_detail(text_of(block.get("thinking")), signature, 0)] if signature else []
    data = text_of(block.get("data"))
    if openai_items([block]):
        return [{"type": "reasoning.encrypted", "data": data, "format": _OPENAI_FORMAT}]
    return [encrypted_detail(data, 0)] if data else []
