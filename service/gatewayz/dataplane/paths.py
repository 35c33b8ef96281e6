"""Which endpoint does a path mean that names none exactly?

A client appends its own path to the base URL that its user configured, and clients differ in who adds ``/v1``: OpenAI's leave it
to the user, Anthropic's add it themselves. So it comes twice, or not at all, or behind an extra slash; what it means is clear.
"""

from __future__ import annotations

import re

PREFIX = "/v1/"

CONTROL_PLANE = ("/models/stats",)
"""Paths of the control plane (these and what is below them) that a data-plane path without its ``/v1`` could be taken for."""

_SLASHES = re.compile("/{2,}")
_WITHOUT_PREFIX = re.compile(
    r"/+(?:v1/+){0,2}(?:chat/+completions|completions|embeddings|responses|messages|models)(?:/|$)"
)


def is_data_plane(path: str) -> bool:
    """Whether the data plane answers it: everything below /v1, and its endpoints where /v1 is missing or behind another slash.

    Without /v1, a path that the control plane has declared is the control plane's.
    """
    if path.startswith(PREFIX):
        return True
    return _WITHOUT_PREFIX.match(path) is not None and not _is_control_plane(path)


def _is_control_plane(path: str) -> bool:
    short = _SLASHES.sub("/", path)
    return any(short == one or short.startswith(one + "/") for one in CONTROL_PLANE)


def full_path(path: str) -> str:
    """The path with exactly one ``/v1`` and without extra slashes."""
    short = _SLASHES.sub("/", path).strip("/")
    return PREFIX + short.removeprefix("v1/").removeprefix("v1/")
