"""Gemini's generateContent as a provider wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gatewayz.errors import ProviderError
from gatewayz.records import Call
from gatewayz.wires.base import Shape, Wire
from gatewayz.wires.gemini_chat import GeminiToChat
from gatewayz.wires.gemini_errors import gemini_error
from gatewayz.wires.gemini_fold import GeminiFold
from gatewayz.wires.gemini_request import chat_to_gemini

KEY_HEADER = "x-goog-api-key"
"""Where a key goes; Gemini takes no ``Authorization: Bearer`` for one."""

_COLLECTIONS = ("models/", "tunedModels/")


class GeminiWire:
    """Speaks with ``…/v1beta/models/{model}:generateContent``. The base address ends in the version: the fields that carry JSON
    Schema are not in ``v1``."""

    __slots__ = ()

    name: Wire = "gemini"

    def path(self, model: str, stream: bool) -> str:
        """``alt=sse``: without it a stream is one long JSON array."""
        method = ":streamGenerateContent?alt=sse" if stream else ":generateContent"
        return f"/{model_path(model)}{method}"

    def request(self, call: Call, model: str, *, usage_option: bool) -> bytes:
        """The body as it came: the model's name is in the path, and usage comes unasked."""
        return call.body

    def from_chat(self, chat: Mapping[str, Any], model: str, *, stream: bool) -> bytes:
        return chat_to_gemini(chat, model)

    def to_chat(self, shape: Shape) -> GeminiToChat:
        return GeminiToChat(shape)

    def fold(self) -> GeminiFold:
        return GeminiFold()

    def error(self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> ProviderError:
        return gemini_error(status, headers, body, secrets)


def model_path(model: str) -> str:
    """``models/gemini-2.5-flash``; a model of one's own is named with its collection. A caller chooses the name, so whatever
    might lead elsewhere is quoted."""
    for collection in _COLLECTIONS:
        if model.startswith(collection):
            return collection + quote(model.removeprefix(collection), safe="")
    return "models/" + quote(model, safe="")
