"""The accounts section of an app: the API keys."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gatewayz.accounts.keys.keys import Keys
from gatewayz.config import Settings
from gatewayz.storage.section import Storage
from gatewayz.telemetry import names
from gatewayz.telemetry.setup import Telemetry


@dataclass(frozen=True, slots=True)
class Accounts:
    keys: Keys


@asynccontextmanager
async def open_accounts(settings: Settings, storage: Storage, telemetry: Telemetry) -> AsyncGenerator[Accounts]:
    """Raises ConfigurationError if the stored keys belong to another pepper."""
    keys = await Keys.open(storage.database, settings)
    try:

        def active_keys() -> Iterable[tuple[float, Mapping[str, str]]]:
            return [(keys.active, {})]

        telemetry.observe(names.API_KEYS.name, active_keys)
        yield Accounts(keys)
    finally:
        await keys.close()
