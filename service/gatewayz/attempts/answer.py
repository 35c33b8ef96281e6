"""What goes back to the caller."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass

from gatewayz.errors import GatewayError
from gatewayz.providers.base import Provider, returned_headers


@dataclass(slots=True)
class Answer:
    """Exactly one of ``body`` and ``events`` is set.

    ``error`` is set once ``events`` has ended in failure: by then the status is long sent, and only the record can tell.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    provider: str
    body: bytes | None = None
    events: AsyncGenerator[bytes, None] | None = None
    error: GatewayError | None = None
    abandon: Callable[[], None] | None = None
    """Call it whatever happens: a generator that was never started cannot clean up behind itself."""


def answer_headers(provider: Provider, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Without the content type: what the gateway sends is JSON or an event stream, checked, whatever it was called."""
    returned = [pair for pair in returned_headers(headers) if pair[0] != b"content-type"]
    returned.append((b"x-gatewayz-provider", provider.name.encode()))
    return returned


def refused_headers(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """What goes back with a refusal: Retry-After is the gateway's own to word, since several may have been asked."""
    return tuple([pair for pair in returned_headers(headers) if pair[0] not in (b"content-type", b"retry-after")])
