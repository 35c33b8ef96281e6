"""Is this key valid, and whose is it? Answered from memory for most requests, from the database once per key and cache period.

While the database is down, a key that has not been verified before is answered with 503 (fails closed), not with 401: a 401
would make its owner replace a valid key. One that has been is accepted for another quarter of an hour (fails open).
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from gatewayz.accounts.keys.credentials import CREDENTIAL_LENGTH, Credential, digest, parse
from gatewayz.accounts.keys.pepper import Pepper
from gatewayz.accounts.keys.records import KeyRecord
from gatewayz.accounts.keys.store import KeyStore, StoredKey
from gatewayz.errors import Overloaded, Unauthenticated, Unavailable
from gatewayz.records import IncomingTrace, KeyIdentity
from gatewayz.storage.database import StorageUnavailable

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

_STALE_S = 15 * 60  # a database that is down longer than this is an outage that has been noticed
_RETRY_S = 1.0  # while the database is down it is asked this often: it is used again a second after it is back
_TIMEOUT_S = 2.0  # a look-up takes a millisecond; one that takes this long is for a database that is down
_REFUSED_S = 5.0  # a wrong key in a client's retry loop costs one query per this time
_UNKNOWN_AT_ONCE = 4  # look-ups of unknown keys; the database's other connections are for keys verified before
_UNKNOWN_WAITING = 1_000  # a second's worth of look-ups
_CACHED_KEYS = 10_000  # about 4 MB; refused keys have a cache of the same size


@dataclass(slots=True)
class _Verified:
    """A key that was valid when the database was last asked. Times are monotonic."""

    identity: KeyIdentity
    verified_at: float
    fresh_until: float
    expires_at: float
    """By the key's own date."""


@dataclass(frozen=True, slots=True)
class _Refused:
    message: str
    until: float


_Verdict = _Verified | _Refused


