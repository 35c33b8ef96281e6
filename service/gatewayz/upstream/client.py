"""The HTTP client behind the port.

Foreign exceptions end here: callers see only those of errors.py, with messages that name the host and the reason and never
a header. Redirects, proxies, cookies and credentials from the environment are not refused here: there is no code for them.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from time import monotonic

import aiohttp
from aiohttp import StreamReader
from aiohttp.http_exceptions import HttpProcessingError

from gatewayz.config import Settings
from gatewayz.errors import (
    GatewayError,
    ProviderConnectionFailed,
    ProviderConnectTimeout,
    ProviderMalformedResponse,
    ProviderStreamCut,
    Unavailable,
)
from gatewayz.upstream.connections import Connector, Protocol, Target
from gatewayz.upstream.port import UpstreamRequest, UpstreamResponse
from gatewayz.upstream.watch import Watch

READ_BUFFER_BYTES = 2**17  # a reader that lags by twice this makes the provider wait instead of filling our memory
MAX_HEADER_BYTES = 32_768  # some providers send content policies far beyond aiohttp's 8,190
MAX_HEADERS = 128
ONE_WRITE_BYTES = (
    2**16
)  # up to here head and body leave in one piece; beyond, joining them costs more than a second write
MAX_TARGETS = 1024  # far more than providers
STALE_S = 1.0
"""A connection that the provider had closed before it saw our request tells us so within a round trip. Who hangs up later had the
request, and may have worked on it: whether it is sent again is not decided here."""


class AiohttpUpstream:
    """The Upstream of a worker: one pool. Opens itself with the first call, on that call's event loop."""

    def __init__(self, settings: Settings) -> None:
        self._limit = settings.upstream.upstream_connections
        self._connector: Connector | None = None
        self._targets: dict[str, Target] = {}
        self._closed = False

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        loop = asyncio.get_running_loop()
        connector = self._connector or self._open()
        target = self._targets.get(request.url) or self._remember(request.url, loop)
        watch = Watch(loop, target.host, request.timeouts)
        try:
            try:
                return await _exchange(connector, target, request, watch, may_be_stale=True)
            except _Stale:
                connector.forget(target)
                return await _exchange(connector, target, request, watch, may_be_stale=False)
        except asyncio.CancelledError:
            watch.abort()
            if (own := watch.claim_cancellation()) is not None:
                raise own from None
            raise
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            watch.abort()
            raise _translate(error, target.host) from error
        except BaseException:
            watch.abort()
            raise

    async def close(self) -> None:
        self._closed = True
        if self._connector is not None:
            await self._connector.close()

    def _open(self) -> Connector:
        if self._closed:
            raise Unavailable("The gateway is shutting down.")
        self._connector = Connector(self._limit)
        return self._connector

    def _remember(self, url: str, loop: asyncio.AbstractEventLoop) -> Target:
        if len(self._targets) >= MAX_TARGETS:
            self._targets.clear()
        target = self._targets[url] = Target(url, loop)
        return target


class _Stale(Exception):
    """The provider closed an idle connection in the very moment in which it was used: it has not seen the request."""


async def _exchange(
    connector: Connector, target: Target, request: UpstreamRequest, watch: Watch, *, may_be_stale: bool
) -> UpstreamResponse:
    """Send the request and await the headers. Whatever fails, ``watch`` holds the connection and can abort it."""
    connection = await connector.acquire(target, watch)
    protocol = connection.protocol
    transport = connection.transport
    if protocol is None or transport is None:
        raise ProviderConnectionFailed(f"{target.host} closed the connection before it was asked.")
    protocol.set_response_params(
        read_until_eof=True,
        auto_decompress=True,
        read_bufsize=READ_BUFFER_BYTES,
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
    )
    body = request.body
    head = target.head(request.method, request.headers, len(body))
    if len(body) <= ONE_WRITE_BYTES:
        transport.write(head + body)
    else:
        transport.write(head)
        transport.write(body)
    if request.on_sent is not None:
        request.on_sent()
    sent_at_s = monotonic()
    try:
        message, content = await protocol.read()
        while message.code < 200:
            if message.code == 101:
                raise ProviderMalformedResponse(f"{target.host} wants to speak another protocol.")
            message, content = await protocol.read()
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        stale = (
            isinstance(protocol, Protocol)
            and protocol.used
            and not protocol.heard
            and monotonic() - sent_at_s < STALE_S
        )
        if may_be_stale and stale:
            watch.leave()
            raise _Stale from error
        raise
    return _Response(message.code, message.headers, content, watch, request.stream)


