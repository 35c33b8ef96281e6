"""What goes back to the caller."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass

from gatewayz.errors import GatewayError
from gatewayz.providers.base import Provider, returned_headers


@dataclass(slots=True)
class Answer:
    """Exactly one of ``body`` and ``events`` is set.

    ``error`` is set once ``events`` has ended in failure: the status is sent by then, and only the request's record can say so.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    provider: str
    body: bytes | None = None
    events: AsyncGenerator[bytes, None] | None = None
    error: GatewayError | None = None
    abandon: Callable[[], None] | None = None
    """Call it whatever happens: a generator that was never started cannot clean up after itself."""


def answer_headers(provider: Provider, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Without the content type: the gateway has checked that it is JSON or an event stream, whatever the provider calls it."""
    returned = [pair for pair in returned_headers(headers) if pair[0] != b"content-type"]
    returned.append((b"x-gatewayz-provider", provider.name.encode()))
    return returned


def refused_headers(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """What the caller gets with an error. Retry-After is the gateway's own, since several providers may have failed."""
    return tuple([pair for pair in returned_headers(headers) if pair[0] not in (b"content-type", b"retry-after")])
