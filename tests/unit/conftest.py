"""Databases for whoever needs one: SQLite always, PostgreSQL where it is installed, and in CI without excuse."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.fakes.postgres import PostgresServer, find_binaries, running_postgres


@pytest.fixture(scope="session")
def shared_postgres() -> Generator[PostgresServer]:
    """One server for the whole run. Tests that stop it use ``postgres``, which sees to it that it runs again."""
    binaries = find_binaries()
    if binaries is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed; CI runs every test (see .ci/run)")
        pytest.skip("PostgreSQL is not installed")
    with running_postgres(binaries) as server:
        yield server


@pytest.fixture
def postgres(shared_postgres: PostgresServer) -> Generator[PostgresServer]:
    """A server that this test may stop and freeze."""
    yield shared_postgres
    shared_postgres.stop()
    shared_postgres.start()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'store' / 'gatewayz.db'}"
    server: PostgresServer = request.getfixturevalue("shared_postgres")
    return server.create_database()
