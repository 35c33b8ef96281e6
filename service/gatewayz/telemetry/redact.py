"""The last line of defence against secrets in telemetry, and the place where texts from outside are cut.

No code should log a key. If it happens, this finds what is shaped like one. The test that runs on every line is a
few substring searches (about 3 µs for half a kilobyte); the expressions run only where one of them hits.
"""

from __future__ import annotations

import re
from functools import lru_cache

MASK = "[redacted]"
REMEMBERED_LENGTH = 256
"""Longer texts are not kept for the next time."""

_HINTS = (
    b"gz_",
    b"sk-",
    b"sk_",
    b"AIza",
    b"earer ",
    b"uthorization",
    b"UTHORIZATION",
    b"BEARER ",
    b"pi-key",
    b"pi_key",
)

_TEXT_HINTS = tuple(hint.decode() for hint in _HINTS)

_PATTERNS = (
    # Our own keys: prefix, public id, secret. The public id stays, so that the key can be found and revoked.
    (re.compile(r"\b(gz_[A-Za-z0-9]{1,24}_)[A-Za-z0-9_\-]{12,}"), rf"\1{MASK}"),
    (re.compile(r"\b(gz_)[A-Za-z0-9\-]{20,}"), rf"\1{MASK}"),
    # Providers': OpenAI and those that copied its shape (sk-…, sk-proj-…, gsk_…), Google's.
    (re.compile(r"\b([a-z]{0,4}sk[-_])[A-Za-z0-9_\-]{12,}"), rf"\1{MASK}"),
    (re.compile(r"\b(AIza)[A-Za-z0-9_\-]{20,}"), rf"\1{MASK}"),
    # Header values, however the header came to be printed.
    (
        re.compile(
            r"\b((?:proxy-)?authorization|x-api-key|api[-_]key)(\\?[\"']?\s*[:=,]\s*(?:b(?=\\?[\"']))?\\?[\"']?)"
            r"(?!\[redacted)(?:(?:bearer|basic)\s+)?[^\s\"'\\,;}\])]+",
            re.IGNORECASE,
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"\b(bearer\s+)[A-Za-z0-9._~+/\-]{8,}=*", re.IGNORECASE), rf"\1{MASK}"),
)  # fmt: skip

_QUOTED = re.compile(r"\"[^\"]*\"?|'[^']*'?|`[^`]*`?|“[^”]*”?")


def redact_line(line: bytes) -> bytes:
    """``line`` without anything shaped like a key or a credential; the very same object if there is nothing."""
    for hint in _HINTS:
        if hint in line:
            return redact(line.decode(errors="replace")).encode()
    return line


def redact(text: str) -> str:
    """``text`` without anything shaped like a key or a credential."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def clean(text: str) -> str:
    """``redact`` for short texts that are seldom seen twice: the very same object if there is nothing."""
    for hint in _TEXT_HINTS:
        if hint in text:
            return redact(text)
    return text


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters of a text from outside, redacted first, so that no half key survives the cut."""
    # Models, user agents and paths come again and again.
    return _cut_short(text, limit) if len(text) <= REMEMBERED_LENGTH else _cut(text, limit)


def _cut(text: str, limit: int) -> str:
    text = clean(text[: limit * 4])
    return text if len(text) <= limit else text[:limit]


_cut_short = lru_cache(maxsize=1024)(_cut)


def error_message(text: str, limit: int = 200) -> str:
    """What may be kept of an error text from outside: its first characters, without secrets and without
    anything in quotes, since providers and drivers quote what they were sent."""
    return cut(_QUOTED.sub("…", text[: limit * 4]), limit)
