"""A throwaway key: for our own tools when they run beside the gateway's database and were given none."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator

from gatewayz.accounts.keys.commands import create_key, revoke_key
from gatewayz.config import Settings
from gatewayz.errors import ConfigurationError, GatewayError

_EXPIRES_IN_S = 3600
"""The key expires by itself if the tool is killed before it can revoke it."""


@contextlib.contextmanager
def throwaway_key(settings: Settings, name: str, *, expires_in_s: float = _EXPIRES_IN_S) -> Generator[str]:
    """A fresh key, revoked on the way out. Not to be called from within an event loop.

    Raises ConfigurationError when there is no database to make it in: none is created, since no gateway would know it.
    """
    file = settings.sqlite_file
    if file is not None and not file.exists():
        raise ConfigurationError(f"there is no database at {file}")
    try:
        identity, key = asyncio.run(create_key(settings, name, expires_in_s=expires_in_s))
    except GatewayError as error:
        raise ConfigurationError(str(error)) from None
    try:
        yield key
    finally:
        # A key that could not be revoked expires by itself; the tool's own result matters more than this.
        with contextlib.suppress(GatewayError):
            asyncio.run(revoke_key(settings, identity.key_id))