class _Response:
    """An UpstreamResponse; also the iterator over its own chunks, for there can be only one."""

    __slots__ = ("_content", "_ended", "_first", "_watch", "headers", "status")

    def __init__(
        self, status: int, headers: Mapping[str, str], content: StreamReader, watch: Watch, stream: bool
    ) -> None:
        self.status = status
        self.headers = headers
        self._content = content
        self._watch = watch
        self._ended = False
        self._first = stream  # the first byte of a stream's body is still awaited under the first-byte deadline
        watch.answered(content)
        if not stream:
            watch.pause()
        content.on_eof(watch.release)

    async def read(self, limit: int) -> bytes:
        declared = self.headers.get("content-length")
        if declared is not None and declared.isdecimal() and int(declared) > limit:
            self.close()
            raise self._too_long(limit)
        parts: list[bytes] = []
        size = 0
        while data := await self._next():
            size += len(data)
            if size > limit:
                self.close()
                raise self._too_long(limit)
            parts.append(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def chunks(self) -> AsyncIterator[bytes]:
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        data = await self._next()
        if not data:
            raise StopAsyncIteration
        return data

    def close(self) -> None:
        if not self._ended:
            self._ended = True
            self._watch.abort()

    async def _next(self) -> bytes:
        """What the socket has, or nothing at the end of the body."""
        if self._ended:
            return b""
        watch = self._watch
        if self._content.at_eof():
            self._ended = True
            watch.stop()
            return b""
        if self._first:
            self._first = False
        else:
            watch.wait_idle()
        try:
            data = await self._content.readany()
        except GatewayError:  # the watch put it there
            self.close()
            raise
        except (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError) as error:
            self.close()
            if watch.expired is not None:  # time ran out while nobody was reading, and the watch cut the line itself
                raise watch.expired from None
            raise ProviderStreamCut(f"{watch.host} closed the connection in the middle of its answer.") from error
        except BaseException:
            self.close()
            raise
        if data:
            watch.pause()
        else:
            self._ended = True
            watch.stop()
        return data

    def _too_long(self, limit: int) -> ProviderMalformedResponse:
        return ProviderMalformedResponse(f"{self._watch.host} sent an answer of more than {limit} bytes.")


def _translate(error: Exception, host: str) -> GatewayError:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return ProviderConnectionFailed(f"The name {host} could not be resolved.")
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as cause):
            return ProviderConnectionFailed(f"The certificate of {host} was not accepted: {cause.verify_message}.")
        case aiohttp.ClientSSLError():
            return ProviderConnectionFailed(f"TLS with {host} failed.")
        case aiohttp.ClientConnectorError(os_error=cause):
            return ProviderConnectionFailed(f"{host} could not be reached: {_reason(cause)}.")
        case HttpProcessingError():
            return ProviderMalformedResponse(f"{host} answered with something that is not HTTP.")
        case aiohttp.ClientPayloadError():
            return ProviderStreamCut(f"{host} closed the connection in the middle of its answer.")
        case TimeoutError():
            return ProviderConnectTimeout(f"No connection to {host}: the network timed out.")
        case _:
            return ProviderConnectionFailed(f"{host} closed the connection before it answered.")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else type(error).__name__
