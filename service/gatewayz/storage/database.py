"""The database: one SQLAlchemy engine over SQLite or Postgres, and the boundary at which their errors end.

This module knows no domain: tables live with the code that owns them, their history in ``migrations/``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

import asyncpg
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from gatewayz.errors import ConfigurationError, Unavailable
from gatewayz.storage import sqlite
from gatewayz.storage.migrate import upgrade

DatabaseSystem = Literal["sqlite", "postgresql"]
"""``db.system.name`` of the semantic conventions."""

OnQuery = Callable[[str, str, float], None]
"""Called with every statement: system, operation (``SELECT``), seconds. Must not raise."""

_ASYNC_DRIVERS: Mapping[str, tuple[DatabaseSystem, str]] = {
    # What hosting services call it in DATABASE_URL, and what our documentation calls it.
    "postgres": ("postgresql", "postgresql+asyncpg"),
    "postgresql": ("postgresql", "postgresql+asyncpg"),
    "postgresql+asyncpg": ("postgresql", "postgresql+asyncpg"),
    "sqlite": ("sqlite", "sqlite+aiosqlite"),
    "sqlite+aiosqlite": ("sqlite", "sqlite+aiosqlite"),
}

_POSTGRES_OPTIONS = frozenset(
    {"host", "port", "passfile", "ssl", "target_session_attrs", "prepared_statement_cache_size"}
)

_OPERATIONS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP"})

_CONNECT_TIMEOUT_S = 3
_POOL_TIMEOUT_S = 3
# Longer than any statement of ours takes, shorter than a client waits: a frozen server must not freeze the gateway.
_COMMAND_TIMEOUT_S = 5

# The server is there, and its answer will not change.
_FINAL_ERRORS = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)

# Any constant will do, as long as nothing else uses it in the same Postgres database.
_ADVISORY_LOCK = 0x67617465_7A

_WRITES = "gatewayz_writes"


class StorageUnavailable(Unavailable):
    """The database did not do what was asked. ``reason`` is the driver's message, for logs and operators."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "The gateway cannot reach its database at the moment. Try again shortly.",
            code="database_unavailable",
            retry_after_s=1,
        )
        self.reason = reason


