"""Which embeddings go with which wire: a provider that speaks one for chat speaks the same vendor's for embeddings."""

from __future__ import annotations

from gatewayz.wires.base import Wire
from gatewayz.wires.embeddings import EmbeddingsWire, OpenAIEmbeddings
from gatewayz.wires.gemini_embeddings import GeminiEmbeddings


def embeddings_wire(wire: Wire) -> EmbeddingsWire | None:
    """None where the vendor has no embeddings."""
    match wire:
        case "gemini":
            return GeminiEmbeddings()
        case "anthropic_messages":
            return None
        case "openai_chat" | "openai_completions" | "openai_responses":
            return OpenAIEmbeddings()
