"""Which web pages of other origins may call the API? (The Fetch standard's CORS protocol.)

A browser first sends a preflight request (OPTIONS, without any key), and then hides each answer whose headers do not allow the
page's origin. Cookies are never allowed, and the gateway sets none: only the key decides who may call.
"""

from __future__ import annotations

from gatewayz.dataplane.http import Exchange, Headers

_MAX_AGE = (b"access-control-max-age", b"7200")  # the longest that Chromium remembers
_METHODS = (b"access-control-allow-methods", b"GET, HEAD, POST, DELETE")
_EXPOSED = (b"access-control-expose-headers", b"*")
_VARY = (b"vary", b"origin")


class Browsers:
    """The origins whose pages may call. ``origins`` as in the settings: separated by commas, ``*`` for any."""

    def __init__(self, origins: str) -> None:
        self._origins = frozenset(one.strip().rstrip("/").lower().encode() for one in origins.split(",") if one.strip())
        self._any = b"*" in self._origins

    def headers(self, exchange: Exchange) -> Headers:
        """The CORS headers of every answer; none where the request has no origin."""
        if not self._origins or (origin := exchange.header(b"origin")) is None:
            return []
        if self._any:
            return [(b"access-control-allow-origin", b"*"), _EXPOSED]
        if origin.lower() not in self._origins:
            return [_VARY]
        return [(b"access-control-allow-origin", origin), _EXPOSED, _VARY]

    def is_preflight(self, exchange: Exchange) -> bool:
        """Whether this is the preflight request of a page that may call."""
        return (
            exchange.scope["method"] == "OPTIONS"
            and exchange.header(b"access-control-request-method") is not None
            and any(name == b"access-control-allow-origin" for name, _ in self.headers(exchange))
        )


async def answer_preflight(exchange: Exchange) -> None:
    """Allows all headers that the page asks to send: SDKs add their own, and ``*`` would not cover Authorization."""
    requested = exchange.header(b"access-control-request-headers")
    allowed = [(b"access-control-allow-headers", requested)] if requested else []
    await exchange.answer(200, [_METHODS, *allowed, _MAX_AGE], b"")
