"""How one call is said to one provider: on which wire, under which path, in which words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from gatewayz.providers.base import Provider
from gatewayz.records import Call
from gatewayz.wires.base import CallerWire, ProviderWire, Shape, Translation, Wire
from gatewayz.wires.chat_wire import ChatProvider
from gatewayz.wires.passage import HUB, PROVIDER_WIRES, request_body, translation, wire_for


@dataclass(frozen=True, slots=True)
class Speech:
    """One call in a provider's words, fit for several attempts."""

    call: Call
    caller: CallerWire
    wire: ProviderWire
    path: str
    body: bytes

    def translation(self, shape: Callable[[], Shape]) -> Translation | None:
        """A new one for each attempt; None where caller and provider speak the same wire."""
        if self.caller.name == self.wire.name:
            return None
        return translation(self.call, self.caller, self.wire, shape())


def speech_for(call: Call, caller: CallerWire, provider: Provider, model: str) -> Speech:
    """Raises InvalidRequest, naming the member, when the provider's wire has no word for it."""
    wire = _wire(wire_for(caller.name, provider.wires), provider)
    body = request_body(call, caller, wire, model, usage_option=provider.usage_option)
    return Speech(call, caller, wire, wire.path(model, call.stream), body)


def _wire(name: Wire, provider: Provider) -> ProviderWire:
    if name == HUB:
        return _chat(provider.max_tokens_name == "max_tokens", provider.usage_option)
    return PROVIDER_WIRES[name]


@lru_cache(maxsize=4)
def _chat(older_limit: bool, usage_option: bool) -> ChatProvider:
    """The dialects of the chat wire."""
    return ChatProvider("max_tokens" if older_limit else "max_completion_tokens", usage_option)
