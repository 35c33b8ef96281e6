"""Gemini's generateContent as a provider wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gatewayz.errors import ProviderError
from gatewayz.records import Call
from gatewayz.wires.base import AnswerInfo, Wire
from gatewayz.wires.gemini.answer_to_chat import GeminiReader
from gatewayz.wires.gemini.errors import gemini_error
from gatewayz.wires.gemini.fold import GeminiFold
from gatewayz.wires.gemini.request_from_chat import chat_request_to_gemini
from gatewayz.wires.http_terms import HttpTerms
from gatewayz.wires.sse import EventSplitter, Splitter

KEY_HEADER = "x-goog-api-key"
"""The header for a key; Gemini accepts no ``Authorization: Bearer`` for an API key."""

_COLLECTIONS = ("models/", "tunedModels/")


class GeminiWire:
    """A provider of ``{base}/models/{model}:generateContent``, where the base address ends in the API's version."""

    __slots__ = ()

    name: Wire = "gemini"
    http: HttpTerms = HttpTerms(models_path="/models?pageSize=1000")

    def path(self, model: str, stream: bool) -> str:
        """``alt=sse``: otherwise a stream is one long JSON array."""
        method = ":streamGenerateContent?alt=sse" if stream else ":generateContent"
        return f"/{model_path(model)}{method}"

    def request(self, call: Call, model: str, *, usage_option: bool) -> bytes:
        """The body unchanged: the model's name is in the path, and usage is always reported."""
        return call.body

    def from_chat(self, chat: Mapping[str, Any], model: str, *, stream: bool) -> bytes:
        return chat_request_to_gemini(chat, model)

    def reader(self, info: AnswerInfo) -> GeminiReader:
        return GeminiReader(info)

    def fold(self) -> GeminiFold:
        return GeminiFold()

    def framing(self) -> Splitter:
        return EventSplitter()

    def error(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now_s: float
    ) -> ProviderError:
        return gemini_error(status, headers, body, secrets, now_s=now_s)


def model_path(model: str) -> str:
    """``models/gemini-2.5-flash``. The caller chooses the name, so characters that could change the path are quoted."""
    collection, _, own = model_name(model).partition("/")
    return f"{collection}/{quote(own, safe='')}"


def model_name(model: str) -> str:
    """The model with its collection, as Gemini names it in a body. A tuned model is already named with its collection."""
    return model if model.startswith(_COLLECTIONS) else "models/" + model
