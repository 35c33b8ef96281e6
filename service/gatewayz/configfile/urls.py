"""What may be the base address of a provider."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def wrong_base_url(url: str, *, plain_http: bool) -> str | None:
    """Why ``url`` may not be a provider's base URL, or None if it may.

    ``plain_http`` allows http for any host; else it is for loopback alone, for the key would travel in the clear. The
    address itself is not repeated when it holds credentials.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"not a valid address: {error}"
    if parts.username is not None or parts.password is not None:
        return "must not hold credentials; give the key in its own variable"
    if parts.scheme not in ("http", "https"):
        return f"must begin with http:// or https:// (given: {url!r})"
    if not parts.hostname or port == 0 or any(character.isspace() for character in url):
        return f"must name a host (given: {url!r})"
    if parts.query or parts.fragment:
        return f"must not hold a query or a fragment (given: {url!r})"
    if parts.scheme == "http" and not plain_http and not _is_loopback(parts.hostname):
        return f"must use https, since the key is sent along (given: {url!r})"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
