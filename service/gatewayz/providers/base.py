"""What the gateway knows about one provider, and the requests it sends there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

from gatewayz import __version__
from gatewayz.errors import ProviderError
from gatewayz.upstream import Timeouts, Upstream, UpstreamRequest
from gatewayz.wires.provider_errors import provider_error

Wire = Literal["openai_chat"]

OTHER = "other"
MAX_LEARNED = 200  # per provider and process: bounds the series that models outside the catalogue can open

_RETURNED = ("content-type", "retry-after")
_RETURNED_PREFIX = "x-ratelimit-"


class Secret:
    """A string that does not show itself: its repr, and so every log line and traceback, holds stars."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


class _Headers(tuple[tuple[str, str], ...]):
    """Header pairs, of which one holds a key: they do not show themselves either."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} headers>"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider, ready to be called."""

    name: str
    """The key of its catalogue entry, and the word before the slash in a caller's model name."""
    otel_name: str
    """``gen_ai.provider.name``."""
    base_url: str
    upstream: Upstream = field(repr=False)
    stream_timeouts: Timeouts
    unary_timeouts: Timeouts
    key_variables: tuple[str, ...] = ()
    keys: tuple[Secret, ...] = ()
    models: tuple[str, ...] = ()
    model_prefixes: tuple[str, ...] = ()
    """Plain model names that begin so are this provider's."""
    propagate: bool = False
    """Send our trace context along."""
    usage_option: bool = True
    """Knows ``stream_options.include_usage``; one that does not reports usage unasked."""
    wire: Wire = "openai_chat"
    server_address: str = field(init=False)
    server_port: int = field(init=False)
    chat_url: str = field(init=False)
    _headers: _Headers = field(init=False, repr=False, compare=False)
    _catalogued: frozenset[str] = field(init=False, repr=False, compare=False)
    _learned: set[str] = field(init=False, repr=False, compare=False, default_factory=set[str])

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        place = object.__setattr__
        place(self, "server_address", parts.hostname or self.name)
        place(self, "server_port", parts.port or (80 if parts.scheme == "http" else 443))
        place(self, "chat_url", self.base_url.rstrip("/") + "/chat/completions")
        place(self, "_catalogued", frozenset(self.models))
        headers = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            # Compression would have to be undone to be observed, and saves nothing on a stream of small events.
            ("accept-encoding", "identity"),
            ("user-agent", f"gatewayz/{__version__}"),
        ]
        if self.keys:
            headers.append(("authorization", f"Bearer {self.keys[0].reveal()}"))
        place(self, "_headers", _Headers(headers))

    def timeouts(self, stream: bool) -> Timeouts:
        return self.stream_timeouts if stream else self.unary_timeouts

    def chat_request(
        self, body: bytes, stream: bool, *, traceparent: bytes | None = None, total_s: float | None = None
    ) -> UpstreamRequest:
        """The request for one attempt. Of the caller's headers none is sent on; ``traceparent`` only where the entry says
        ``propagate``; ``total_s`` shortens the attempt, it never lengthens it."""
        headers = self._headers
        if self.propagate and traceparent is not None:
            headers = _Headers((*headers, ("traceparent", traceparent.decode("ascii"))))
        timeouts = self.timeouts(stream)
        if total_s is not None and total_s < timeouts.total_s:
            timeouts = Timeouts(timeouts.connect_s, timeouts.first_byte_s, timeouts.idle_s, total_s)
        return UpstreamRequest(url=self.chat_url, headers=headers, body=body, timeouts=timeouts, stream=stream)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """The error for an answer whose status is not 2xx, with our keys struck from what may be handed on."""
        return provider_error(status, headers, body, now_s=time.time(), secrets=[key.reveal() for key in self.keys])

    def serves(self, model: str) -> bool:
        """Whether a plain model name is this provider's."""
        return model in self._catalogued or model.startswith(self.model_prefixes)

    def known_model(self, model: str) -> str:
        """The model as metrics may name it: from the catalogue, or learned; else ``other``."""
        return model if model in self._catalogued or model in self._learned else OTHER

    def learn(self, model: str) -> None:
        """This provider has answered for ``model``: from now on metrics name it, while there is room."""
        if model not in self._catalogued and len(self._learned) < MAX_LEARNED:
            self._learned.add(model)


def returned_headers(headers: Mapping[str, str]) -> Iterator[tuple[bytes, bytes]]:
    """Those of a provider's headers that the caller may see: content type, and what says when to come back. Cookies and the
    names of our own organisation and account stay here."""
    for name, value in headers.items():
        if (returned := _returned_name(name)) is not None:
            yield returned, value.encode("latin-1", "replace")


@lru_cache(maxsize=512)  # providers send the same names with every answer
def _returned_name(name: str) -> bytes | None:
    lower = name.lower()
    return lower.encode("ascii", "replace") if lower in _RETURNED or lower.startswith(_RETURNED_PREFIX) else None


class Providers(Mapping[str, Provider]):
    """The providers that can be called, in the order of the catalogue; and why the others cannot."""

    def __init__(self, available: Mapping[str, Provider], unavailable: Mapping[str, str] | None = None) -> None:
        self._available = dict(available)
        self.unavailable: Mapping[str, str] = dict(unavailable or {})
        """Name → what is missing, in a word for span events (``no_key``, ``not_configured``, ``disabled``)."""

    def __getitem__(self, name: str) -> Provider:
        return self._available[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._available)

    def __len__(self) -> int:
        return len(self._available)

    def availability(self) -> Iterator[tuple[float, Mapping[str, str]]]:
        """Observations of ``gatewayz.provider.available``: 1 for a provider that can be called, 0 for one that is known."""
        for name in self._available:
            yield 1.0, {"gatewayz.provider.name": name}
        for name in self.unavailable:
            yield 0.0, {"gatewayz.provider.name": name}

    async def close(self) -> None:
        for upstream in {id(provider.upstream): provider.upstream for provider in self.values()}.values():
            await upstream.close()
