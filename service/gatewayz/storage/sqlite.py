"""What makes a SQLite file fit for several processes: the journal, the waiting, the file's mode."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine.interfaces import DBAPIConnection

from gatewayz.errors import ConfigurationError

BUSY_TIMEOUT_S = 5.0
"""How long a writer waits for another one: many times what a write takes, and less than a client waits."""


def prepare(file: str) -> None:
    """Makes the file (mode 0600: it holds key hashes) and its directory, and puts it into write-ahead mode. Blocking.

    Raises ConfigurationError with what is wrong and where.
    """
    if not file or file == ":memory:" or file.startswith("file:"):
        raise ConfigurationError(
            "GATEWAYZ_DATABASE_URL: SQLite needs a plain file path, e.g. sqlite+aiosqlite:////path/gatewayz.db."
        )
    path = Path(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # SQLite gives the -wal and -shm files the mode of the main file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        _write_ahead(path)
    except OSError as error:
        raise ConfigurationError(f"The database file {path} cannot be used: {error.strerror or error}.") from None
    except sqlite3.Error as error:
        raise ConfigurationError(f"The database file {path} cannot be used: {error}.") from None


def _write_ahead(path: Path) -> None:
    # The mode is kept in the file, so once is enough; but when several processes switch at once, SQLite refuses the
    # late ones without waiting.
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.01)


def configure(connection: DBAPIConnection, _record: object) -> None:
    """Sets up a new connection, before its first use."""
    # None: the driver begins no transaction by itself; Database does, and declares whether it will write.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA foreign_keys = ON")
        # With a write-ahead log this loses nothing when the process dies, at most the last transactions when power fails.
        cursor.execute("PRAGMA synchronous = NORMAL")
    finally:
        cursor.close()
