"""The HTTP client behind the port.

Foreign exceptions end here: callers see only those of errors.py, with messages that name the host and the reason and never
a header. There is no code for redirects, proxies, cookies and credentials from the environment, so none of them happens.
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
from gatewayz.upstream.deadline import Deadline
from gatewayz.upstream.port import UpstreamRequest, UpstreamResponse

READ_BUFFER_BYTES = 2**17  # a reader that lags by twice this makes the provider wait instead of filling our memory
MAX_HEADER_BYTES = 32_768  # some providers send content policies far beyond aiohttp's 8,190
MAX_HEADERS = 128
ONE_WRITE_BYTES = (
    2**16
)  # up to here head and body leave in one piece; beyond, joining them costs more than a second write
MAX_TARGETS = 1024  # far more than providers
STALE_S = 1.0
"""If the provider had closed the connection before our request arrived, we learn of it within a round trip. If it closes later it
had the request, and may have worked on it: whether that is sent again is not decided here."""


class AiohttpUpstream:
    """The Upstream of a worker: one pool. Opens itself with the first request, on that request's event loop."""

    def __init__(self, settings: Settings) -> None:
        self._limit = settings.upstream.upstream_connections
        self._connector: Connector | None = None
        self._targets: dict[str, Target] = {}
        self._closed = False

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        loop = asyncio.get_running_loop()
        connector = self._connector or self._open()
        target = self._targets.get(request.url) or self._remember(request.url, loop)
        deadline = Deadline(loop, target.host, request.timeouts)
        try:
            try:
                return await _exchange(connector, target, request, deadline, may_be_stale=True)
            except _Stale:
                connector.forget(target)
                return await _exchange(connector, target, request, deadline, may_be_stale=False)
        except asyncio.CancelledError:
            deadline.abort()
            if (own := deadline.claim_cancellation()) is not None:
                raise own from None
            raise
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            deadline.abort()
            raise _translate(error, target.host) from error
        except BaseException:
            deadline.abort()
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
    """The provider closed an idle connection at the moment when it was used: it has not seen the request."""


async def _exchange(
    connector: Connector, target: Target, request: UpstreamRequest, deadline: Deadline, *, may_be_stale: bool
) -> UpstreamResponse:
    """Send the request and await the headers. Whatever fails, ``deadline`` holds the connection and can abort it."""
    connection = await connector.acquire(target, deadline)
    protocol = connection.protocol
    transport = connection.transport
    if protocol is None or transport is None:
        raise ProviderConnectionFailed(f"{target.host} closed the connection before the request was sent.")
    protocol.set_response_params(
        read_until_eof=True,
        auto_decompress=True,
        read_bufsize=READ_BUFFER_BYTES,
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
    )
    _write(transport, target, request)
    sent_at_s = monotonic()
    try:
        message, content = await protocol.read()
        while message.code < 200:
            if message.code == 101:
                raise ProviderMalformedResponse(f"{target.host} asks for another protocol.")
            message, content = await protocol.read()
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        stale = (
            isinstance(protocol, Protocol)
            and protocol.used
            and not protocol.received
            and monotonic() - sent_at_s < STALE_S
        )
        if may_be_stale and stale:
            deadline.drop_connection()
            raise _Stale from error
        raise
    return _Response(message.code, message.headers, content, deadline, request.stream)


def _write(transport: asyncio.Transport, target: Target, request: UpstreamRequest) -> None:
    head, body = target.head(request), request.body
    if len(body) <= ONE_WRITE_BYTES:
        transport.write(head + body)
    else:
        transport.write(head)
        transport.write(body)
    if request.on_sent is not None:
        request.on_sent()


class _Response:
    """An UpstreamResponse; also the iterator over its own chunks, for there can be only one."""

    __slots__ = ("_content", "_deadline", "_ended", "_first", "headers", "status")

    def __init__(
        self, status: int, headers: Mapping[str, str], content: StreamReader, deadline: Deadline, stream: bool
    ) -> None:
        self.status = status
        self.headers = headers
        self._content = content
        self._deadline = deadline
        self._ended = False
        self._first = stream  # the first byte of a stream's body is still awaited under the first-byte deadline
        deadline.answered(content)
        if not stream:
            deadline.pause()
        content.on_eof(deadline.release)

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
            self._deadline.abort()

    async def _next(self) -> bytes:
        """What the socket has; empty at the end of the body."""
        if self._ended:
            return b""
        deadline = self._deadline
        if self._content.at_eof():
            self._ended = True
            deadline.stop()
            return b""
        if self._first:
            self._first = False
        else:
            deadline.wait_idle()
        try:
            data = await self._content.readany()
        except GatewayError:  # the deadline put it there
            self.close()
            raise
        except (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError) as error:
            self.close()
            if (
                deadline.expired is not None
            ):  # the time ran out between two reads, and the deadline ended the connection
                raise deadline.expired from None
            raise ProviderStreamCut(f"{deadline.host} closed the connection in the middle of its answer.") from error
        except BaseException:
            self.close()
            raise
        if data:
            deadline.pause()
        else:
            self._ended = True
            deadline.stop()
        return data

    def _too_long(self, limit: int) -> ProviderMalformedResponse:
        return ProviderMalformedResponse(f"{self._deadline.host} sent an answer of more than {limit} bytes.")


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
