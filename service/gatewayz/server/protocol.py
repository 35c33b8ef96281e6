"""HTTP/1.1 on one connection, with the limits that uvicorn's protocol lacks.

What is no request is refused here, and its connection closed: malformed or ambiguous framing, headers that are too many, too
large or too late. The application answers and records the refusal, but gets neither headers nor a body. Connections whose
caller does not read, and bodies that are answered before they are whole, end here too. A request that arrives whole and sane
costs one more pass over its headers (head.py).

Subclasses private classes of uvicorn, hence the exact version in pyproject.toml. ``Phase`` is the state of the connection;
the docstring or a comment of every override of uvicorn's names the phase that it begins or ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Literal, cast
from urllib.parse import unquote

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gatewayz.app import App
from gatewayz.dataplane.http import BODY_FAULT, REFUSAL
from gatewayz.dataplane.paths import is_data_plane
from gatewayz.errors import GatewayError, HeadersTooLarge, RequestTimeout
from gatewayz.records import ConnectionEnd
from gatewayz.server.head import HeadLimits, check_head, head_too_large, malformed

Phase = Literal["idle", "head", "body", "answering", "lingering"]
"""What the connection is reading. ``idle``: nothing; the last request, if any, is whole and answered. ``head``: a request line
and headers. ``body``: the rest of a request, which is being served or has been answered already. ``answering``: nothing; the
request is whole, its answer is not. ``lingering``: nothing any more; what still arrives is discarded, the answers that are due
are sent, and the connection is closed.

A caller may send the next request before the last one is answered (pipelining), so ``answering`` goes back to ``head``, too:
    idle → head → body → answering → idle,    body → idle where the answer came first,    anything → lingering
"""

LINGER_S = 5.0
"""After an answer that came before the end of its request: closing at once would reset the connection, and the reset may
overtake the answer."""
MAX_PIPELINED = 100
MAX_RECORDED_URL_BYTES = 1024
"""Of a refused request's URL."""
OTHER_METHOD = "_OTHER"
"""The semantic conventions' word for a method that HTTP does not know."""

_UPGRADE = frozenset({b"connection", b"upgrade", b"http2-settings"})


