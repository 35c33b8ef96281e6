"""How one call is said to one provider: on which wire, under which path, in which words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol

from gatewayz.errors import InvalidRequest, ProviderError
from gatewayz.providers.base import Provider
from gatewayz.records import Call, Record
from gatewayz.wires.base import CallerWire, Fold, ProviderWire, Shape, Translation, Wire
from gatewayz.wires.chat_wire import ChatProvider
from gatewayz.wires.embeddings_wires import EMBEDDINGS_WIRES
from gatewayz.wires.messages_count import TOKEN_COUNT
from gatewayz.wires.passage import HUB, PROVIDER_WIRES, request_body, translation, wire_for


class Heard(Protocol):
    """What an attempt needs of a provider's wire once the request is out."""

    def fold(self) -> Fold: ...

    def error(self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> ProviderError: ...


class Speech(Record, frozen=True):
    """One call in a provider's words, fit for several attempts."""

    wire: Heard
    path: str
    body: bytes
    translation: Callable[[Shape], Translation | None] | None = None
    """Makes one for each attempt; None where caller and provider speak the same wire."""


def speech_for(call: Call, caller: CallerWire, provider: Provider, model: str) -> Speech:
    """Raises InvalidRequest, naming the member, when the provider's wire has no word for it."""
    if call.operation == "embeddings":
        return _embeddings(call, provider, model)
    if call.operation == "count_tokens":
        return _token_count(call, provider, model)
    wire = _wire(wire_for(caller.name, provider.wires), provider)
    body = request_body(call, caller, wire, model, usage_option=provider.usage_option)
    path = wire.path(model, call.stream)
    if caller.name == wire.name:
        return Speech(wire, path, body)
    return Speech(wire, path, body, lambda shape: translation(call, caller, wire, shape))


def _embeddings(call: Call, provider: Provider, model: str) -> Speech:
    """Embeddings have wires of their own, which go with those for chat."""
    found = next((EMBEDDINGS_WIRES[name] for name in provider.wires if name in EMBEDDINGS_WIRES), None)
    if found is None or not provider.embeddings:
        raise InvalidRequest(f"The provider {provider.name} has no embeddings here.", param="model")
    wire = found
    body, path = wire.request(call, model), wire.path(model)
    if wire.name == "openai_embeddings":
        return Speech(wire, path, body)
    return Speech(wire, path, body, lambda shape: wire.answer(call, shape))


def _token_count(call: Call, provider: Provider, model: str) -> Speech:
    if TOKEN_COUNT.name not in provider.wires:
        raise InvalidRequest(
            f"{provider.name} has no endpoint that counts tokens.", code="not_countable", param="model"
        )
    return Speech(TOKEN_COUNT, TOKEN_COUNT.path, TOKEN_COUNT.request(call, model))


def _wire(name: Wire, provider: Provider) -> ProviderWire:
    if name == HUB:
        return _chat(provider.max_tokens_name == "max_tokens", provider.usage_option)
    return PROVIDER_WIRES[name]


@lru_cache(maxsize=4)
def _chat(older_limit: bool, usage_option: bool) -> ChatProvider:
    """The dialects of the chat wire."""
    return ChatProvider("max_tokens" if older_limit else "max_completion_tokens", usage_option)
