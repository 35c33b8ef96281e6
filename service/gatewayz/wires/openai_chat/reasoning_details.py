"""Reasoning that only its maker can read, on its way through wires that have one place for it, and back.

Chat carries it as ``reasoning_details``, in the form that OpenRouter made customary; the Responses API as the
``encrypted_content`` of a reasoning item. Two seals are told apart by how they begin, so that none is shown to whom it was not
made for: what OpenAI sealed, inside a chat, and what a chat provider sealed, inside a response. Pure: no I/O, no clock.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson

from gatewayz.wires.json_values import Object, list_of, object_of, text_of

_OPENAI = "openai:"
_CHAT = "gatewayz:"
_FORMAT = "openai-responses-v1"


def openai_detail(item: Object) -> Object | None:
    """What OpenAI sealed in a reasoning item, as a chat's detail; None where it sealed nothing."""
    encrypted = text_of(item.get("encrypted_content"))
    if not encrypted:
        return None
    data = f"{_OPENAI}{text_of(item.get('id'))}:{encrypted}"
    return {"type": "reasoning.encrypted", "data": data, "format": _FORMAT}


def openai_items(details: Any) -> list[Object]:
    """The reasoning items again, of what OpenAI sealed among a chat message's details."""
    data = [text_of(object_of(detail).get("data")) for detail in list_of(details)]
    items: list[Object] = []
    for sealed in data:
        if sealed.startswith(_OPENAI):
            item_id, _, encrypted = sealed.removeprefix(_OPENAI).partition(":")
            items.append({"type": "reasoning", "id": item_id, "summary": [], "encrypted_content": encrypted})
    return items


def is_sealed(detail: Object) -> bool:
    """Whether a chat's detail says what its text does not: only then it is worth keeping."""
    return bool(detail.get("signature") or detail.get("data"))


def seal_details(details: list[Object]) -> str | None:
    """A chat's details as one encrypted content; None where there are none."""
    return _CHAT + urlsafe_b64encode(orjson.dumps(details)).decode() if details else None


def unseal_details(encrypted: str) -> list[Object]:
    """The details that ``seal_details`` was given; none where the seal is another's, or broken."""
    if not encrypted.startswith(_CHAT):
        return []
    try:
        details = orjson.loads(urlsafe_b64decode(encrypted.removeprefix(_CHAT)))
    except ValueError:
        return []
    return [object_of(detail) for detail in list_of(details)]
