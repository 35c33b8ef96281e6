"""What goes back to the caller."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from gatewayz.errors import GatewayError


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
