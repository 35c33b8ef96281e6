"""Which endpoint does a path mean that names none exactly?

A client appends its own path to the base URL that its user configured, and clients differ in who adds ``/v1``: OpenAI's leave it to
the user, Anthropic's add it themselves. So it comes twice, or not at all, or behind an extra slash; the meaning is clear anyway.
"""

from __future__ import annotations

import re

PREFIX = "/v1/"

_SLASHES = re.compile("/{2,}")
_WITHOUT_PREFIX = re.compile(
    r"/+(?:v1/+){0,2}(?:chat/+completions|completions|embeddings|responses|messages|models)(?:/|$)"
)


def is_data_plane(path: str) -> bool:
    """Whether the data plane answers it: everything below /v1, and its endpoints where /v1 is missing or behind another slash."""
    return path.startswith(PREFIX) or _WITHOUT_PREFIX.match(path) is not None


def full_path(path: str) -> str:
    """The path with exactly one ``/v1`` and without extra slashes."""
    short = _SLASHES.sub("/", path).strip("/")
    return PREFIX + short.removeprefix("v1/").removeprefix("v1/")
