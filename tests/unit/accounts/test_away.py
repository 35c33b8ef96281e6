"""The database goes away and comes back: known keys are served, unknown ones get 503 and never 401, nobody waits long."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatewayz.accounts.keys.keys import Keys
from gatewayz.accounts.keys.pepper import load_pepper
from gatewayz.accounts.keys.store import KeyStore
from gatewayz.accounts.keys.verifier import Verifier
from gatewayz.config import load_settings
from gatewayz.errors import Unauthenticated, Unavailable
from gatewayz.storage.database import Database
from tests.fakes.postgres import PostgresServer
from tests.polling import until

CACHE_S = 10.0


@dataclass(slots=True)
class Clock:
    """Seconds that pass when the test says so."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass(frozen=True, slots=True)
class Rig:
    database: Database
    keys: Keys
    verifier: Verifier
    clock: Clock


@asynccontextmanager
async def rigged(url: str, tmp_path: Path, *, timeout_s: float = 20) -> AsyncGenerator[Rig]:
    """Keys to administer, and a verifier on a clock of its own over the same database."""
    settings = load_settings(data_dir=tmp_path / "data", database_url=url)
    database = await Database.open(url)
    try:
        await database.migrate()
        keys = await Keys.open(database, settings)
        store, clock = KeyStore(database), Clock()

        async def holds_keys() -> bool:
            return True

        verifier = Verifier(
            store,
            await load_pepper(settings, holds_keys),
            cache_s=CACHE_S,
            incoming_trace="continue",
            clock=clock,
            timeout_s=timeout_s,
        )
        try:
            yield Rig(database, keys, verifier, clock)
        finally:
            await verifier.close()
            await keys.close()
    finally:
        await database.close()


async def settled(verifier: Verifier) -> None:
    """Return when no look-up is under way."""
    await until(lambda: not vars(verifier)["_lookups"])


async def test_stopped_database(postgres: PostgresServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with rigged(postgres.create_database(), tmp_path) as rig:
        identity, credential = await rig.keys.create("known")
        _, never_seen = await rig.keys.create("never seen")
        await rig.verifier.authenticate(credential)
        caplog.clear()
        await asyncio.to_thread(postgres.stop)

        # Within the cache period nobody notices.
        assert rig.verifier.cached(credential) == identity
        # After it, the key is served on, and from memory between one question to the database and the next.
        rig.clock.now_s += CACHE_S
        assert rig.verifier.cached(credential) is None
        assert await rig.verifier.authenticate(credential) == identity
        assert rig.verifier.cached(credential) == identity
        # A key nobody has seen is neither good nor bad.
        for _ in range(3):
            with pytest.raises(Unavailable) as caught:
                await rig.verifier.authenticate(never_seen)
            assert (caught.value.status, caught.value.retry_after_s) == (503, 1)
        for _ in range(5):
            rig.clock.now_s += 60
            assert await rig.verifier.authenticate(credential) == identity
            await settled(rig.verifier)
        # A quarter of an hour is enough.
        rig.clock.now_s += 15 * 60
        with pytest.raises(Unavailable):
            await rig.verifier.authenticate(credential)

        await asyncio.to_thread(postgres.start)
        rig.clock.now_s += 1
        assert (await rig.verifier.authenticate(never_seen)).name == "never seen"
        assert await rig.verifier.authenticate(credential) == identity
    # One line when it goes, one when it comes back: not one for each request.
    assert [record.getMessage() for record in caplog.records if record.name.endswith("verifier")] == [
        "keys cannot be looked up; verified ones are still accepted",
        "keys are looked up in the database again",
    ]


async def test_key_revoked_while_the_database_was_away_is_refused_once_it_is_back(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    async with rigged(postgres.create_database(), tmp_path) as rig:
        identity, credential = await rig.keys.create("known")
        await rig.verifier.authenticate(credential)
        await asyncio.to_thread(postgres.stop)
        rig.clock.now_s += CACHE_S
        assert await rig.verifier.authenticate(credential) == identity
        await asyncio.to_thread(postgres.start)
        await rig.keys.revoke(identity.key_id)
        # This request finds out that the database is back; it did not wait for that, the next one knows.
        rig.clock.now_s += 1
        assert await rig.verifier.authenticate(credential) == identity
        await settled(rig.verifier)
        with pytest.raises(Unauthenticated, match="revoked"):
            await rig.verifier.authenticate(credential)


async def test_frozen_database_costs_one_wait_and_no_more(postgres: PostgresServer, tmp_path: Path) -> None:
    async with rigged(postgres.create_database(), tmp_path, timeout_s=0.2) as rig:
        identity, credential = await rig.keys.create("known")
        _, never_seen = await rig.keys.create("never seen")
        await rig.verifier.authenticate(credential)
        postgres.freeze()
        rig.clock.now_s += CACHE_S
        # Far less than what the driver would wait.
        async with asyncio.timeout(3):
            for _ in range(20):
                assert await rig.verifier.authenticate(credential) == identity
                rig.clock.now_s += 1
            with pytest.raises(Unavailable):
                await rig.verifier.authenticate(never_seen)
        postgres.thaw()
        await settled(rig.verifier)
        rig.clock.now_s += 1
        assert (await rig.verifier.authenticate(never_seen)).name == "never seen"


async def test_locked_sqlite_file(tmp_path: Path) -> None:
    file = tmp_path / "gatewayz.db"
    async with rigged(f"sqlite:///{file}?timeout=0.1", tmp_path) as rig:
        identity, credential = await rig.keys.create("known")
        _, never_seen = await rig.keys.create("never seen")
        await rig.verifier.authenticate(credential)
        await rig.database.close()  # the idle connections only: the next use opens others
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN IMMEDIATE")
            rig.clock.now_s += CACHE_S
            assert await rig.verifier.authenticate(credential) == identity
            with pytest.raises(Unavailable):
                await rig.verifier.authenticate(never_seen)
        rig.clock.now_s += 1
        assert (await rig.verifier.authenticate(never_seen)).name == "never seen"
