"""May this caller in? Answered from memory for most requests, from the database once per key and cache period.

Fails closed for a key it has not seen, with 503 and not 401, when the database is away: refusing a good key as bad would
make its owner throw it away. Fails open, for a quarter of an hour, for one that it has verified before.
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

_STALE_S = 15 * 60  # a database that is away longer than this is an outage that people know about
_RETRY_S = 1.0  # while the database is away it is asked this often, so it is back in use a second after it is back
_PATIENCE_S = 2.0  # a look-up takes a millisecond; whoever waits this long waits for a database that is away
_REFUSED_S = 5.0  # a wrong key in a client's retry loop costs one query per this time
_STRANGERS_AT_ONCE = 4  # of the database's connections: the others are for keys we know, whatever the world sends us
_STRANGERS_WAITING = 1_000  # a second's worth of look-ups
_CACHED_KEYS = 10_000  # about 4 MB, and as much again for refused ones


@dataclass(slots=True)
class _Verified:
    """A key that was right when the database was last asked. Times are monotonic."""

    identity: KeyIdentity
    verified_at: float
    fresh_until: float
    dead_at: float
    """When it expires by its own date."""


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
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """``incoming_trace`` is that of keys without one of their own; ``clock`` counts seconds, ``now`` tells the date."""
        self._store = store
        self._pepper = pepper
        self._cache_s = cache_s
        self._incoming_trace: IncomingTrace = incoming_trace
        self._clock = clock
        self._now = now
        self._patience_s = patience_s
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._refused: OrderedDict[bytes, _Refused] = OrderedDict()
        self._lookups: dict[bytes, asyncio.Task[_Verdict | None]] = {}
        self._used_at: dict[str, datetime] = {}
        self._retry_at = 0.0
        self._strangers = asyncio.Semaphore(_STRANGERS_AT_ONCE)
        # What a miss is compared with, so that it takes the time of a hit.
        self._nobody = secrets.token_bytes(32)
        self.database_away = False
        """Whether the last look-up got no answer."""

    @property
    def size(self) -> int:
        """Keys remembered as verified."""
        return len(self._verified)

    async def close(self) -> None:
        """Abandon the look-ups under way."""
        tasks = list(self._lookups.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cached(self, credential: str | None) -> KeyIdentity | None:
        """Whose key this is, if that was verified within the cache period; ``None`` says nothing: ask authenticate()."""
        if credential is None or len(credential) != CREDENTIAL_LENGTH:
            return None
        key = digest(credential)
        entry = self._verified.get(key)
        if entry is None or self._clock() >= entry.fresh_until:
            return None
        self._verified.move_to_end(key)
        return entry.identity

    async def authenticate(self, credential: str | None) -> KeyIdentity:
        """Whose key this is. Raises Unauthenticated, or Unavailable or Overloaded if that cannot be known at the moment."""
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
        match await self._ask(key, presented):
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
        """When keys were looked up, by id, since this was last called: their last use, to the cache period."""
        used_at, self._used_at = self._used_at, {}
        return used_at

    def identity(self, record: KeyRecord) -> KeyIdentity:
        """What the gateway says about a key."""
        return KeyIdentity(
            key_id=record.key_id,
            name=record.name,
            customer_id=record.customer_id,
            incoming_trace=record.incoming_trace or self._incoming_trace,
        )

    async def _ask(self, key: bytes, presented: Credential) -> _Verdict | None:
        """The database's word, else what was known before, else ``None``."""
        known = key in self._verified
        if not known and key not in self._lookups and len(self._lookups) >= _STRANGERS_WAITING:
            raise Overloaded("Too many unknown API keys at once. Try again shortly.", retry_after_s=_RETRY_S)
        if self.database_away:
            stale = self._stale(key)
            if stale is not None:
                # Nobody waits for a database known to be away; one look-up finds out whether it is back.
                if self._clock() >= self._retry_at and not self._lookups:
                    self._look_up(key, presented)
                return stale
            if self._clock() < self._retry_at:
                return None
        task = self._look_up(key, presented)
        # Not cancelled with its waiter, nor by the clock: others wait for it, and its answer is worth keeping.
        done, _ = await asyncio.wait({task}, timeout=self._patience_s)
        if not done:
            # A stranger may have waited for other strangers; that says nothing about the database.
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
        """One look-up. Keys that we know do not queue behind those that we do not."""
        async with nullcontext() if key in self._verified else self._strangers:
            return await self._find_now(key, presented)

    async def _find_now(self, key: bytes, presented: Credential) -> _Verdict | None:
        asked_at = self._clock()  # before the query: a key revoked while it runs is believed no longer than any other
        try:
            stored = await self._store.find(presented.key_id)
        except StorageUnavailable as error:
            self._no_answer(error.reason)
            return None
        if self.database_away:
            self.database_away = False
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
        right = hmac.compare_digest(self._pepper.hash(presented.value), stored.hash if stored else self._nobody)
        if stored is None or not right:
            # One sentence for an unknown id and for a wrong secret: neither is a hint.
            return _Refused(f"The API key 'gz_{presented.key_id}_...' is not valid.", until)
        record, now = stored.record, self._now()
        match record.state(now):
            case "revoked":
                return _Refused(f"The API key 'gz_{record.key_id}_...' has been revoked.", until)
            case "expired":
                return _Refused(f"The API key 'gz_{record.key_id}_...' has expired.", until)
            case "active":
                left_s = (record.expires_at - now).total_seconds() if record.expires_at else float("inf")
        dead_at = self._clock() + left_s
        return _Verified(self.identity(record), asked_at, min(asked_at + self._cache_s, dead_at), dead_at)

    def _stale(self, key: bytes) -> _Verified | None:
        """What was verified before, if not too long ago. It counts as fresh until the database is next asked."""
        entry, now = self._verified.get(key), self._clock()
        if entry is None or now >= min(entry.verified_at + _STALE_S, entry.dead_at):
            return None
        entry.fresh_until = min(now + _RETRY_S, entry.verified_at + _STALE_S, entry.dead_at)
        return entry

    def _no_answer(self, reason: str) -> None:
        self._retry_at = self._clock() + _RETRY_S
        if not self.database_away:
            self.database_away = True
            logger.warning("keys cannot be looked up; verified ones are still accepted", extra={"reason": reason})


def _remember(cache: OrderedDict[bytes, _T], key: bytes, value: _T) -> None:
    """Put ``value`` last, and let the one go that was not used for longest."""
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > _CACHED_KEYS:
        cache.popitem(last=False)
