"""The schema of accounts as the code uses it; its history is in storage/migrations (a test holds the two equal)."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, MetaData, String, Table

from gatewayz.storage.types import UtcDateTime

metadata = MetaData()

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(200), nullable=False),
    # HMAC-SHA-256 of the whole credential under the pepper.
    Column("hash", LargeBinary, nullable=False),
    # Which pepper that was: a lost or changed one is then an error at start, not a refusal of every key.
    Column("pepper_id", String(16), nullable=False),
    Column("customer_id", String(200), nullable=True),
    # NULL: the gateway's setting applies.
    Column("incoming_trace", String(16), nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=True),
    Column("revoked_at", UtcDateTime, nullable=True),
    # Written in batches, well after the request: a minute's precision is enough to distinguish a key in use from an unused one.
    Column("last_used_at", UtcDateTime, nullable=True),
    # Separated by spaces. NULL: inference only.
    Column("scopes", String(200), nullable=True),
)
