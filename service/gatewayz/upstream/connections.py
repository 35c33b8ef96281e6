"""Connections: aiohttp's connector (pool, DNS cache, happy eyeballs, TLS), and what we must know of each of them.

aiohttp's client proper is left out: building its request and response objects, and a task per request body, took half of
the time of a call. What remains are the connector, the protocol and the parser, which is C.
"""

from __future__ import annotations

import asyncio
from functools import partial
from urllib.parse import urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest, ConnectionKey
from aiohttp.connector import Connection
from yarl import URL

from gatewayz.upstream.deadline import Deadline
from gatewayz.upstream.port import Headers, UpstreamRequest

KEEPALIVE_S = (
    60.0  # longer than a pause in ordinary traffic; the client's one retry is for a provider that closes sooner
)
DNS_CACHE_S = 30  # long enough to spare a look-up per connection, short enough to follow a provider's fail-over
MAX_REMEMBERED = 256  # heads kept ready per target; far more than a provider has keys
NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)  # Deadline has them all


class Protocol(ResponseHandler):
    """Remembers whether bytes have come. A request may be repeated only while no byte of its answer has come. A connection may be
    used again only if nothing has come since its last answer."""

    used = False
    """It has brought an answer before."""
    received = False
    """Bytes have come since it was last released."""

    @property
    def silent(self) -> bool:
        """No unrequested bytes have come. They would be read as the answer to the next request."""
        return not self.received and not self.should_close

    def data_received(self, data: bytes) -> None:
        if data:  # empty where reading goes on after a pause
            self.received = True
        super().data_received(data)


class Target:
    """One address that requests go to, with everything about it that does not change from one to the next."""

    __slots__ = ("_heads", "_start", "host", "key", "request")

    def __init__(self, address: str, loop: asyncio.AbstractEventLoop) -> None:
        url = URL(address)
        self.host = url.host or ""
        self.request = ClientRequest("POST", url, loop=loop)
        """Stands for all requests to this target before the connector."""
        self.key: ConnectionKey = self.request.connection_key
        self._start = f"{_target_of(address)} HTTP/1.1\r\nhost: {url.host_port_subcomponent}\r\n".encode("latin-1")
        self._heads: dict[Headers, bytes] = {}

    def head(self, request: UpstreamRequest) -> bytes:
        """The request up to its body. Raises ValueError for a header that would end its line."""
        changing = _lines(request.changing_headers) if request.changing_headers else b""
        if request.method == "GET":  # once in a while, for a list of models
            return b"GET %b%b%b\r\n" % (self._start, _lines(request.headers), changing)
        start = self._heads.get(request.headers)
        if start is None:
            start = b"POST %b%bcontent-length: " % (self._start, _lines(request.headers))
            if len(self._heads) >= MAX_REMEMBERED:
                self._heads.clear()
            self._heads[request.headers] = start
        return b"%b%d\r\n%b\r\n" % (start, len(request.body), changing)


def _target_of(address: str) -> str:
    """Path and query as they are in ``address``. Not yarl's, which writes ``%3A`` as ``:``: a signature over the path would not
    hold. Where they could not be sent as they are, yarl quotes them."""
    parts = urlsplit(address)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return target if target.isascii() and target.isprintable() and " " not in target else URL(address).raw_path_qs


def _lines(headers: Headers) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in headers]
    if any(line.count("\r") + line.count("\n") + line.count("\0") != 2 for line in lines):
        raise ValueError("a header holds a line break")
    return "".join(lines).encode("latin-1")


class Connector(aiohttp.TCPConnector):
    """aiohttp's pool. ``limit_per_host`` connections at most; a request that finds all in use waits for one."""

    def __init__(self, limit_per_host: int) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] (a bare tuple in aiohttp's annotations)
            limit=0,
            limit_per_host=limit_per_host,
            keepalive_timeout=KEEPALIVE_S,
            ttl_dns_cache=DNS_CACHE_S,
        )
        self._factory = partial(Protocol, loop=self._loop)

    async def acquire(self, target: Target, deadline: Deadline) -> Connection:
        """A connection for one request. ``deadline`` holds it, and releases it."""
        connection = await self._get(target.key, [])
        if connection is None:
            deadline.queued = self._available_connections(target.key) <= 0
            connection = await self.connect(target.request, [], NO_TIMEOUT)
        deadline.connected(connection)
        return connection

    async def _get(self, key: ConnectionKey, traces: list[aiohttp.tracing.Trace]) -> Connection | None:
        """An idle connection, also for one that has waited for it. Those on which something came meanwhile are closed."""
        while (connection := await super()._get(key, traces)) is not None:
            protocol = connection.protocol
            if not isinstance(protocol, Protocol) or protocol.silent:
                return connection
            connection.close()
        return None

    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        if isinstance(protocol, Protocol):
            protocol.used, protocol.received = True, False
        super()._release(key, protocol, should_close=should_close)

    def forget(self, target: Target) -> None:
        """Closes the idle connections to ``target``: it has dropped one, so it has probably dropped the others."""
        for protocol, _ in self._conns.pop(target.key, ()):
            protocol.close()