class Database:
    """An open engine. Its connections raise StorageUnavailable where the driver would raise its own errors; only
    IntegrityError passes, which is an answer, and ProgrammingError, which is a mistake of ours."""

    def __init__(self, engine: AsyncEngine, system: DatabaseSystem) -> None:
        """Use ``Database.open``."""
        self._engine = engine
        self.system: DatabaseSystem = system
        self.address = engine.url.render_as_string(hide_password=True)
        """For messages: without the password."""

    @classmethod
    async def open(cls, url: str, on_query: OnQuery | None = None) -> Database:
        """Makes the engine; for SQLite also the file and its directory. No server is contacted yet.

        Raises ConfigurationError when the address is wrong or the SQLite file cannot be made.
        """
        parsed, system = _parse(url)
        if system == "sqlite":
            await asyncio.to_thread(sqlite.prepare, parsed.database or "")
            engine = create_async_engine(
                parsed,
                hide_parameters=True,
                pool_timeout=_POOL_TIMEOUT_S,
                connect_args={} if "timeout" in parsed.query else {"timeout": sqlite.BUSY_TIMEOUT_S},
            )
            event.listen(engine.sync_engine, "connect", sqlite.configure)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
        else:
            engine = create_async_engine(
                parsed,
                hide_parameters=True,
                pool_timeout=_POOL_TIMEOUT_S,
                # A look-up happens once per key and cache period: a round trip more is cheaper than a failed request
                # after every restart of the server.
                pool_pre_ping=True,
                connect_args={"timeout": _CONNECT_TIMEOUT_S, "command_timeout": _COMMAND_TIMEOUT_S},
            )
        if on_query is not None:
            _time_queries(engine, system, on_query)
        return cls(engine, system)

    async def close(self) -> None:
        """Closes every pooled connection."""
        await self._engine.dispose()

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection for reading, in a transaction of its own that is rolled back at the end."""
        return self._connection()

    def write(self, *, alone: bool = False) -> AbstractAsyncContextManager[AsyncConnection]:
        """One transaction: committed at the end of the block, rolled back if it raises.

        ``alone``: no other such transaction runs at the same time, in any process. (On SQLite all writers are.)
        """
        return self._transaction(alone=alone)

    async def ping(self) -> None:
        """Raises StorageUnavailable unless the database answers a query."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    def connections(self) -> Mapping[str, int]:
        """Connections by ``db.client.connection.state``."""
        pool = self._engine.pool
        if isinstance(pool, QueuePool):
            return {"used": pool.checkedout(), "idle": pool.checkedin()}
        return {}

    async def migrate(self, wait_s: float = 30) -> None:
        """Brings the schema to what this version needs. Any number of processes may do so at once: one does it, the others
        wait and find it done.

        Waits up to ``wait_s`` for a database that does not answer yet, since both are often started together. Raises
        ConfigurationError after that, and at once when waiting would not help (a wrong password, a schema that is newer than
        this version).
        """
        deadline = time.monotonic() + wait_s
        while True:
            try:
                async with self.write(alone=True) as connection:
                    await connection.run_sync(upgrade)
                return
            except StorageUnavailable as error:
                if isinstance(error.__cause__, _FINAL_ERRORS):
                    raise ConfigurationError(f"The database {self.address} refuses us ({error.reason}).") from None
                if time.monotonic() >= deadline:
                    raise ConfigurationError(f"The database {self.address} does not answer ({error.reason}).") from None
                await asyncio.sleep(0.2)

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                yield connection
        except (IntegrityError, ProgrammingError):
            raise
        # OSError: refused, reset, and the driver's timeouts. SQLAlchemy passes on asyncpg's errors while connecting.
        except (DBAPIError, PoolTimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise StorageUnavailable(_reason(error)) from error

    @asynccontextmanager
    async def _transaction(self, *, alone: bool) -> AsyncGenerator[AsyncConnection]:
        async with self._connection() as connection:
            await connection.execution_options(**{_WRITES: True})
            async with connection.begin():
                if alone and self.system == "postgresql":
                    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
                yield connection


def _parse(url: str) -> tuple[URL, DatabaseSystem]:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "GATEWAYZ_DATABASE_URL is not a database address; "
            "it looks like postgresql+asyncpg://user:password@host:5432/name or sqlite+aiosqlite:////path/file.db."
        ) from None
    known = _ASYNC_DRIVERS.get(parsed.drivername)
    if known is None:
        raise ConfigurationError(
            f"GATEWAYZ_DATABASE_URL names {parsed.drivername!r}; "
            "this version speaks postgresql+asyncpg and sqlite+aiosqlite."
        )
    system, driver = known
    parsed = parsed.set(drivername=driver)
    if system == "sqlite":
        return parsed, system
    if "sslmode" in parsed.query:
        # libpq's name, which hosting services use in their addresses; asyncpg takes the same values as "ssl".
        mode = parsed.query["sslmode"]
        parsed = parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    unknown = sorted(set(parsed.query) - _POSTGRES_OPTIONS)
    if unknown:
        raise ConfigurationError(
            f"GATEWAYZ_DATABASE_URL: {', '.join(unknown)} is not an option of asyncpg; leave it out."
        )
    return parsed, system


def _reason(error: BaseException) -> str:
    """The first line of the driver's message; never the statement or its parameters."""
    origin = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    lines = str(origin).splitlines()
    return f"{type(origin).__name__}: {lines[0][:200]}" if lines else type(origin).__name__


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that begins as a reader and then writes fails at once if another writer came between: SQLite cannot
    # wait for a lock without breaking the snapshot. So writers declare it from the beginning.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _time_queries(engine: AsyncEngine, system: DatabaseSystem, on_query: OnQuery) -> None:
    """Reports each statement to ``on_query`` with its time, failed ones included."""

    # Any: the parameters are SQLAlchemy's; cursor and context differ by driver.
    def before(
        _connection: Connection, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool
    ) -> None:
        context.gatewayz_started = time.perf_counter()

    def finish(statement: str, context: Any) -> None:
        operation = statement.lstrip()[:8].split(None, 1)[0].upper() if statement else ""
        if operation in _OPERATIONS:
            on_query(system, operation, time.perf_counter() - context.gatewayz_started)

    def after(
        _connection: Connection, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool
    ) -> None:
        finish(statement, context)

    def failed(context: ExceptionContext) -> None:
        execution = context.execution_context
        if execution is not None and context.statement and hasattr(execution, "gatewayz_started"):
            finish(context.statement, execution)

    event.listen(engine.sync_engine, "before_cursor_execute", before)
    event.listen(engine.sync_engine, "after_cursor_execute", after)
    event.listen(engine.sync_engine, "handle_error", failed)
