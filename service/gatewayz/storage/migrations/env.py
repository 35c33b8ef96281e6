"""Alembic's entry point: run the migrations on the connection that gatewayz.storage.migrate hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

connection = context.config.attributes["connection"]
assert isinstance(connection, Connection)  # noqa: S101
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
