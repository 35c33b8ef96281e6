"""A call as one provider gets it: on which of its wires, under which path, with which body."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Protocol

from gatewayz.configfile.schema import ReasoningBack
from gatewayz.errors import GatewayError, InvalidRequest, ProviderError
from gatewayz.providers.base import Provider
from gatewayz.providers.forwarded_headers import forwarded_headers
from gatewayz.providers.state import ProviderState
from gatewayz.records import Call, Record
from gatewayz.wires.anthropic_messages.count_tokens import TOKEN_COUNT
from gatewayz.wires.base import AnswerInfo, CallerWire, Fold, ProviderWire, Translation, Wire
from gatewayz.wires.embeddings.registry import EMBEDDINGS_WIRES
from gatewayz.wires.openai_chat.wire import ChatProvider
from gatewayz.wires.refusals.by_status import names_nothing, no_such_endpoint
from gatewayz.wires.sse import EventSplitter, Splitter
from gatewayz.wires.translate import HUB, PROVIDER_WIRES, request_body, translation, wire_for

Headers = Collection[tuple[bytes, bytes]]

NOT_COUNTABLE = "not_countable"
"""The code of the InvalidRequest for a provider that cannot count tokens."""


class UpstreamWire(Protocol):
    """What an attempt needs of a provider's wire once the request has been sent."""

    @property
    def name(self) -> str: ...

    def fold(self) -> Fold: ...

    def error(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now_s: float
    ) -> ProviderError: ...


class PreparedRequest(Record, frozen=True):
    """A call in a provider's wire, ready to be sent in several attempts."""

    wire: UpstreamWire
    path: str
    body: bytes
    translation: Callable[[AnswerInfo], Translation | None] | None = None
    """Makes one for each attempt; None where caller and provider speak the same wire."""
    headers: tuple[tuple[str, str], ...] = ()
    """Those of the caller's that are forwarded."""
    framing: Callable[[], Splitter] = EventSplitter
    """Tells the events of a streamed answer apart."""
    instead_of: tuple[Wire, str | None] | None = None
    """The wire whose endpoint the provider has just said that it lacks, for this model or (None) for any: true if
    this request is understood."""


def prepare(call: Call, caller: CallerWire, state: ProviderState, model: str, headers: Headers = ()) -> PreparedRequest:
    """``headers`` are the caller's. Raises InvalidRequest naming the member that the provider's wire has no equal for."""
    provider = state.provider
    if call.operation == "embeddings":
        return _embeddings(call, provider, model, headers)
    if call.operation == "count_tokens":
        return _token_count(call, provider, model, headers)
    name = wire_for(caller.name, provider.wires, call)
    if state.lacks(name, model):
        name = provider.wire
    wire = _wire(name, provider)
    body = request_body(call, caller, wire, model, usage_option=provider.usage_option)
    path = wire.path(model, call.stream)
    if caller.name == wire.name:
        return PreparedRequest(wire, path, body, None, forwarded_headers(headers, wire.http.forwarded), wire.framing)
    return PreparedRequest(wire, path, body, lambda info: translation(call, caller, wire, info), (), wire.framing)


def prepare_on_first_wire(
    prepared: PreparedRequest, error: GatewayError, call: Call, caller: CallerWire, provider: Provider, model: str
) -> PreparedRequest | None:
    """The call on the provider's first wire, after the provider has said that it lacks the endpoint of another; None where it
    said something else, or where that wire has no words for the call either.

    An address that was set in the environment may lead to a server that speaks only chat, and one's own server may be older
    than the endpoint.
    """
    if call.operation not in ("chat", "text_completion"):
        return None
    spoken = wire_for(caller.name, provider.wires, call)
    if prepared.wire.name != spoken or spoken == provider.wire or not no_such_endpoint(error):
        return None
    wire = _wire(provider.wire, provider)
    try:
        body = request_body(call, caller, wire, model, usage_option=provider.usage_option)
    except InvalidRequest:
        return None
    # An error object may be about this model after all; a page never is.
    lacking = (spoken, None if names_nothing(error) else model)
    path = wire.path(model, call.stream)
    return PreparedRequest(
        wire, path, body, lambda info: translation(call, caller, wire, info), (), wire.framing, lacking
    )


def _embeddings(call: Call, provider: Provider, model: str, headers: Headers) -> PreparedRequest:
    """Embeddings have wires of their own, which go with those for chat."""
    found = next((EMBEDDINGS_WIRES[name] for name in provider.wires if name in EMBEDDINGS_WIRES), None)
    if found is None or not provider.embeddings:
        raise InvalidRequest(f"The provider {provider.name} has no embeddings here.", param="model")
    wire = found
    body, path = wire.request(call, model), wire.path(model)
    if wire.name == "openai_embeddings":
        return PreparedRequest(wire, path, body, None, forwarded_headers(headers, wire.http.forwarded))
    return PreparedRequest(wire, path, body, lambda info: wire.translation(call, info))


def _token_count(call: Call, provider: Provider, model: str, headers: Headers) -> PreparedRequest:
    if TOKEN_COUNT.name not in provider.wires:
        raise InvalidRequest(f"{provider.name} has no endpoint that counts tokens.", code=NOT_COUNTABLE, param="model")
    forwarded = forwarded_headers(headers, TOKEN_COUNT.http.forwarded)
    return PreparedRequest(TOKEN_COUNT, TOKEN_COUNT.path, TOKEN_COUNT.request(call, model), None, forwarded)


def _wire(name: Wire, provider: Provider) -> ProviderWire:
    if name == HUB:
        return _chat(provider.max_tokens_name == "max_tokens", provider.usage_option, provider.reasoning_back)
    return PROVIDER_WIRES[name]


@lru_cache(maxsize=12)
def _chat(older_limit: bool, usage_option: bool, reasoning_back: ReasoningBack | None) -> ChatProvider:
    """The dialects of the chat wire."""
    return ChatProvider("max_tokens" if older_limit else "max_completion_tokens", usage_option, reasoning_back)
