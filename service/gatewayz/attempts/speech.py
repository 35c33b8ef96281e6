"""How one call is said to one provider: on which wire, under which path, in which words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

from gatewayz.errors import InvalidRequest
from gatewayz.providers.base import Provider
from gatewayz.records import Call
from gatewayz.wires.base import CallerWire, ProviderWire, Shape, Translation, Wire
from gatewayz.wires.chat_wire import ChatProvider
from gatewayz.wires.embeddings import EmbeddingsWire
from gatewayz.wires.embeddings_wires import EMBEDDINGS_WIRES
from gatewayz.wires.passage import HUB, PROVIDER_WIRES, request_body, translation, wire_for


@dataclass(frozen=True, slots=True)
class Speech:
    """One call in a provider's words, fit for several attempts."""

    wire: ProviderWire | EmbeddingsWire
    path: str
    body: bytes
    translate: Callable[[Shape], Translation | None] | None = None

    def translation(self, shape: Callable[[], Shape]) -> Translation | None:
        """A new one for each attempt; None where caller and provider speak the same wire."""
        return None if self.translate is None else self.translate(shape())


def speech_for(call: Call, caller: CallerWire, provider: Provider, model: str) -> Speech:
    """Raises InvalidRequest, naming the member, when the provider's wire has no word for it."""
    if call.operation == "embeddings":
        return _for_embeddings(call, provider, model)
    wire = _wire(wire_for(caller.name, provider.wires), provider)
    body = request_body(call, caller, wire, model, usage_option=provider.usage_option)
    translate = None if caller.name == wire.name else partial(translation, call, caller, wire)
    return Speech(wire, wire.path(model, call.stream), body, translate)


def _for_embeddings(call: Call, provider: Provider, model: str) -> Speech:
    """Embeddings have wires of their own, beside those for text."""
    spoken = [EMBEDDINGS_WIRES[name] for name in provider.wires if name in EMBEDDINGS_WIRES]
    if not provider.embeddings or not spoken:
        raise InvalidRequest(
            f"The provider {provider.name} has no embeddings.", code="unsupported_endpoint", param="model"
        )
    wire = spoken[0]
    same = wire.name == "openai_embeddings"
    return Speech(wire, wire.path(model), wire.request(call, model), None if same else partial(wire.answer, call))


def _wire(name: Wire, provider: Provider) -> ProviderWire:
    if name == HUB:
        return _chat(provider.max_tokens_name == "max_tokens", provider.usage_option)
    return PROVIDER_WIRES[name]


@lru_cache(maxsize=4)
def _chat(older_limit: bool, usage_option: bool) -> ChatProvider:
    """The dialects of the chat wire."""
    return ChatProvider("max_tokens" if older_limit else "max_completion_tokens", usage_option)
