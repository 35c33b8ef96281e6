"""The database: its address, its file, its transactions, its errors, and what it reports about queries."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from gatewayz.accounts.keys.tables import metadata
from gatewayz.errors import ConfigurationError
from gatewayz.storage.database import Database, OnQuery, StorageUnavailable
from tests.fakes.postgres import PostgresServer


@asynccontextmanager
async def opened(url: str, on_query: OnQuery | None = None) -> AsyncGenerator[Database]:
    database = await Database.open(url, on_query)
    try:
        yield database
    finally:
        await database.close()


async def count(database: Database) -> int:
    async with database.read() as connection:
        return (await connection.execute(text("SELECT count(*) FROM things"))).scalar_one()


async def test_migrated_schema_is_the_one_the_code_uses(database_url: str) -> None:
    def differences(connection: Connection) -> list[Any]:  # Alembic's own type is a union of tuples without a name
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)

    async with opened(database_url) as database:
        await database.migrate()
        async with database.read() as connection:
            assert await connection.run_sync(differences) == []


async def test_migrating_again_changes_nothing_and_logs_nothing(
    database_url: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    async with opened(database_url) as database:
        await database.migrate()
        await database.migrate()
    assert caplog.records == []
    assert capsys.readouterr() == ("", "")


async def test_schema_of_a_newer_version_is_refused_in_one_sentence(database_url: str) -> None:
    async with opened(database_url) as database:
        await database.migrate()
        async with database.write() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(ConfigurationError, match="newer version"):
            await database.migrate()


async def test_write_is_committed_and_a_failed_one_rolled_back(database_url: str) -> None:
    async with opened(database_url) as database:
        async with database.write() as connection:
            await connection.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY)"))
            await connection.execute(text("INSERT INTO things VALUES (1)"))

        async def write_two() -> None:
            async with database.write() as connection:
                await connection.execute(text("INSERT INTO things VALUES (2)"))
                await connection.execute(text("INSERT INTO things VALUES (1)"))

        with pytest.raises(IntegrityError):
            await write_two()
        assert await count(database) == 1


async def test_transactions_that_run_alone_wait_for_each_other(database_url: str) -> None:
    async with opened(database_url) as database:
        async with database.write() as connection:
            await connection.execute(text("CREATE TABLE things (id INTEGER)"))

        async def add_one_more() -> None:
            async with database.write(alone=True) as connection:
                held = (await connection.execute(text("SELECT count(*) FROM things"))).scalar_one()
                await asyncio.sleep(0)
                await connection.execute(text("INSERT INTO things VALUES (:id)"), {"id": held})

        await asyncio.gather(*(add_one_more() for _ in range(8)))
        async with database.read() as connection:
            ids = (await connection.execute(text("SELECT id FROM things ORDER BY id"))).scalars().all()
        assert list(ids) == list(range(8))


async def test_each_query_is_reported_with_its_operation_and_time(database_url: str) -> None:
    reported: list[tuple[str, str, float]] = []

    def on_query(system: str, operation: str, seconds: float) -> None:
        reported.append((system, operation, seconds))

    async with opened(database_url, on_query) as database:
        async with database.write() as connection:
            await connection.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY)"))
            await connection.execute(text("INSERT INTO things VALUES (1)"))
        with pytest.raises(IntegrityError):
            async with database.write() as connection:
                await connection.execute(text("  insert INTO things VALUES (1)"))
        await database.ping()
        # Failed ones count as well: they took their time.
        assert [operation for _, operation, _ in reported] == ["CREATE", "INSERT", "INSERT", "SELECT"]
        assert {system for system, _, _ in reported} == {database.system}
        assert all(seconds > 0 for _, _, seconds in reported)


async def test_connections_are_counted_by_state(database_url: str) -> None:
    async with opened(database_url) as database:
        async with database.read():
            assert database.connections() == {"used": 1, "idle": 0}
        assert database.connections() == {"used": 0, "idle": 1}


async def test_sqlite_file_is_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "down" / "gatewayz.db"
    async with opened(f"sqlite+aiosqlite:///{file}") as database:
        await database.migrate()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes == {"gatewayz.db": 0o600, "gatewayz.db-wal": 0o600, "gatewayz.db-shm": 0o600}


async def test_sqlite_is_set_up_for_many_processes(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path / 'gatewayz.db'}") as database, database.read() as connection:
        found = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 5000}


async def test_locked_sqlite_file_is_unavailable_and_then_available_again(tmp_path: Path) -> None:
    file = tmp_path / "gatewayz.db"
    async with opened(f"sqlite:///{file}?timeout=0.1") as database:
        await database.migrate()
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageUnavailable, match="Try again") as caught:
                async with database.write() as connection:
                    await connection.execute(text("SELECT 1"))
            assert "locked" in caught.value.reason
            assert caught.value.status == 503
            # Write-ahead logging: readers are not in the way of a writer, nor it in theirs.
            await database.ping()
        async with database.write() as connection:
            await connection.execute(text("SELECT 1"))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "not a database address"),
        ("nonsense", "not a database address"),
        ("mysql://localhost/x", "speaks postgresql"),
        ("sqlite+aiosqlite://", "plain file path"),
        ("sqlite+aiosqlite:///:memory:", "plain file path"),
        ("postgresql://u:hunter2@localhost/x?channel_binding=require", "channel_binding is not an option"),
    ],
)
async def test_wrong_address_is_reported_in_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        await Database.open(url)
    assert "hunter2" not in str(caught.value)


async def test_file_that_is_no_database_is_reported_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are notes, and not a database; " * 100)
    for file in (tmp_path / "notes.txt", tmp_path, tmp_path / "notes.txt" / "gatewayz.db"):
        with pytest.raises(ConfigurationError, match="cannot be used"):
            await Database.open(f"sqlite:///{file}")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("postgres://u:hunter2@host:5433/x", "postgresql+asyncpg://u:***@host:5433/x"),
        ("postgresql://u:hunter2@host/x?sslmode=require", "postgresql+asyncpg://u:***@host/x?ssl=require"),
    ],
)
async def test_addresses_of_hosting_services_are_understood(url: str, address: str) -> None:
    async with opened(url) as database:
        assert database.address == address


async def test_migrate_waits_for_unreachable_postgres(postgres: PostgresServer) -> None:
    url = postgres.create_database()
    postgres.stop()
    async with opened(url) as database:
        with pytest.raises(ConfigurationError, match="does not answer"):
            await database.migrate(wait_s=0.3)
        waiting = asyncio.create_task(database.migrate(wait_s=30))
        await asyncio.to_thread(postgres.start)
        await waiting
        await database.ping()


async def test_migrate_does_not_wait_for_postgres_that_rejects_us(shared_postgres: PostgresServer) -> None:
    for url in (shared_postgres.url("no_such_database"), shared_postgres.url("postgres", user="nobody_we_know")):
        async with opened(url) as database:
            with pytest.raises(ConfigurationError, match="refuses us"):
                await database.migrate(wait_s=600)


async def test_database_is_available_again_after_postgres_restarts(postgres: PostgresServer) -> None:
    async with opened(postgres.create_database()) as database:
        await database.ping()
        await asyncio.to_thread(postgres.stop)
        with pytest.raises(StorageUnavailable) as caught:
            await database.ping()
        assert caught.value.reason
        await asyncio.to_thread(postgres.start)
        await database.ping()


async def test_frozen_server_is_unavailable_in_bounded_time(postgres: PostgresServer) -> None:
    async with opened(postgres.create_database()) as database:
        await database.ping()
        postgres.freeze()
        # Generous, but finite: the connection in the pool and a new one are both given up.
        async with asyncio.timeout(30):
            with pytest.raises(StorageUnavailable):
                await database.ping()
        postgres.thaw()
        await database.ping()