class LimitedProtocol(HttpToolsProtocol):
    """One connection. Pipelined requests are answered in order, a refusal last."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # uvicorn's type: whatever the lifespan left there
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        app: object = cast("Any", config).loaded_app  # partly unknown to uvicorn itself
        assert isinstance(app, App)  # noqa: S101 - run.py says what is served
        self._application = cast("ASGI3Application", app)
        self._settings = app.settings.server
        self._head_limits = HeadLimits(self._settings.max_headers, self._settings.max_header_bytes)
        self._count: Callable[[ConnectionEnd], None] = app.connection_closed
        self._phase: Phase = "idle"
        self._serving: RequestResponseCycle | None = None
        """The request whose answer is, or was last, under way; uvicorn's ``cycle`` is the one that was read last."""
        self._refusal: GatewayError | None = None
        """To be sent after the answers that are due."""
        self._incomplete_bytes = 0
        """Received since something was last complete: a head, a part of a body."""
        self._received_bytes = 0
        """Of the last packet."""
        self._discarded_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        """Running once an answer is complete before its request is."""
        self._write_timer: asyncio.TimerHandle | None = None
        self._output: _Output | None = None

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._output = _Output(transport, self._close)
        self._head_timer = self.loop.call_later(self._settings.header_timeout_s, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._head_timer, self._close_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        serving = self._serving
        if serving is not None and serving is not self.cycle and not serving.response_complete:
            serving.disconnected = True  # uvicorn tells only the last one of pipelined requests
            serving.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._phase == "lingering" or self._close_timer is not None:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > self._settings.max_body_bytes:
                self.flow.pause_reading()  # until the timer closes: a reset now might overtake the answer
            if self._phase == "lingering":
                return
        self._received_bytes = len(data)
        self._incomplete_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[cast("int", upgrade.args[0]) :])
        except httptools.HttpParserError as error:
            self._not_http(_other_protocol(data) or str(error).rstrip("."))
        else:
            if self._incomplete_bytes:
                self._limit_incomplete()

    def _limit_incomplete(self) -> None:
        """Something has begun and is not whole: bounds its size, and a head's time. (A body's time is the application's to
        bound, which reads it.)"""
        if self._incomplete_bytes > self._head_limits.max_bytes:
            if self._phase == "head":
                self._refuse(head_too_large(self._head_limits), "headers_too_large")
            else:
                self._not_http("too much between the parts of the body")
        elif self._phase in ("idle", "head") and (
            self._head_timer is None or self._incomplete_bytes == self._received_bytes
        ):
            if self._head_timer is not None:
                self._head_timer.cancel()
            self._head_timer = self.loop.call_later(self._settings.header_timeout_s, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._phase == "lingering":
            return
        if not self._incomplete_bytes:
            self._count("silent")
            self._close_now()
            return
        seconds = self._settings.header_timeout_s
        self._refuse(RequestTimeout(f"The request's headers did not arrive within {seconds:g} s."), "headers_late")

    # The request

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase = "head"

    def on_headers_complete(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        parser, received = self.parser, self._received_bytes
        upgrade = parser.should_upgrade()
        error = check_head(
            self.url,
            parser.get_http_version(),
            self.headers,
            self._head_limits,
            received if received > self._incomplete_bytes else self._incomplete_bytes,
            upgrade and parser.get_method() == b"CONNECT",
        )
        if error is None and len(self.pipeline) >= MAX_PIPELINED:
            error = malformed("too many requests wait on this connection")
        if error is not None:
            self._refusal = error
            raise ValueError(error.message)  # the parser stops, and data_received gets the error
        self._incomplete_bytes = 0
        if upgrade:
            return  # never done, and not the end of the request either: _ignore_upgrade
        self._phase = "body"
        super().on_headers_complete()
        # What follows the body in a chunked request must not be taken for its headers.
        self.headers = []

    def _ignore_upgrade(self, rest: bytes) -> None:
        """To answer in HTTP/1.1 is always allowed (RFC 9110 §7.8), and Java's client asks for HTTP/2 with every first request,
        body and all. The parser stops at such a head: it gets the same one again, without the upgrade."""
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
        self._incomplete_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._incomplete_bytes = 0
        if self.parser.should_upgrade():
            return
        self._phase = "idle" if self.cycle.response_complete else "answering"
        if self._close_timer is not None:
            # The rest of a body that was answered early has come after all: the connection is as good as new.
            self._close_timer.cancel()
            self._close_timer = None
            self._discarded_bytes = 0
            self.cycle.more_body = False
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        super().on_message_complete()

    # What is wrong

    def _not_http(self, reason: str) -> None:
        if self._phase != "body":
            error = self._refusal or malformed(reason)
            self._refuse(error, "headers_too_large" if isinstance(error, HeadersTooLarge) else "malformed")
            return
        # The body of a request that is being served: the application answers.
        self._phase = "lingering"
        cycle = self.cycle
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

    def _refuse(self, error: GatewayError, reason: ConnectionEnd) -> None:
        if self._phase != "head":
            super().on_message_begin()  # nothing of the refused request was understood, neither method nor path
        self._phase = "lingering"
        self._refusal = error
        self._count(reason)
        if self._serving is None or self._serving.response_complete:
            self._send_refusal(error)

    def _send_refusal(self, error: GatewayError) -> None:
        """By way of the application: a refused request is answered in its wire's shape and recorded, as any other is."""
        if self.transport.is_closing():
            return
        self._refusal = None
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
        self._serving = cycle
        cycle.transport = cast("asyncio.Transport", self._output)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        answered = self._serving
        if answered is None or not answered.response_complete:
            return  # the next one is on its way
        match self._phase:
            case "lingering":
                self._unset_keepalive_if_required()
                if self._refusal is not None:
                    self._send_refusal(self._refusal)
            case "answering":
                self._phase = "idle"
            case "body" if answered.keep_alive and not self.transport.is_closing():
                self._unset_keepalive_if_required()
                if self.expect_100_continue:
                    self._linger()  # the body or the next request may come now: they cannot be distinguished
                elif self._close_timer is None:
                    self._close_timer = self.loop.call_later(LINGER_S, self._close_now)
            case _:  # the next request has begun to arrive
                pass

    def _close(self) -> None:
        """What uvicorn calls after the last answer of a connection."""
        answered = self._serving
        if self._phase != "lingering" and (answered is None or not answered.more_body):
            self._close_now()
        elif self._refusal is None:
            self._linger()

    def _linger(self) -> None:
        """Closes our side of the connection, and discards for a while what still arrives."""
        self._phase = "lingering"
        self.flow.resume_reading()
        if not self.transport.is_closing() and self.transport.can_write_eof():
            self.transport.write_eof()
        if self._close_timer is None:
            self._close_timer = self.loop.call_later(LINGER_S, self._close_now)

    def _close_now(self) -> None:
        self.transport.close()
        if self.transport.get_write_buffer_size() and self._write_timer is None:
            # Closing waits for the caller to read the rest.
            self._write_timer = self.loop.call_later(self._settings.write_timeout_s, self.transport.abort)

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
        self._write_timer = self.loop.call_later(self._settings.write_timeout_s, self._write_is_late, waiting)

    def _write_is_late(self, before: int) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting < before:
            self._watch_writing(waiting)
            return
        self._write_timer = None
        self._count("write_late")
        self.transport.abort()


class _Output:
    """What answers are written to: the transport, except that the connection decides when it is closed."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


def _target(url: bytes) -> dict[str, object]:
    """Path and query of a request line, as far as there are any."""
    path = b"/"
    with contextlib.suppress(httptools.HttpParserInvalidURLError):
        path = httptools.parse_url(url[:MAX_RECORDED_URL_BYTES]).path or path
    return {"path": unquote(path.decode("ascii", "replace")), "raw_path": path, "query_string": b""}


def _other_protocol(data: bytes) -> str | None:
    """Which protocol it is instead, where that can be recognised: two common mistakes in an address or a client's settings."""
    if data.startswith(b"\x16\x03"):
        return "it begins as HTTPS does, and this port speaks HTTP (use http:// in the address)"
    if data.startswith(b"PRI * HTTP/2.0"):
        return "this port speaks HTTP/1.1, not HTTP/2 without TLS"
    return None
