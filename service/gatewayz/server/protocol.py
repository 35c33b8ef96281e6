"""HTTP/1.1 on one connection, with the limits that uvicorn's protocol lacks.

What is no request is refused here, and its connection closed: malformed or ambiguous framing, headers that are too many, too
large or too late. The application answers and records it, but sees nothing of it, neither headers nor a body. Callers who do
not read, and bodies that nobody wants, end here too. A request that arrives whole and sane pays for one more look at its
headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gatewayz.app import App
from gatewayz.dataplane.http import BODY_FAULT, REFUSAL
from gatewayz.dataplane.paths import is_data_plane
from gatewayz.errors import GatewayError, HeadersTooLarge, InvalidRequest, RequestTimeout
from gatewayz.records import ConnectionEnd

LINGER_S = 5.0
"""After an answer that came before the end of its request: closing at once would reset the connection, and the reset may
overtake the answer."""
MAX_PIPELINED = 100
MAX_TOLD_BYTES = 1024
"""So much of a refused URL is recorded."""
OTHER_METHOD = "_OTHER"
"""The conventions' word for a method that is none."""

_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::[0-9]{0,5})?")
_UNDERSCORED = frozenset({b"session_id", b"conversation_id", b"thread_id"})
"""Codex sends these. In any other name an underscore is a hyphen to somebody behind us: two readings of one request."""
_UPGRADE = frozenset({b"connection", b"upgrade", b"http2-settings"})


