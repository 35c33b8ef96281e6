"""The form of an API key, how one is made, and where a request carries it.

``gz_<public id>_<secret>``: the public id may be shown, logged and looked up; the secret is seen once, by its owner.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

_ALPHABET = string.ascii_letters + string.digits
_ID_LENGTH = 12  # 71 bits: no two keys have the same
_SECRET_LENGTH = 43  # 256 bits: cannot be guessed

_FORM = re.compile(rf"gz_([0-9A-Za-z]{{{_ID_LENGTH}}})_[0-9A-Za-z]{{{_SECRET_LENGTH}}}")
_ID_FORM = re.compile(rf"[0-9A-Za-z]{{{_ID_LENGTH}}}")

CREDENTIAL_LENGTH = len("gz_") + _ID_LENGTH + len("_") + _SECRET_LENGTH


@dataclass(frozen=True, slots=True)
class Credential:
    """A key as its owner sends it: of the right form, not yet verified."""

    key_id: str
    """The public id."""
    value: str = field(repr=False)

    @property
    def digest(self) -> bytes:
        """Of the whole credential: the key of caches, so that a right id with a wrong secret finds nothing."""
        return digest(self.value)


def digest(value: str) -> bytes:
    """SHA-256. Enough in memory, where it only names an entry; stored hashes are made with the pepper."""
    return sha256(value.encode("utf-8", "surrogatepass")).digest()


def new_credential() -> Credential:
    """A new, random key."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    return Credential(key_id, f"gz_{key_id}_{secret}")


def parse(value: str) -> Credential | None:
    """``None`` for anything that cannot be a key of this gateway; decided without the database."""
    # The length first: a pattern never sees a megabyte.
    if len(value) != CREDENTIAL_LENGTH:
        return None
    match = _FORM.fullmatch(value)
    return Credential(match.group(1), value) if match else None


def is_key_id(value: str) -> bool:
    """Whether ``value`` has the form of a public id."""
    return _ID_FORM.fullmatch(value) is not None


def credential_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The key that a request carries: ``Authorization: Bearer`` (OpenAI's clients), else ``x-api-key`` (Anthropic's) or
    ``api-key`` (Azure's), whichever comes first.

    ``headers`` as ASGI gives them: lower-case names. ``None`` if there is none; an empty one counts as none.
    """
    api_key: bytes | None = None
    for name, value in headers:
        if name == b"authorization":
            if value[:7].lower() == b"bearer ":
                token = value[7:].strip()
                if token:
                    return token.decode("latin-1")
        elif name in (b"x-api-key", b"api-key") and not api_key:
            api_key = value.strip()
    return api_key.decode("latin-1") if api_key else None