class Verifier:
    """Verified and refused keys of one worker. Not for more than one event loop.

    A revoked key is refused at most ``cache_s`` after its revocation, in every worker, as long as the database answers.
    """

    def __init__(
        self,
        store: KeyStore,
        pepper: Pepper,
        *,
        cache_s: float,
        incoming_trace: IncomingTrace,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        """``incoming_trace`` is that of keys without one of their own; ``clock`` counts seconds, ``now`` is the date."""
        self._store = store
        self._pepper = pepper
        self._cache_s = cache_s
        self._incoming_trace: IncomingTrace = incoming_trace
        self._clock = clock
        self._now = now
        self._timeout_s = timeout_s
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._refused: OrderedDict[bytes, _Refused] = OrderedDict()
        self._lookups: dict[bytes, asyncio.Task[_Verdict | None]] = {}
        self._used_at: dict[str, datetime] = {}
        self._retry_at = 0.0
        self._unknown_lookups = asyncio.Semaphore(_UNKNOWN_AT_ONCE)
        # An unknown id is compared with this, so that it takes as long as a known one with a wrong secret.
        self._dummy_hash = secrets.token_bytes(32)
        self.database_down = False
        """Whether the last look-up got no answer."""

    async def close(self) -> None:
        """Abandon the look-ups under way."""
        tasks = list(self._lookups.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cached(self, credential: str | None) -> KeyIdentity | None:
        """Whose key this is, if it was verified within the cache period; otherwise ``None``: call authenticate()."""
        if credential is None or len(credential) != CREDENTIAL_LENGTH:
            return None
        key = digest(credential)
        entry = self._verified.get(key)
        if entry is None or self._clock() >= entry.fresh_until:
            return None
        self._verified.move_to_end(key)
        return entry.identity

    async def authenticate(self, credential: str | None) -> KeyIdentity:
        """Whose key this is. Raises Unauthenticated, or Unavailable or Overloaded if it cannot be checked at the moment."""
        if credential is None:
            raise Unauthenticated(
                "No API key was given. Send one in the Authorization header: 'Authorization: Bearer gz_...'."
            )
        presented = parse(credential)
        if presented is None:
            raise Unauthenticated("That is not an API key of this gateway: they begin with 'gz_'.")
        identity = self.cached(credential)
        if identity is not None:
            return identity
        key = presented.digest
        refused = self._refused.get(key)
        if refused is not None and self._clock() < refused.until:
            raise Unauthenticated(refused.message)
        match await self._verdict(key, presented):
            case _Verified(identity=identity):
                return identity
            case _Refused(message=message):
                raise Unauthenticated(message)
            case None:
                raise Unavailable(
                    "The gateway cannot check API keys at the moment. Try again shortly.",
                    code="database_unavailable",
                    retry_after_s=_RETRY_S,
                )

    def forget(self, key_id: str) -> None:
        """The next request with this key is looked up."""
        for key in [key for key, entry in self._verified.items() if entry.identity.key_id == key_id]:
            del self._verified[key]

    def take_used_at(self) -> dict[str, datetime]:
        """When keys were looked up, by id, since the last call of this: their last use, give or take the cache period."""
        used_at, self._used_at = self._used_at, {}
        return used_at

    def identity(self, record: KeyRecord) -> KeyIdentity:
        """The identity of a stored key."""
        return KeyIdentity(
            key_id=record.key_id,
            name=record.name,
            customer_id=record.customer_id,
            incoming_trace=record.incoming_trace or self._incoming_trace,
            scopes=record.scopes,
        )

    async def _verdict(self, key: bytes, presented: Credential) -> _Verdict | None:
        """The database's answer, else what was known before, else ``None``."""
        known = key in self._verified
        if not known and key not in self._lookups and len(self._lookups) >= _UNKNOWN_WAITING:
            raise Overloaded("Too many unknown API keys at once. Try again shortly.", retry_after_s=_RETRY_S)
        if self.database_down:
            stale = self._stale(key)
            if stale is not None:
                # No caller waits for a database known to be down; one look-up finds out whether it is back.
                if self._clock() >= self._retry_at and not self._lookups:
                    self._look_up(key, presented)
                return stale
            if self._clock() < self._retry_at:
                return None
        task = self._look_up(key, presented)
        # Not cancelled with its waiter, nor by the timeout: others wait for it, and its answer is kept.
        done, _ = await asyncio.wait({task}, timeout=self._timeout_s)
        if not done:
            # An unknown key may have waited for other unknown keys; that says nothing about the database.
            if known:
                self._no_answer("no answer in time")
            return self._stale(key)
        return task.result() or self._stale(key)

    def _look_up(self, key: bytes, presented: Credential) -> asyncio.Task[_Verdict | None]:
        """The running look-up of this key, or a new one."""
        task = self._lookups.get(key)
        if task is None:
            task = asyncio.create_task(self._find(key, presented), name=f"look up key {presented.key_id}")
            self._lookups[key] = task
            task.add_done_callback(lambda done: self._looked_up(key, done))
        return task

    def _looked_up(self, key: bytes, task: asyncio.Task[_Verdict | None]) -> None:
        self._lookups.pop(key, None)
        if not task.cancelled() and task.exception() is not None:
            logger.error("key look-up failed", exc_info=task.exception())

    async def _find(self, key: bytes, presented: Credential) -> _Verdict | None:
        """One look-up. Keys verified before do not queue behind unknown ones."""
        async with nullcontext() if key in self._verified else self._unknown_lookups:
            return await self._find_now(key, presented)

    async def _find_now(self, key: bytes, presented: Credential) -> _Verdict | None:
        asked_at = self._clock()  # before the query: a key revoked while it runs is accepted no longer than any other
        try:
            stored = await self._store.find(presented.key_id)
        except StorageUnavailable as error:
            self._no_answer(error.reason)
            return None
        if self.database_down:
            self.database_down = False
            logger.info("keys are looked up in the database again")
        verdict = self._judge(presented, stored, asked_at)
        if isinstance(verdict, _Verified):
            _remember(self._verified, key, verdict)
            self._used_at[verdict.identity.key_id] = self._now()
        else:
            _remember(self._refused, key, verdict)
            self._verified.pop(key, None)
        return verdict

    def _judge(self, presented: Credential, stored: StoredKey | None, asked_at: float) -> _Verdict:
        until = asked_at + _REFUSED_S
        matches = hmac.compare_digest(self._pepper.hash(presented.value), stored.hash if stored else self._dummy_hash)
        if stored is None or not matches:
            # The same sentence for an unknown id and for a wrong secret, so that neither helps to guess.
            return _Refused(f"The API key 'gz_{presented.key_id}_...' is not valid.", until)
        record, now = stored.record, self._now()
        match record.state(now):
            case "revoked":
                return _Refused(f"The API key 'gz_{record.key_id}_...' has been revoked.", until)
            case "expired":
                return _Refused(f"The API key 'gz_{record.key_id}_...' has expired.", until)
            case "active":
                left_s = (record.expires_at - now).total_seconds() if record.expires_at else float("inf")
        expires_at = self._clock() + left_s
        return _Verified(self.identity(record), asked_at, min(asked_at + self._cache_s, expires_at), expires_at)

    def _stale(self, key: bytes) -> _Verified | None:
        """A key verified before, if not too long ago. It counts as fresh until the database is next asked."""
        entry, now = self._verified.get(key), self._clock()
        if entry is None or now >= min(entry.verified_at + _STALE_S, entry.expires_at):
            return None
        entry.fresh_until = min(now + _RETRY_S, entry.verified_at + _STALE_S, entry.expires_at)
        return entry

    def _no_answer(self, reason: str) -> None:
        self._retry_at = self._clock() + _RETRY_S
        if not self.database_down:
            self.database_down = True
            logger.warning("keys cannot be looked up; verified ones are still accepted", extra={"reason": reason})


def _remember(cache: OrderedDict[bytes, _T], key: bytes, value: _T) -> None:
    """Put ``value`` last, and drop the entries that were not used for longest."""
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > _CACHED_KEYS:
        cache.popitem(last=False)
