"""A wire's HTTP terms besides paths and bodies: its own headers, the caller's headers that it understands, and where its
providers list their models."""

from __future__ import annotations

from gatewayz.records import Record


class HttpTerms(Record, frozen=True):
    headers: tuple[tuple[str, str], ...] = ()
    """Headers of every request to a provider of this wire, unless the operator sets others."""
    forwarded: frozenset[bytes] = frozenset()
    """Headers (lower case) that are forwarded from a caller to a provider when both speak this wire."""
    models_path: str = "/models"
    """The path, under the provider's base address, of a GET that lists its models; on one page where the API allows that."""


OPENAI = HttpTerms(forwarded=frozenset({b"openai-beta"}))
