"""What a web page of another origin has to be told before its browser lets it call the API (the Fetch standard's CORS protocol).

A browser asks first whether a page may (OPTIONS, without any key), and then hides each answer that does not say so. Cookies are
never allowed, and none of ours exist: who may call is decided by the key alone.
"""

from __future__ import annotations

from gatewayz.dataplane.http import Exchange, Headers

_MAX_AGE = (b"access-control-max-age", b"7200")  # the longest that Chromium remembers
_METHODS = (b"access-control-allow-methods", b"GET, HEAD, POST, DELETE")
_EXPOSED = (b"access-control-expose-headers", b"*")
_VARY = (b"vary", b"origin")


class Browsers:
    """The origins whose pages may call. ``origins`` as in the settings: with commas between, ``*`` for any."""

    def __init__(self, origins: str) -> None:
        self._origins = frozenset(one.strip().rstrip("/").lower().encode() for one in origins.split(",") if one.strip())
        self._any = b"*" in self._origins

    def headers(self, exchange: Exchange) -> Headers:
        """What is said with every answer: nothing, unless a page asks."""
        if not self._origins or (origin := exchange.header(b"origin")) is None:
            return []
        if self._any:
            return [(b"access-control-allow-origin", b"*"), _EXPOSED]
        if origin.lower() not in self._origins:
            return [_VARY]
        return [(b"access-control-allow-origin", origin), _EXPOSED, _VARY]

    def is_preflight(self, exchange: Exchange) -> bool:
        """Whether a browser asks on behalf of a page that may."""
        return (
            exchange.scope["method"] == "OPTIONS"
            and exchange.header(b"access-control-request-method") is not None
            and any(name == b"access-control-allow-origin" for name, _ in self.headers(exchange))
        )


async def answer_preflight(exchange: Exchange) -> None:
    """Yes, with whatever headers the page means to send: SDKs add their own, and ``*`` would not cover Authorization."""
    wished = exchange.header(b"access-control-request-headers")
    allowed = [(b"access-control-allow-headers", wished)] if wished else []
    await exchange.answer(200, [_METHODS, *allowed, _MAX_AGE], b"")
