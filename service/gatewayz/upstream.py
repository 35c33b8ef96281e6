"""How the gateway calls a provider over HTTP: the port, and aiohttp behind it.

Nothing outside this file knows which client library is used, so that an own connection pool can take its place
(facts/performance.md §5). Foreign exceptions end here: callers see only those of errors.py, with messages that name
the host and the reason and never a header.

Every call is watched by one timer of the event loop, which is moved lazily: progress only writes a new deadline, and
when the timer comes due too early it is set again. A stream of a thousand chunks therefore costs one timer, not a thousand.
"""

from __future__ import annotations

import asyncio
import io
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest, ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from multidict import CIMultiDict
from yarl import URL

from gatewayz.config import Settings
from gatewayz.errors import (
    GatewayError,
    Overloaded,
    ProviderConnectionFailed,
    ProviderConnectTimeout,
    ProviderFirstChunkTimeout,
    ProviderIdleTimeout,
    ProviderMalformedResponse,
    ProviderStreamCut,
    Unavailable,
)

NEVER = float("inf")

KEEPALIVE_S = (
    60.0  # longer than a pause in ordinary traffic; a provider that closes sooner is met by the one retry below
)
DNS_CACHE_S = 30  # long enough to spare a look-up per connection, short enough to follow a provider's fail-over
READ_BUFFER_BYTES = 2**17  # a reader that lags by twice this makes the provider wait instead of filling our memory
MAX_HEADER_BYTES = 32_768  # some providers send content policies far beyond aiohttp's 8,190
MAX_PLAIN_BODY_BYTES = 2**20  # aiohttp warns beyond it
MAX_REMEMBERED = 1024  # header sets and addresses kept parsed; far more than providers, so that it never turns over


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. ``connect`` includes the wait for a free connection; ``first_byte`` counts from the request's sending to the
    answer's headers and, for a stream, to the first byte of its body; ``idle`` is the longest silence after that; ``total``
    counts from the very start."""

    connect_s: float
    first_byte_s: float
    idle_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One request: a POST, unless it says otherwise. ``headers`` is complete: nothing is added but Host and Content-Length."""

    url: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    timeouts: Timeouts
    stream: bool
    method: Literal["POST", "GET"] = "POST"


class UpstreamResponse(Protocol):
    """An answer whose headers are there. ``headers`` answers to lower-case names."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises ProviderMalformedResponse if it is longer than ``limit`` bytes."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as the socket yields it; ends only when the body is complete, else raises."""
        ...

    def close(self) -> None:
        """Let go: aborts the connection unless the body was read to its end. May be called twice."""
        ...


