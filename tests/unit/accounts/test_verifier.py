"""What the verifier remembers, for how long, and how much of it."""

from __future__ import annotations

import asyncio
import timeit
from datetime import UTC, datetime, timedelta

import pytest

from gatewayz.accounts.keys import verifier as module
from gatewayz.accounts.keys.credentials import Credential, new_credential
from gatewayz.accounts.keys.pepper import Pepper
from gatewayz.accounts.keys.records import KeyRecord
from gatewayz.accounts.keys.store import KeyStore, StoredKey
from gatewayz.accounts.keys.verifier import Verifier
from gatewayz.errors import Overloaded, Unauthenticated
from gatewayz.storage.database import Database

PEPPER = Pepper(b"the pepper of these tests")
NOW = datetime(2026, 11, 21, tzinfo=UTC)


class Clock:
    """Both clocks at once: seconds for the cache, dates for the keys."""

    passed_s = 0.0

    def seconds(self) -> float:
        return self.passed_s

    def date(self) -> datetime:
        return NOW + timedelta(seconds=self.passed_s)


async def stored(store: KeyStore, *, expires_in_s: float | None = None) -> Credential:
    credential = new_credential()
    expires_at = None if expires_in_s is None else NOW + timedelta(seconds=expires_in_s)
    record = KeyRecord(credential.key_id, "a key", None, None, NOW, expires_at, None, None)
    await store.add(StoredKey(record, PEPPER.hash(credential.value), PEPPER.pepper_id))
    return credential


def verifier_of(store: KeyStore, clock: Clock) -> Verifier:
    return Verifier(
        store, PEPPER, cache_s=10, incoming_trace="continue", clock=clock.seconds, now=clock.date, timeout_s=60
    )


async def test_key_is_accepted_for_the_cache_period_and_not_longer(database: Database) -> None:
    store, clock = KeyStore(database), Clock()
    verifier = verifier_of(store, clock)
    credential = (await stored(store)).value
    await verifier.authenticate(credential)
    clock.passed_s = 9.9
    assert verifier.cached(credential) is not None
    clock.passed_s = 10
    assert verifier.cached(credential) is None
    # Use does not prolong it: a revoked key in constant use is found out, too.
    await verifier.authenticate(credential)
    await store.revoke(credential[3:15], clock.date())
    for clock.passed_s in (14, 18, 19.9):
        assert verifier.cached(credential) is not None
    clock.passed_s = 20
    assert verifier.cached(credential) is None
    with pytest.raises(Unauthenticated, match="revoked"):
        await verifier.authenticate(credential)


async def test_key_expires_on_time_within_a_cache_period(database: Database) -> None:
    store, clock = KeyStore(database), Clock()
    verifier = verifier_of(store, clock)
    credential = (await stored(store, expires_in_s=4)).value
    await verifier.authenticate(credential)
    clock.passed_s = 3.9
    assert verifier.cached(credential) is not None
    clock.passed_s = 4
    assert verifier.cached(credential) is None
    with pytest.raises(Unauthenticated, match="expired"):
        await verifier.authenticate(credential)


async def test_refusal_is_not_remembered_for_long(database: Database) -> None:
    store, clock = KeyStore(database), Clock()
    verifier = verifier_of(store, clock)
    late = new_credential()
    with pytest.raises(Unauthenticated):
        await verifier.authenticate(late.value)
    record = KeyRecord(late.key_id, "a key", None, None, NOW, None, None, None)
    await store.add(StoredKey(record, PEPPER.hash(late.value), PEPPER.pepper_id))
    with pytest.raises(Unauthenticated):
        await verifier.authenticate(late.value)
    clock.passed_s = 5
    assert (await verifier.authenticate(late.value)).key_id == late.key_id


async def test_hash_of_one_key_does_not_authenticate_another(database: Database) -> None:
    store = KeyStore(database)
    verifier = verifier_of(store, Clock())
    mine, other = new_credential(), new_credential()
    # As if someone with access to the table had copied the hash of his own key over to another's row.
    record = KeyRecord(other.key_id, "a key", None, None, NOW, None, None, None)
    await store.add(StoredKey(record, PEPPER.hash(mine.value), PEPPER.pepper_id))
    forged = f"gz_{other.key_id}_{mine.value.rsplit('_', 1)[1]}"
    with pytest.raises(Unauthenticated, match="not valid"):
        await verifier.authenticate(forged)


async def test_memory_is_bounded_and_keeps_what_is_used(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHED_KEYS", 3)
    store = KeyStore(database)
    verifier = verifier_of(store, Clock())
    used = (await stored(store)).value
    await verifier.authenticate(used)
    for _ in range(5):
        await verifier.authenticate((await stored(store)).value)
        assert verifier.cached(used) is not None
        with pytest.raises(Unauthenticated):
            await verifier.authenticate(new_credential().value)
    assert len(vars(verifier)["_verified"]) == 3
    assert len(vars(verifier)["_refused"]) == 3


async def test_flood_of_unknown_keys_does_not_block_known_ones(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_UNKNOWN_WAITING", 50)
    store, clock = KeyStore(database), Clock()
    verifier = verifier_of(store, clock)
    known = (await stored(store)).value
    await verifier.authenticate(known)
    flood = [asyncio.create_task(verifier.authenticate(new_credential().value)) for _ in range(200)]
    await asyncio.sleep(0)
    clock.passed_s = 10  # the known key must be looked up again
    good = asyncio.create_task(verifier.authenticate(known))
    await good
    # It did not stand in the queue of unknown keys.
    assert not all(task.done() for task in flood)
    ends = {type(error) for error in await asyncio.gather(*flood, return_exceptions=True)}
    assert ends == {Unauthenticated, Overloaded}
    assert not verifier.database_down


async def test_memory_holds_no_key(database: Database) -> None:
    store = KeyStore(database)
    verifier = verifier_of(store, Clock())
    credential = (await stored(store)).value
    await verifier.authenticate(credential)
    with pytest.raises(Unauthenticated):
        await verifier.authenticate(credential[:-1] + ("a" if credential[-1] != "a" else "b"))
    held = repr(vars(verifier))
    assert credential[3:15] in held
    assert credential[16:40] not in held


async def test_hot_path_is_cheap(database: Database) -> None:
    store = KeyStore(database)
    verifier = verifier_of(store, Clock())
    credential = (await stored(store)).value
    await verifier.authenticate(credential)
    calls = 2000
    yardstick = min(timeit.repeat(lambda: sum(range(300)), number=calls, repeat=5))
    cost = min(timeit.repeat(lambda: verifier.cached(credential), number=calls, repeat=5))
    # About a microsecond, where the yardstick takes three to five: no hashing with the pepper, no query, no surprise.
    assert cost < yardstick
