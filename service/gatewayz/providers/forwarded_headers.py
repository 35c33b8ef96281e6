"""Which of a caller's headers go on to the provider? Few, and only where both speak the same wire.

Everything else stays here: credentials, cookies, addresses, traces and baggage, and what SDKs tell about themselves.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

from gatewayz.errors import InvalidRequest
from gatewayz.wires.base import Wire

MAX_CHARACTERS = 2048
"""Claude Code names a dozen betas in one header; this holds seventy."""

_OPENAI = frozenset({b"openai-beta"})
FORWARDED: Mapping[Wire, frozenset[bytes]] = {
    "openai_chat": _OPENAI,
    "openai_completions": _OPENAI,
    "openai_responses": _OPENAI,
    # Without them the API refuses members of the body that belong to a beta.
    "anthropic_messages": frozenset({b"anthropic-beta", b"anthropic-version"}),
}
_WORDS = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._=:-]*(?:[ \t]*,[ \t]*[A-Za-z0-9][A-Za-z0-9._=:-]*)*\Z")


def forwarded_headers(headers: Collection[tuple[bytes, bytes]], wire: Wire) -> tuple[tuple[str, str], ...]:
    """Those that a provider of the caller's own ``wire`` gets to see; lists that came in several lines are joined.

    Raises InvalidRequest naming the header when it is not a list of plain words, or a long one.
    """
    names = FORWARDED.get(wire)
    if names is None or names.isdisjoint(dict(headers)):  # nearly always, and in the time of one look
        return ()
    return _checked(tuple([pair for pair in headers if pair[0] in names]))


@lru_cache(maxsize=256)  # a program sends the same ones with every call
def _checked(found: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[str, str], ...]:
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
