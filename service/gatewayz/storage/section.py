"""The storage section of an app: the database, migrated, and Redis where one is set."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gatewayz.config import Settings
from gatewayz.storage.cache import Cache
from gatewayz.storage.database import Database
from gatewayz.telemetry import names
from gatewayz.telemetry.instrumentation import instrument_redis
from gatewayz.telemetry.setup import Telemetry


@dataclass(frozen=True, slots=True)
class Storage:
    database: Database
    cache: Cache | None
    """None without GATEWAYZ_REDIS_URL."""


@asynccontextmanager
async def open_storage(settings: Settings, telemetry: Telemetry) -> AsyncGenerator[Storage]:
    """Waits for the database and brings its schema up to date; contacts no Redis yet.

    Raises ConfigurationError for a wrong address, StorageUnavailable when the database does not answer.
    """
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.database, on_query=telemetry.record_db)
        stack.push_async_callback(database.close)
        await database.migrate()
        cache = None
        if settings.redis_url is not None:
            cache = Cache.open(settings.redis_url)
            stack.push_async_callback(cache.close)
            instrument_redis(cache.client, telemetry)

        def connections() -> Iterable[tuple[float, Mapping[str, str]]]:
            for state, count in database.connections().items():
                yield count, {names.DB_SYSTEM: database.system, names.DB_CONNECTION_STATE: state}

        telemetry.observe(names.DB_CONNECTIONS.name, connections)
        yield Storage(database, cache)
