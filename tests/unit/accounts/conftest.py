"""Keys over a real database."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from gatewayz.accounts.keys.keys import Keys
from gatewayz.config import Settings, load_settings
from gatewayz.storage.database import Database


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return load_settings(data_dir=tmp_path / "data", database_url=database_url)


@pytest.fixture
async def database(settings: Settings) -> AsyncGenerator[Database]:
    """Open and migrated."""
    database = await Database.open(settings.storage.database)
    try:
        await database.migrate()
        yield database
    finally:
        await database.close()


@pytest.fixture
async def keys(database: Database, settings: Settings) -> AsyncGenerator[Keys]:
    keys = await Keys.open(database, settings)
    yield keys
    await keys.close()
