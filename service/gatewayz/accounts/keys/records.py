"""A key as its administrator sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gatewayz.records import IncomingTrace, KeyScope

KeyState = Literal["active", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """Everything that is stored about a key but its hash. All times are aware and in UTC."""

    key_id: str
    name: str
    customer_id: str | None
    incoming_trace: IncomingTrace | None
    """``None``: the gateway's setting applies."""
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    """To the minute; ``None``: never."""
    scopes: tuple[KeyScope, ...] = ("inference",)

    def state(self, now: datetime) -> KeyState:
        """Whether the key is valid at ``now``."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "active"
