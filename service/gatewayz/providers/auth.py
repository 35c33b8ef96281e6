"""How a provider is shown who we are: by a key that is sent as it is, or by a proof made anew for each request.

A static key needs no look at the request, so it costs neither an await nor a copy: its headers are made once, when the
configuration is read. A signature over the body, or a token that expires, is an ``Auth``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from msgspec.structs import replace

from gatewayz.configfile.schema import KeyScheme
from gatewayz.errors import ProviderConnectTimeout
from gatewayz.providers.keypool import Secret
from gatewayz.upstream import Headers, Timeouts, UpstreamRequest


class SecretHeaders(tuple[tuple[str, str], ...]):
    """Headers of which one may hold a key: like a Secret, they do not show themselves."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} headers>"


class Auth(Protocol):
    """Proves who we are, request by request."""

    async def headers(self, request: UpstreamRequest) -> Headers:
        """The headers to add to ``request``, which is complete: its method, url, headers and body go out as they are here, so
        that they can be signed.

        A token that is still valid should be returned without waiting; several calls may ask at once. Raises a GatewayError
        when there is no proof to be had.
        """
        ...


@dataclass(frozen=True, slots=True, repr=False)
class StaticKey:
    """A key that is sent as it is; if there are several, the key pool says which."""

    headers: Mapping[Secret | None, Headers]
    """All headers of a request, by the key that it is sent with (None: without one). The same key always has the very same
    tuple, by which the HTTP client recognises a head that it has written before."""

    @classmethod
    def of(cls, headers: Headers, scheme: KeyScheme, keys: Iterable[Secret]) -> StaticKey:
        """``headers`` are those that every request carries, whichever key."""
        by_key: dict[Secret | None, Headers] = {None: headers}
        for key in keys:
            by_key[key] = SecretHeaders((*headers, _credential(scheme, key)))
        return cls(by_key)


async def proven(request: UpstreamRequest, auth: Auth) -> UpstreamRequest:
    """``request`` with the proof that ``auth`` gives for it.

    Waiting for a token is part of connecting, and of the attempt's total. Raises ProviderConnectTimeout when it takes longer,
    and what ``auth`` raises.
    """
    timeouts = request.timeouts
    limit_s = min(timeouts.connect_s, timeouts.total_s)
    started_s = monotonic()
    try:
        async with asyncio.timeout(limit_s):
            proof = await auth.headers(request)
    except TimeoutError:
        raise ProviderConnectTimeout(f"The credentials were not there within {limit_s:g} s.") from None
    left_s = timeouts.total_s - (monotonic() - started_s)
    left = Timeouts(timeouts.connect_s, timeouts.first_byte_s, timeouts.idle_s, left_s)
    return replace(request, changing_headers=SecretHeaders((*request.changing_headers, *proof)), timeouts=left)


def _credential(scheme: KeyScheme, key: Secret) -> tuple[str, str]:
    match scheme:
        case "bearer":
            return ("authorization", f"Bearer {key.reveal()}")
        case "x-api-key" | "x-goog-api-key":
            return (scheme, key.reveal())
