"""Which embeddings go with which wire: a provider that speaks one for chat speaks the same vendor's for embeddings."""

from __future__ import annotations

from collections.abc import Mapping

from gatewayz.wires.base import Wire
from gatewayz.wires.embeddings import EmbeddingsWire, OpenAIEmbeddings
from gatewayz.wires.gemini_embeddings import GeminiEmbeddings

_OPENAI = OpenAIEmbeddings()

EMBEDDINGS_WIRES: Mapping[Wire, EmbeddingsWire] = {
    "openai_chat": _OPENAI,
    "openai_completions": _OPENAI,
    "openai_responses": _OPENAI,
    "gemini": GeminiEmbeddings(),
}
"""Anthropic, which is not here, has none."""
