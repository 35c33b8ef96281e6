"""The port: what the gateway needs of an HTTP client, whichever it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from gatewayz.records import Record

Headers = tuple[tuple[str, str], ...]
"""Names in lower case."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. ``connect`` includes the wait for a free connection; ``first_byte`` counts from the request's sending to the
    answer's headers and, for a stream, to the first byte of its body; ``idle`` is the longest silence after that; ``total``
    counts from the very start."""

    connect_s: float
    first_byte_s: float
    idle_s: float
    total_s: float


class UpstreamRequest(Record, frozen=True):
    """One request. Nothing is added to its headers but Host and Content-Length, and path and query go out as they are in
    ``url``: what was signed is what is sent."""

    url: str
    headers: Headers
    """Those that many requests share: their written form is remembered."""
    body: bytes
    timeouts: Timeouts
    stream: bool
    method: Literal["POST", "GET"] = "POST"
    on_sent: Callable[[], None] | None = None
    """Called as soon as it is on its way: from then on the provider may do what it asks, and charge for it."""
    changing_headers: Headers = ()
    """Those that no other request has: a signature, a trace. Sent after the others."""

    def __repr__(self) -> str:
        """Without headers and body: keys and prompts."""
        return f"<{self.method} {self.url}, {len(self.body)} bytes>"


class UpstreamResponse(Protocol):
    """An answer whose headers are there, to be looked up by lower-case names."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises ProviderMalformedResponse if it is longer than ``limit`` bytes."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as the socket yields it; ends only when the body is complete, else raises."""
        ...

    def close(self) -> None:
        """Aborts the connection unless the body has come to its end. May be called twice."""
        ...


class Upstream(Protocol):
    """Sends a request; raises only errors of errors.py. Cancelling ``send`` aborts the connection."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse: ...
    async def close(self) -> None: ...
