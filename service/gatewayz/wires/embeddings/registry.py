"""Which embeddings wire belongs to which wire: a provider uses one vendor's API for both chat and embeddings."""

from __future__ import annotations

from collections.abc import Mapping

from gatewayz.wires.base import Wire
from gatewayz.wires.embeddings.gemini import GeminiEmbeddings
from gatewayz.wires.embeddings.openai import EmbeddingsWire, OpenAIEmbeddings

_OPENAI = OpenAIEmbeddings()

EMBEDDINGS_WIRES: Mapping[Wire, EmbeddingsWire] = {
    "openai_chat": _OPENAI,
    "openai_completions": _OPENAI,
    "openai_responses": _OPENAI,
    "gemini": GeminiEmbeddings(),
}
"""Anthropic is missing because it has no embeddings."""
