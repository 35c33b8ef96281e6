"""What goes back to the caller."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from gatewayz.errors import GatewayError


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
