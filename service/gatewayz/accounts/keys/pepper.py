"""The pepper: a secret outside the database, without which the hashes in it cannot be attacked."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gatewayz.config import Settings
from gatewayz.errors import ConfigurationError

logger = logging.getLogger(__name__)

_MIN_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Pepper:
    """Hashes credentials; shows its id, never its value."""

    value: bytes = field(repr=False)
    pepper_id: str = field(init=False)
    """Distinguishes peppers without revealing anything about them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pepper_id", self.hash("gatewayz pepper id").hex()[:16])

    def hash(self, credential: str) -> bytes:
        """HMAC-SHA-256 of the whole credential, public id included: a hash cannot be moved to another key."""
        return hmac.digest(self.value, credential.encode(), "sha256")


async def load_pepper(settings: Settings, holds_keys: Callable[[], Awaitable[bool]]) -> Pepper:
    """The pepper from the settings, else from its file, which is created if no stored key needs an older one.

    Raises ConfigurationError when the pepper is too short, unreadable, or lost.
    """
    if settings.accounts.key_pepper is not None:
        value = settings.accounts.key_pepper.get_secret_value()
        if len(value) < _MIN_LENGTH:
            raise ConfigurationError(f"GATEWAYZ_KEY_PEPPER is too short: at least {_MIN_LENGTH} characters are needed.")
        return Pepper(value.encode())
    path = settings.storage.data_dir / "pepper"
    pepper = await asyncio.to_thread(_read, path)
    if pepper is None and await holds_keys():
        # Another process may have created the pepper and its first key since the first read: keys never come before it.
        pepper = await asyncio.to_thread(_read, path)
        if pepper is None:
            raise ConfigurationError(
                f"The database holds API keys, but the pepper they were made with is not at {path}. Put that file back, "
                "or set GATEWAYZ_KEY_PEPPER to its content (to the same value wherever this database is used)."
            )
    return pepper or await asyncio.to_thread(_create, path)


def _read(path: Path) -> Pepper | None:
    try:
        value = path.read_bytes().strip()
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"The key pepper at {path} cannot be read: {error.strerror}.") from None
    if len(value) < _MIN_LENGTH:
        raise ConfigurationError(f"The key pepper at {path} is damaged. Put the file back from a copy.")
    if mode & 0o077:
        logger.warning("the key pepper can be read by others; its mode should be 0600", extra={"file": str(path)})
    return Pepper(value)


def _create(path: Path) -> Pepper:
    """Write a new pepper in full, then link it to its name: no process reads half a file, and the first one wins."""
    draft = path.with_name(f".pepper.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_hex(32).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # another process was first: its pepper is ours
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"The key pepper cannot be written to {path}: {error.strerror}.") from None
    pepper = _read(path)
    if pepper is None:
        raise ConfigurationError(f"The key pepper at {path} vanished while it was being made.")
    return pepper
