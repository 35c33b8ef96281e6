"""Which of a caller's headers go on to the provider? Few, and only where both speak the same wire.

Everything else stays here: credentials, cookies, addresses, traces and baggage, and what SDKs tell about themselves.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from gatewayz.errors import InvalidRequest
from gatewayz.upstream import Headers

MAX_CHARACTERS = 2048
"""Claude Code names a dozen betas in one header; this holds seventy."""

_WORDS = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._=:-]*(?:[ \t]*,[ \t]*[A-Za-z0-9][A-Za-z0-9._=:-]*)*\Z")


def forwarded_headers(headers: Collection[tuple[bytes, bytes]], names: frozenset[bytes]) -> Headers:
    """Those of a caller's headers that are in ``names`` (a wire says which: ``HttpTerms.forwarded``); a list that came in several
    lines is joined into one.

    Raises InvalidRequest naming the header when it is not a list of plain words, or a long one.
    """
    if not names or names.isdisjoint(dict(headers)):  # nearly always, and in the time of one look
        return ()
    return _checked(tuple([pair for pair in headers if pair[0] in names]))


def merged(ours: Headers, forwarded: Headers) -> Headers | None:
    """Both as one: the caller's version in the place of ours; of a list (``…-beta``) the operator's words and the caller's.

    None where ``forwarded`` changes nothing.
    """
    before = dict(ours)
    after = dict(before)
    for name, value in forwarded:
        after[name] = f"{before[name]},{value}" if name in before and name.endswith("-beta") else value
    return None if after == before else tuple(after.items())


@lru_cache(maxsize=256)  # a program sends the same ones with every call
def _checked(found: tuple[tuple[bytes, bytes], ...]) -> Headers:
    joined: dict[bytes, bytes] = {}
    for name, value in found:
        if value := value.strip():
            joined[name] = joined[name] + b"," + value if name in joined else value
    for name, value in joined.items():
        if len(value) > MAX_CHARACTERS or not _WORDS.match(value):
            raise InvalidRequest(
                f"The header {name.decode()} must be words of letters, digits, dots and hyphens with commas between, "
                f"{MAX_CHARACTERS} characters at the most.",
                code="invalid_header",
                param=name.decode(),
            )
    return tuple([(name.decode(), value.decode()) for name, value in joined.items()])
