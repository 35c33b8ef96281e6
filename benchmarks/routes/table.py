"""The ways that a call can take through the gateway, each a row of its own: as it came, translated, on to the next provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from benchmarks.dialogue import CALLER_WIRES, PATHS, Wire, request_body, stream_end
from benchmarks.providers import MODELS, provider_name

Kind = Literal["pass-through", "translated", "fallback"]
KINDS: tuple[Kind, ...] = ("pass-through", "translated", "fallback")

CONNECTIONS = 16

Breaker = Literal["usual", "never"]


class Route(msgspec.Struct, frozen=True):
    """One way, unary or streamed."""

    name: str
    kind: Kind
    caller: Wire
    provider: Wire
    title: str
    stream: bool
    model: str
    headers: Mapping[str, str] = {}
    attempts: int = 1
    """Providers that are asked for each call."""
    breaker: Breaker = "usual"
    """``never``: at a gateway whose circuit breakers stay closed."""

    @property
    def path(self) -> str:
        return PATHS[self.caller]

    @property
    def end(self) -> str:
        """What a whole stream says at its end."""
        return stream_end(self.caller)

    def body(self) -> bytes:
        return request_body(self.caller, self.model, stream=self.stream)


TRANSLATED: tuple[tuple[Wire, Wire], ...] = (
    ("chat", "messages"),
    ("chat", "gemini"),
    ("chat", "responses"),
    ("responses", "chat"),
    ("responses", "messages"),
    ("messages", "chat"),
    ("messages", "gemini"),
)

# By the header, for that order is kept: in a group, a provider that has failed lately is asked last.
_IN_THIS_ORDER = {"x-gatewayz-provider": f"{provider_name('broken', 'chat')}, {provider_name('wires', 'chat')}"}


def _name(first: str, second: str, *, stream: bool) -> str:
    return f"{first}-{second}{'-stream' if stream else ''}"


def _answered(kind: Kind, caller: Wire, provider: Wire, *, stream: bool) -> Route:
    model = f"{provider_name('wires', provider)}/{MODELS[provider]}"
    return Route(
        _name(caller, provider, stream=stream), kind, caller, provider, f"{caller} → {provider}", stream, model
    )


def _fallback(name: str, title: str, *, attempts: int, breaker: Breaker) -> Route:
    model = MODELS["chat"]
    return Route(name, "fallback", "chat", "chat", title, False, model, _IN_THIS_ORDER, attempts, breaker)


def _all_routes() -> tuple[Route, ...]:
    routes: list[Route] = []
    for stream in (False, True):
        routes += [_answered("pass-through", wire, wire, stream=stream) for wire in CALLER_WIRES]
        routes += [_answered("translated", caller, provider, stream=stream) for caller, provider in TRANSLATED]
    routes.append(_fallback("fallback-asked", "the first answers 503 each time", attempts=2, breaker="never"))
    routes.append(_fallback("fallback-open", "the first's breaker is open", attempts=1, breaker="usual"))
    return tuple(routes)


ROUTES = _all_routes()


def as_it_came(route: Route) -> str:
    """Name of the route with which a translated one is compared: the same call to a provider of the caller's wire."""
    return _name(route.caller, route.caller, stream=route.stream)
