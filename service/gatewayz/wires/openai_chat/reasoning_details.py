"""Encrypted or signed reasoning that only its provider can read, on its way through wires that have one place for it, and
back.

Chat carries it as ``reasoning_details`` (OpenRouter's form), the Responses API as the ``encrypted_content`` of a reasoning
item. A prefix tells OpenAI's content inside a chat from a chat provider's content inside a response, so that no provider gets
another's. Pure: no I/O, no clock.
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
    """The encrypted content of an OpenAI reasoning item as an entry of ``reasoning_details``; None where it has none."""
    encrypted = text_of(item.get("encrypted_content"))
    if not encrypted:
        return None
    data = f"{_OPENAI}{text_of(item.get('id'))}:{encrypted}"
    return {"type": "reasoning.encrypted", "data": data, "format": _FORMAT}


def openai_items(details: Any) -> list[Object]:
    """OpenAI's reasoning items, restored from a chat message's ``reasoning_details``."""
    data = [text_of(object_of(detail).get("data")) for detail in list_of(details)]
    items: list[Object] = []
    for sealed in data:
        if sealed.startswith(_OPENAI):
            item_id, _, encrypted = sealed.removeprefix(_OPENAI).partition(":")
            items.append({"type": "reasoning", "id": item_id, "summary": [], "encrypted_content": encrypted})
    return items


def is_sealed(detail: Object) -> bool:
    """Whether an entry holds more than its text: only such an entry is worth keeping."""
    return bool(detail.get("signature") or detail.get("data"))


def seal_details(details: list[Object]) -> str | None:
    """Entries of ``reasoning_details`` as one ``encrypted_content``; None where there are none."""
    return _CHAT + urlsafe_b64encode(orjson.dumps(details)).decode() if details else None


def unseal_details(encrypted: str) -> list[Object]:
    """The entries that ``seal_details`` was given; none where the content is another provider's, or broken."""
    if not encrypted.startswith(_CHAT):
        return []
    try:
        details = orjson.loads(urlsafe_b64decode(encrypted.removeprefix(_CHAT)))
    except ValueError:
        return []
    return [object_of(detail) for detail in list_of(details)]
