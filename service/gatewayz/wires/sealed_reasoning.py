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


def openai_detail(encrypted: str) -> Object:
    """What OpenAI sealed, as a chat's detail."""
    return {"type": "reasoning.encrypted", "data": _OPENAI + encrypted, "format": _FORMAT}


def openai_contents(details: Any) -> list[str]:
    """What OpenAI sealed among a chat message's details."""
    data = [text_of(object_of(detail).get("data")) for detail in list_of(details)]
    return [sealed.removeprefix(_OPENAI) for sealed in data if sealed.startswith(_OPENAI)]


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