class Upstream(Protocol):
    """Sends a request; raises only errors of errors.py. Cancelling ``send`` aborts the connection."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse: ...
    async def close(self) -> None: ...


class _Watch:
    """The one timer of a call, and what it must know to end that call with the right error.

    Until the headers are there it ends the call by cancelling the task (as asyncio.timeout does), afterwards by failing
    the body: that costs nothing per chunk and cannot be mistaken for a cancellation from outside.
    """

    __slots__ = (
        "_cancelling",
        "_due",
        "_handle",
        "_limit_at",
        "_phase",
        "_task",
        "_total_at",
        "expired",
        "fresh",
        "host",
        "loop",
        "protocol",
        "queued",
        "response",
        "reused",
        "timeouts",
        "transport",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, host: str, timeouts: Timeouts) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("send() must be awaited inside a task")
        now = loop.time()
        self.loop = loop
        self.host = host
        self.timeouts = timeouts
        self.expired: GatewayError | None = None
        self.response: aiohttp.ClientResponse | None = None
        self.transport: asyncio.Transport | None = None
        self.protocol: _Handler | None = None
        self.fresh = False
        self.reused = False
        self.queued = False
        self._task = task
        self._cancelling = task.cancelling()
        self._phase = "connect"
        self._limit_at = now + timeouts.connect_s
        self._total_at = now + timeouts.total_s
        self._due = min(self._limit_at, self._total_at)
        self._handle: asyncio.TimerHandle | None = loop.call_at(self._due, self._fire)

    def connected(self, connection: Connection) -> None:
        self.transport = connection.transport
        protocol = connection.protocol
        self.protocol = protocol if isinstance(protocol, _Handler) else None
        if self.protocol is not None:
            self.protocol.answered = False
        self._phase = "first_byte"
        self._expect_within(self.timeouts.first_byte_s)

    def wait_idle(self) -> None:
        self._phase = "idle"
        self._expect_within(self.timeouts.idle_s)

    def pause(self) -> None:
        """Nobody is waiting for the provider: only the total counts."""
        self._phase = "idle"
        self._limit_at = NEVER

    def stop(self) -> None:
        handle = self._handle
        if handle is not None:
            self._handle = None
            handle.cancel()

    def abort(self) -> None:
        """End the connection now: an orderly close would first wait for our request to be taken off our hands."""
        self.stop()
        transport = self.transport
        if transport is not None:
            self.transport = None
            transport.abort()
        if self.response is not None:
            self.response.close()

    def claim_cancellation(self) -> GatewayError | None:
        """Our own error if this cancellation is the timer's doing and nobody else's."""
        if self.expired is not None and self._task.uncancel() <= self._cancelling:
            return self.expired
        return None

    def _expect_within(self, seconds: float) -> None:
        self._limit_at = limit_at = self.loop.time() + seconds
        if limit_at < self._due and self._handle is not None:  # seldom: the new phase is less patient than the last one
            self._handle.cancel()
            self._due = limit_at
            self._handle = self.loop.call_at(limit_at, self._fire)

    def _fire(self) -> None:
        due = min(self._limit_at, self._total_at)
        if self.loop.time() < due:
            self._due = due
            self._handle = self.loop.call_at(due, self._fire)
            return
        self._handle = None
        self.expired = self._error()
        if self.response is None:
            self._task.cancel()
            return
        self.response.content.set_exception(self.expired)
        transport = self.transport
        if transport is not None:
            self.transport = None
            transport.abort()

    def _error(self) -> GatewayError:
        timeouts = self.timeouts
        if self._phase == "connect":
            if self.queued:
                return Overloaded(f"All connections to {self.host} are in use.", retry_after_s=1)
            return ProviderConnectTimeout(
                f"No connection to {self.host} within {min(timeouts.connect_s, timeouts.total_s):g} s."
            )
        if self._total_at <= self._limit_at:
            reason = f"{self.host} did not finish within {timeouts.total_s:g} s."
            return ProviderFirstChunkTimeout(reason) if self._phase == "first_byte" else ProviderIdleTimeout(reason)
        if self._phase == "first_byte":
            return ProviderFirstChunkTimeout(f"{self.host} did not begin to answer within {timeouts.first_byte_s:g} s.")
        return ProviderIdleTimeout(f"{self.host} fell silent in the middle of its answer for {timeouts.idle_s:g} s.")


class _Handler(ResponseHandler):
    """aiohttp's protocol, which remembers whether a byte of the answer has come: only without one may a request be repeated."""

    answered = False

    def data_received(self, data: bytes) -> None:
        self.answered = True
        super().data_received(data)


_WATCH: ContextVar[_Watch] = ContextVar("gatewayz.upstream.watch")
"""Carries the call's watch through aiohttp to the connector below, which aiohttp itself calls."""


