"""The statements on the table of API keys; what they mean is decided in keys.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import get_args

from sqlalchemy import Row, and_, bindparam, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatewayz.accounts.keys.records import KeyRecord
from gatewayz.accounts.keys.tables import api_keys
from gatewayz.records import KeyScope
from gatewayz.storage.database import Database
from gatewayz.storage.types import UtcDateTime

_SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)
_INFERENCE_ONLY: tuple[KeyScope, ...] = ("inference",)

_RECORD = (
    api_keys.c.id,
    api_keys.c.name,
    api_keys.c.customer_id,
    api_keys.c.incoming_trace,
    api_keys.c.created_at,
    api_keys.c.expires_at,
    api_keys.c.revoked_at,
    api_keys.c.last_used_at,
    api_keys.c.scopes,
)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A row: the record, and what it takes to recognise the key."""

    record: KeyRecord
    hash: bytes = field(repr=False)
    pepper_id: str


class KeyStore:
    """Raises StorageUnavailable from every method when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key_id: str) -> StoredKey | None:
        query = select(*_RECORD, api_keys.c.hash, api_keys.c.pepper_id).where(api_keys.c.id == key_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else StoredKey(_record(row), row.hash, row.pepper_id)

    async def add(self, key: StoredKey) -> None:
        async with self._database.write() as connection:
            await _insert(connection, key)

    async def add_first(self, key: StoredKey) -> bool:
        """Add ``key`` if there is no key at all. Of several processes that try at once, one succeeds; the others get False."""
        async with self._database.write(alone=True) as connection:
            if (await connection.execute(select(api_keys.c.id).limit(1))).first() is not None:
                return False
            await _insert(connection, key)
        return True

    async def all(self) -> tuple[KeyRecord, ...]:
        """Oldest first."""
        query = select(*_RECORD).order_by(api_keys.c.created_at, api_keys.c.id)
        async with self._database.read() as connection:
            return tuple(_record(row) for row in await connection.execute(query))

    async def revoke(self, key_id: str, at: datetime) -> bool:
        """Whether this call did it: a key is revoked once, and keeps the time at which it was."""
        change = (
            update(api_keys).where(and_(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))).values(revoked_at=at)
        )
        async with self._database.write() as connection:
            return (await connection.execute(change)).rowcount > 0

    async def count_active(self, at: datetime) -> int:
        query = (
            select(func.count())
            .select_from(api_keys)
            .where(
                and_(
                    api_keys.c.revoked_at.is_(None),
                    or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > at),
                )
            )
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one()

    async def pepper_ids(self) -> frozenset[str]:
        """Which peppers the stored keys were made with."""
        async with self._database.read() as connection:
            return frozenset((await connection.execute(select(api_keys.c.pepper_id).distinct())).scalars())

    async def touch(self, used_at: Mapping[str, datetime]) -> None:
        """Note when keys were last used; never moves a time back."""
        at = bindparam("used_at", type_=UtcDateTime())
        change = (
            update(api_keys)
            .where(
                and_(
                    api_keys.c.id == bindparam("key_id"),
                    or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < at),
                )
            )
            .values(last_used_at=at)
        )
        # In one order everywhere: two workers that lock the same rows in different orders stop each other.
        rows = [{"key_id": key_id, "used_at": used_at[key_id]} for key_id in sorted(used_at)]
        async with self._database.write() as connection:
            await connection.execute(change, rows)


async def _insert(connection: AsyncConnection, key: StoredKey) -> None:
    record = key.record
    await connection.execute(
        insert(api_keys).values(
            id=record.key_id,
            name=record.name,
            hash=key.hash,
            pepper_id=key.pepper_id,
            customer_id=record.customer_id,
            incoming_trace=record.incoming_trace,
            created_at=record.created_at,
            expires_at=record.expires_at,
            scopes=" ".join(record.scopes),
        )
    )


def _record(row: Row[tuple[object, ...]]) -> KeyRecord:
    return KeyRecord(
        key_id=row.id,
        name=row.name,
        customer_id=row.customer_id,
        incoming_trace=row.incoming_trace,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        scopes=_scopes(row.scopes),
    )


def _scopes(stored: str | None) -> tuple[KeyScope, ...]:
    """A scope that this version does not know is none: a newer one wrote it."""
    if stored is None:
        return _INFERENCE_ONLY
    held = stored.split()
    return tuple(scope for scope in _SCOPES if scope in held)
