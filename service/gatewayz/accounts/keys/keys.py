"""API keys: created, listed, revoked, and (by the verifier) authenticated."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from gatewayz.accounts.keys.credentials import Credential, is_key_id, new_credential
from gatewayz.accounts.keys.pepper import Pepper, load_pepper
from gatewayz.accounts.keys.records import KeyRecord
from gatewayz.accounts.keys.store import KeyStore, StoredKey
from gatewayz.accounts.keys.verifier import Verifier
from gatewayz.config import Settings
from gatewayz.errors import ConfigurationError, InvalidRequest, NotFound
from gatewayz.records import IncomingTrace, KeyIdentity, KeyScope
from gatewayz.storage.database import Database, StorageUnavailable

logger = logging.getLogger(__name__)

_COUNT_S = 15.0  # as often as Prometheus scrapes
_TOUCH_S = 60.0


class Keys:
    """The API keys in one database, as one worker sees them. Not for more than one event loop.

    Every method that needs the database raises StorageUnavailable when it does not answer.
    """

    def __init__(self, store: KeyStore, pepper: Pepper, verifier: Verifier) -> None:
        """Use ``Keys.open``."""
        self._store = store
        self._pepper = pepper
        self._verifier = verifier
        self._active = 0
        self._maintenance: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, database: Database, settings: Settings) -> Keys:
        """Load the pepper, or make it for an empty database, and start the maintenance.

        The database must be migrated. Raises ConfigurationError if the stored keys belong to another pepper.
        """
        store = KeyStore(database)

        async def holds_keys() -> bool:
            return bool(await store.pepper_ids())

        pepper = await load_pepper(settings, holds_keys)
        stored = await store.pepper_ids()
        if stored and pepper.pepper_id not in stored:
            raise ConfigurationError(
                "None of the API keys in the database was made with this pepper, so none would be recognised. Restore the "
                f"one they were made with ({settings.data_dir / 'pepper'} or GATEWAYZ_KEY_PEPPER), or use another database."
            )
        verifier = Verifier(store, pepper, cache_s=settings.key_cache_s, incoming_trace=settings.incoming_trace)
        keys = cls(store, pepper, verifier)
        keys._active = await keys.count_active()
        keys._maintenance = asyncio.create_task(keys._maintain(), name="key maintenance")
        return keys

    async def close(self) -> None:
        """Stop look-ups and maintenance; write the last uses if the database answers."""
        if self._maintenance is not None:
            self._maintenance.cancel()
            await asyncio.gather(self._maintenance, return_exceptions=True)
            self._maintenance = None
        await self._verifier.close()
        if not self._verifier.database_down:
            with suppress(StorageUnavailable):
                await self._write_last_uses()

    def cached(self, credential: str | None) -> KeyIdentity | None:
        """Whose key this is, if it was verified within the cache period; otherwise ``None``: call authenticate().

        The hot path: about a microsecond.
        """
        return self._verifier.cached(credential)

    async def authenticate(self, credential: str | None) -> KeyIdentity:
        """Whose key this is; ``None`` stands for a request without one.

        Raises Unauthenticated, or Unavailable or Overloaded if it cannot be known at the moment.
        """
        return await self._verifier.authenticate(credential)

    async def create(
        self,
        name: str,
        *,
        customer_id: str | None = None,
        expires_in_s: float | None = None,
        incoming_trace: IncomingTrace | None = None,
        scopes: tuple[KeyScope, ...] = ("inference",),
    ) -> tuple[KeyIdentity, str]:
        """A new key and, this once, its credential. Raises InvalidRequest for an unusable name or lifetime."""
        credential, stored = self._new(name, customer_id, expires_in_s, incoming_trace, scopes)
        await self._store.add(stored)
        return self._created(stored), credential.value

    async def ensure_first(self) -> str | None:
        """The credential of a first key if the database held none, else ``None``. One of several processes creates it."""
        credential, stored = self._new("first key")
        if not await self._store.add_first(stored):
            return None
        self._created(stored)
        return credential.value

    async def list(self) -> tuple[KeyRecord, ...]:
        """Every key ever made, oldest first."""
        return await self._store.all()

    async def revoke(self, key_id: str) -> KeyRecord:
        """No worker accepts this key any more: those that have it cached refuse it after the cache period at the latest.

        Doing it again changes nothing. Raises NotFound.
        """
        # An id of the wrong shape is not repeated: it may be a whole key, pasted by mistake.
        if not is_key_id(key_id):
            raise NotFound("That is not the id of a key: an id is the twelve letters and digits after 'gz_'.")
        revoked = await self._store.revoke(key_id, _now())
        stored = await self._store.find(key_id)
        if stored is None:
            raise NotFound(f"There is no key with the id {key_id}.")
        self._verifier.forget(key_id)
        if revoked:
            logger.info("API key revoked", extra={"key_id": key_id, "key_name": stored.record.name})
            self._active = await self.count_active()
        return stored.record

    async def count_active(self) -> int:
        """Keys that are neither revoked nor expired, in the whole database."""
        return await self._store.count_active(_now())

    @property
    def active(self) -> int:
        """count_active() as of at most 15 s ago; while the database is down, its last answer."""
        return self._active

    def _new(
        self,
        name: str,
        customer_id: str | None = None,
        expires_in_s: float | None = None,
        incoming_trace: IncomingTrace | None = None,
        scopes: tuple[KeyScope, ...] = ("inference",),
    ) -> tuple[Credential, StoredKey]:
        _check_text("name", name)
        if customer_id is not None:
            _check_text("customer id", customer_id)
        if expires_in_s is not None and not 0 < expires_in_s < 100 * 366 * 86_400:
            raise InvalidRequest("A key must expire some time in the next hundred years, or never.")
        now = _now()
        credential = new_credential()
        record = KeyRecord(
            key_id=credential.key_id,
            name=name,
            customer_id=customer_id,
            incoming_trace=incoming_trace,
            created_at=now,
            expires_at=None if expires_in_s is None else now + timedelta(seconds=expires_in_s),
            revoked_at=None,
            last_used_at=None,
            scopes=scopes,
        )
        return credential, StoredKey(record, self._pepper.hash(credential.value), self._pepper.pepper_id)

    def _created(self, stored: StoredKey) -> KeyIdentity:
        self._active += 1
        logger.info("API key created", extra={"key_id": stored.record.key_id, "key_name": stored.record.name})
        return self._verifier.identity(stored.record)

    async def _maintain(self) -> None:
        written_at = time.monotonic()
        while True:
            await asyncio.sleep(_COUNT_S)
            with suppress(StorageUnavailable):
                self._active = await self.count_active()
                if time.monotonic() - written_at >= _TOUCH_S:
                    await self._write_last_uses()
                    written_at = time.monotonic()

    async def _write_last_uses(self) -> None:
        # A last use that is lost because the database does not answer is written after the key's next look-up.
        used_at = self._verifier.take_used_at()
        if used_at:
            await self._store.touch(used_at)


def _now() -> datetime:
    return datetime.now(UTC)


def _check_text(what: str, value: str) -> None:
    if not value.strip() or len(value) > 200 or not value.isprintable():
        raise InvalidRequest(f"The {what} of a key must have 1 to 200 characters, all of them printable.")
