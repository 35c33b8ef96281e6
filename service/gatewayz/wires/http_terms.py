"""What a wire asks of HTTP besides paths and bodies: headers of its own, the caller's headers that it understands, and where its
providers list their models."""

from __future__ import annotations

from gatewayz.records import Record


class HttpTerms(Record, frozen=True):
    headers: tuple[tuple[str, str], ...] = ()
    """Every request to a provider that speaks this wire carries these, unless the operator has set others."""
    forwarded: frozenset[bytes] = frozenset()
    """Headers (lower case) that go on from a caller to a provider when both speak this wire."""
    models_path: str = "/models"
    """Asked with GET, under the provider's base address, it lists the provider's models; on one page, if that can be asked."""


OPENAI = HttpTerms(forwarded=frozenset({b"openai-beta"}))