class LimitedProtocol(HttpToolsProtocol):
    """One connection. Who asks for several things at once gets his answers in order, and a refusal last."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # uvicorn's type: whatever the lifespan left there
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        app: object = cast("Any", config).loaded_app  # partly unknown to uvicorn itself
        assert isinstance(app, App)  # noqa: S101 - server.py says what is served
        self._application = cast("ASGI3Application", app)
        self._limits = app.settings
        self._count: Callable[[ConnectionEnd], None] = app.connection_closed
        self._in_head = False
        self._known_host: bytes | None = None
        self._unseen = 0
        """Bytes since something was last complete: a head, a part of a body."""
        self._arrived = 0
        self._answering: RequestResponseCycle | None = None
        self._refusal: GatewayError | None = None
        self._ending = False
        self._discarded = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._end_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._output: _Output | None = None

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._output = _Output(transport, self._close)
        self._head_timer = self.loop.call_later(self._limits.header_timeout_s, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._head_timer, self._end_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        running = self._answering
        if running is not None and running is not self.cycle and not running.response_complete:
            running.disconnected = True  # uvicorn tells only the last of those that were asked for at once
            running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._ending or self._end_timer is not None:
            self._discarded += len(data)
            if self._discarded > self._limits.max_body_bytes:
                self.flow.pause_reading()  # until the timer closes: a reset now might overtake the answer
            if self._ending:
                return
        self._arrived = len(data)
        self._unseen += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[cast("int", upgrade.args[0]) :])
        except httptools.HttpParserError as error:
            self._not_http(_other_protocol(data) or str(error).rstrip("."))
        else:
            if self._unseen:
                self._incomplete()

    def _incomplete(self) -> None:
        """Something has begun and is not over: it may be only so large, and take only so long."""
        if self._unseen > self._limits.max_header_bytes:
            if self._in_head:
                self._refuse(self._too_large(), "headers_too_large")
            else:
                self._not_http("too much between the parts of the body")
        elif (self._head_timer is None or self._unseen == self._arrived) and (
            self._in_head or self._answering is None or self.cycle.response_complete
        ):
            if self._head_timer is not None:
                self._head_timer.cancel()
            self._head_timer = self.loop.call_later(self._limits.header_timeout_s, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._ending:
            return
        if not self._unseen:
            self._count("silent")
            self._close_now()
            return
        seconds = self._limits.header_timeout_s
        self._refuse(RequestTimeout(f"The request's headers did not arrive within {seconds:g} s."), "headers_late")

    # The request

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        error = self._wrong_with_head()
        if error is not None:
            self._refusal = error
            raise ValueError(error.message)  # the parser stops, and data_received hears of it
        self._in_head = False
        self._unseen = 0
        if self.parser.should_upgrade():
            return  # never done, and not the end of the request either: _ignore_upgrade
        super().on_headers_complete()
        # What follows the body in a chunked request must not be taken for its headers.
        self.headers = []

    def _wrong_with_head(self) -> GatewayError | None:
        headers, limits = self.headers, self._limits
        if len(headers) > limits.max_headers:
            return HeadersTooLarge(f"The request has more than {limits.max_headers} headers.")
        if self._unseen > limits.max_header_bytes or self._arrived > limits.max_header_bytes:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in headers)
            if size > limits.max_header_bytes:
                return self._too_large()
        host: bytes | None = None
        version = self.parser.get_http_version()
        for name, value in headers:
            if name == b"host":
                if host is not None:
                    return _malformed("there must be one Host header")
                host = value
            elif name == b"transfer-encoding":
                if version == "1.0" or value.lower() != b"chunked":
                    return _malformed("the only Transfer-Encoding is chunked, in HTTP/1.1")
            elif b"_" in name and name not in _UNDERSCORED:
                return _malformed(f"the header name {name[:64].decode('latin-1')!r} has an underscore")
        if host is None:
            if version != "1.0":
                return _malformed("there must be one Host header")
        elif host != self._known_host:
            if _HOST.fullmatch(host) is None:
                return _malformed("the Host header is no host")
            self._known_host = host
        if b"#" in self.url or (self.parser.should_upgrade() and self.parser.get_method() == b"CONNECT"):
            return _malformed("the request target is none of this server's")
        if len(self.pipeline) >= MAX_PIPELINED:
            return _malformed("too many requests wait on this connection")
        return None

    def _ignore_upgrade(self, rest: bytes) -> None:
        """To answer in HTTP/1.1 is always allowed (RFC 9110 §7.8), and Java's client asks for HTTP/2 with every first request,
        body and all. The parser stops at such a head: it gets the same one again, without the wish."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        options = b",".join(value for name, value in self.headers if name == b"connection").lower()
        head = [b"%s %s HTTP/%s" % (method, self.url, version)]
        head += [b"%s: %s" % (name, value) for name, value in self.headers if name not in _UPGRADE]
        if b"close" in options:
            head.append(b"connection: close")
        self.data_received(b"\r\n".join(head) + b"\r\n\r\n" + rest)

    def on_body(self, body: bytes) -> None:
        self._unseen = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unseen = 0
        if self.parser.should_upgrade():
            return
        if self._end_timer is not None and not self._ending:
            # The rest of a body that was answered early has come after all: the connection is as good as new.
            self._end_timer.cancel()
            self._end_timer = None
            self._discarded = 0
            self.cycle.more_body = False
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        super().on_message_complete()

    # What is wrong

    def _not_http(self, reason: str) -> None:
        cycle = self.cycle
        if self._in_head or self._answering is None or not cycle.more_body:
            error = self._refusal or _malformed(reason)
            self._refuse(error, "headers_too_large" if isinstance(error, HeadersTooLarge) else "malformed")
            return
        # The body of a request that is being served: whoever serves it answers.
        self._ending = True
        cycle.keep_alive = False
        if cycle.response_complete:
            self._linger()
        elif is_data_plane(cycle.scope["path"]):
            cast("dict[str, object]", cycle.scope)[BODY_FAULT] = reason
            cycle.more_body = False
        else:
            cycle.disconnected = True
            self._linger()
        cycle.message_event.set()

    def _too_large(self) -> HeadersTooLarge:
        return HeadersTooLarge(
            f"The request line and headers are larger than the limit of {self._limits.max_header_bytes} bytes."
        )

    def _refuse(self, error: GatewayError, reason: ConnectionEnd) -> None:
        self._ending = True
        self._refusal = error
        self._count(reason)
        if self._answering is None or self._answering.response_complete:
            self._say_refusal(error)

    def _say_refusal(self, error: GatewayError) -> None:
        """By way of the application: a refused request is answered in its wire's shape and recorded, as any other is."""
        if self.transport.is_closing():
            return
        self._refusal = None
        if not self._in_head:
            self.on_message_begin()  # not a word of it was understood
        method = self.parser.get_method().decode("ascii", "replace") if self.url else OTHER_METHOD
        cast("dict[str, object]", self.scope).update(_target(self.url), method=method, headers=[])
        cast("dict[str, object]", self.scope)[REFUSAL] = error
        self.cycle = RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        self.cycle.more_body = False
        self._start_asgi_task(self.cycle, self._application)

    # The answer

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        cycle.transport = cast("asyncio.Transport", self._output)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        answered = self._answering
        if answered is None or not answered.response_complete:
            return  # the next one is on its way
        if self._ending:
            self._unset_keepalive_if_required()
            if self._refusal is not None:
                self._say_refusal(self._refusal)
        elif answered.more_body and answered.keep_alive and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            if self.expect_100_continue:
                self._linger()  # whether the body comes now, or the next request, nobody can tell
            elif self._end_timer is None:
                self._end_timer = self.loop.call_later(LINGER_S, self._close_now)

    def _close(self) -> None:
        """What uvicorn calls after the last answer of a connection."""
        if self._answering is not None and (self._answering.more_body or self._ending):
            if self._refusal is None:
                self._linger()
        else:
            self._close_now()

    def _linger(self) -> None:
        """Says that no more comes, and lets what still arrives fall to the ground for a while."""
        self._ending = True
        self.flow.resume_reading()
        if not self.transport.is_closing() and self.transport.can_write_eof():
            self.transport.write_eof()
        if self._end_timer is None:
            self._end_timer = self.loop.call_later(LINGER_S, self._close_now)

    def _close_now(self) -> None:
        self.transport.close()
        if self.transport.get_write_buffer_size() and self._write_timer is None:
            # Closing waits for the caller to read the rest.
            self._write_timer = self.loop.call_later(self._limits.write_timeout_s, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        if not self.transport.is_closing():
            self._close_now()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        super().resume_writing()

    def _watch_writing(self, waiting: int) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
        self._write_timer = self.loop.call_later(self._limits.write_timeout_s, self._nothing_read, waiting)

    def _nothing_read(self, before: int) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting < before:
            self._watch_writing(waiting)
            return
        self._write_timer = None
        self._count("write_late")
        self.transport.abort()


class _Output:
    """What an answer is written to: the transport, but for its end, which is the connection's to decide."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


def _target(url: bytes) -> dict[str, object]:
    """Path and query of a request line, as far as there are any."""
    path = b"/"
    with contextlib.suppress(httptools.HttpParserInvalidURLError):
        path = httptools.parse_url(url[:MAX_TOLD_BYTES]).path or path
    return {"path": unquote(path.decode("ascii", "replace")), "raw_path": path, "query_string": b""}


def _other_protocol(data: bytes) -> str | None:
    """What else it is, where that can be told: two mistakes in an address or a client's settings that everybody makes once."""
    if data.startswith(b"\x16\x03"):
        return "it begins as HTTPS does, and this port speaks HTTP (use http:// in the address)"
    if data.startswith(b"PRI * HTTP/2.0"):
        return "this port speaks HTTP/1.1, not HTTP/2 without TLS"
    return None


def _malformed(reason: str) -> InvalidRequest:
    return InvalidRequest(f"This is no valid HTTP request: {reason}.", code="malformed_request")
