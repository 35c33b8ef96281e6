"""Brings a schema up to date with Alembic, without its command line, its ini file and its log lines."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from gatewayz.errors import ConfigurationError

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Runs what is missing, inside the transaction that ``connection`` is in; the caller holds the lock.

    Raises ConfigurationError when the schema comes from a newer version.
    """
    try:
        with _quiet("alembic"):
            command.upgrade(alembic_config(connection), "head")
    except CommandError as error:
        raise ConfigurationError(
            f"The database was last used by a newer version of the gateway ({error}). Start that version or newer."
        ) from None


def alembic_config(connection: Connection) -> Config:
    """In place of an alembic.ini."""
    config = Config()
    # Percent signs are read as interpolation, as in any ini file.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _quiet(name: str) -> Generator[None]:
    """Alembic logs its dialect at INFO on each start; only its warnings matter."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