class _Connector(aiohttp.TCPConnector):
    """Tells each call's watch when it has its connection, and whether that one was used before."""

    def __init__(self, limit_per_host: int) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] (a bare tuple in aiohttp's annotations)
            limit=0,
            limit_per_host=limit_per_host,
            keepalive_timeout=KEEPALIVE_S,
            ttl_dns_cache=DNS_CACHE_S,
        )
        self._factory = partial(_Handler, loop=self._loop)

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 (aiohttp's signature)
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        _WATCH.get().connected(connection)
        return connection

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        watch = _WATCH.get()
        if watch.fresh:
            return None
        connection = await super()._get(key, traces)
        watch.reused = connection is not None
        return connection

    async def _wait_for_available_connection(self, key: ConnectionKey, traces: list[Trace]) -> None:
        watch = _WATCH.get()
        watch.queued = True
        await super()._wait_for_available_connection(key, traces)
        watch.queued = False


class _AiohttpResponse:
    """An UpstreamResponse over aiohttp's; also the iterator over its own chunks, for there can be only one."""

    __slots__ = ("_content", "_ended", "_first", "_response", "_watch", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, watch: _Watch, stream: bool) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._content = response.content
        self._watch = watch
        self._ended = False
        self._first = stream  # the first byte of a stream's body is still awaited under the first-byte deadline
        watch.response = response
        if not stream:
            watch.pause()

    async def read(self, limit: int) -> bytes:
        declared = self._response.content_length
        if declared is not None and declared > limit:
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
        if self._first:
            self._first = False
        else:
            watch.wait_idle()
        try:
            data = await self._content.readany()
        except GatewayError:  # the watch put it there
            self.close()
            raise
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
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


class AiohttpUpstream:
    """The Upstream of a worker: one session, one pool. Opens itself with the first call, on that call's event loop."""

    def __init__(self, settings: Settings) -> None:
        self._connections = settings.upstream_connections
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._urls: dict[str, URL] = {}
        self._headers: dict[tuple[tuple[str, str], ...], CIMultiDict[str]] = {}

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        session = self._session or self._open()
        url = self._urls.get(request.url) or self._parse(request.url)
        watch = _Watch(asyncio.get_running_loop(), url.host or "", request.timeouts)
        token = _WATCH.set(watch)
        try:
            try:
                response = await self._post(session, url, request)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if not _may_repeat(watch, error):
                    raise
                # The provider closed an idle connection just as we used it; it has not seen the request.
                watch.fresh = True
                response = await self._post(session, url, request)
        except asyncio.CancelledError:
            watch.abort()
            if (own := watch.claim_cancellation()) is not None:
                raise own from None
            raise
        except (aiohttp.ClientError, OSError) as error:
            watch.abort()
            raise _translate(error, watch.host) from error
        except BaseException:
            watch.abort()
            raise
        finally:
            _WATCH.reset(token)
        return _AiohttpResponse(response, watch, request.stream)

    async def close(self) -> None:
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _post(self, session: aiohttp.ClientSession, url: URL, request: UpstreamRequest) -> aiohttp.ClientResponse:
        headers = self._headers.get(request.headers)
        if headers is None:
            headers = CIMultiDict(request.headers)
            if len(self._headers) < MAX_REMEMBERED:
                self._headers[request.headers] = headers
        if request.method == "GET":
            return await session.get(url, headers=headers, allow_redirects=False)
        # A body of megabytes is written piece by piece, so that other calls have their turn in between.
        body = request.body if len(request.body) <= MAX_PLAIN_BODY_BYTES else io.BytesIO(request.body)
        return await session.post(url, data=body, headers=headers, allow_redirects=False)

    def _parse(self, address: str) -> URL:
        url = URL(address)
        if len(self._urls) < MAX_REMEMBERED:
            self._urls[address] = url
        return url

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise Unavailable("The gateway is shutting down.")
        self._session = aiohttp.ClientSession(
            connector=_Connector(self._connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            # All deadlines are the watch's; aiohttp's own would each bring a timer.
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            trust_env=False,
            auto_decompress=True,
            raise_for_status=False,
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        return self._session


def _may_repeat(watch: _Watch, error: Exception) -> bool:
    return (
        watch.reused
        and not watch.fresh
        and watch.protocol is not None
        and not watch.protocol.answered
        and not isinstance(error, aiohttp.ClientConnectorError)
    )


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
        case aiohttp.ClientResponseError():
            return ProviderMalformedResponse(f"{host} answered with something that is not HTTP.")
        case aiohttp.ClientPayloadError():
            return ProviderStreamCut(f"{host} closed the connection in the middle of its answer.")
        case TimeoutError():
            return ProviderConnectTimeout(f"No connection to {host}: the network timed out.")
        case _:
            return ProviderConnectionFailed(f"{host} closed the connection before it answered.")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else type(error).__name__
