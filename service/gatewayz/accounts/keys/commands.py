"""What the command line does with keys: open the database, do one thing, close it. The command line prints.

Every function raises ConfigurationError or GatewayError, whose text is a sentence for people.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gatewayz.accounts.keys.keys import Keys
from gatewayz.accounts.keys.records import KeyRecord
from gatewayz.config import Settings
from gatewayz.errors import ConfigurationError
from gatewayz.records import KeyIdentity
from gatewayz.storage.database import Database, StorageUnavailable

_WAIT_S = 5.0  # for the database: a person waits at the terminal


async def create_key(
    settings: Settings, name: str, *, customer_id: str | None = None, expires_in_s: float | None = None
) -> tuple[KeyIdentity, str]:
    """A new key and, this once, its credential."""
    async with _keys(settings) as keys:
        return await keys.create(name, customer_id=customer_id, expires_in_s=expires_in_s)


async def list_keys(settings: Settings) -> tuple[KeyRecord, ...]:
    """Every key ever created, oldest first."""
    async with _keys(settings) as keys:
        return await keys.list()


async def revoke_key(settings: Settings, key_id: str) -> KeyRecord:
    """The key as it is after its revocation. A running gateway refuses it within ``key_cache_s``."""
    async with _keys(settings) as keys:
        return await keys.revoke(key_id)


async def ensure_first_key(settings: Settings, wait_s: float = 30) -> str | None:
    """The credential of a first key if the database held none, else ``None``. Waits ``wait_s`` for a database to start."""
    async with _keys(settings, wait_s) as keys:
        return await keys.ensure_first()


@asynccontextmanager
async def _keys(settings: Settings, wait_s: float = _WAIT_S) -> AsyncGenerator[Keys]:
    database = await Database.open(settings.storage.database)
    try:
        await database.migrate(wait_s)
        keys = await Keys.open(database, settings)
        try:
            yield keys
        finally:
            await keys.close()
    except StorageUnavailable as error:
        raise ConfigurationError(f"The database {database.address} does not answer ({error.reason}).") from None
    finally:
        await database.close()
