"""The deadlines of one exchange with a provider: one timer of the event loop, moved lazily.

Progress only writes a new limit; a timer that fires before that limit is set again. A stream of a thousand chunks costs one
timer, not a thousand, and no chunk costs a task or a context manager.
"""

from __future__ import annotations

import asyncio

from aiohttp import StreamReader
from aiohttp.connector import Connection

from gatewayz.errors import (
    GatewayError,
    Overloaded,
    ProviderConnectTimeout,
    ProviderFirstChunkTimeout,
    ProviderIdleTimeout,
)
from gatewayz.upstream.port import Timeouts

NEVER = float("inf")


class Deadline:
    """Ends an exchange that takes too long, with the error that says which limit was reached. It also holds the connection,
    since whatever ends the exchange ends that too.

    Until the headers are there it ends the exchange by cancelling the task (as asyncio.timeout does), afterwards by failing
    the body: that costs nothing per chunk and cannot be mistaken for a cancellation from outside.
    """

    __slots__ = (
        "_body",
        "_cancelling",
        "_connection",
        "_due",
        "_handle",
        "_limit_at",
        "_loop",
        "_phase",
        "_task",
        "_timeouts",
        "_total_at",
        "_transport",
        "expired",
        "host",
        "queued",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, host: str, timeouts: Timeouts) -> None:
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("an upstream must be awaited inside a task")
        now = loop.time()
        self.host = host
        self.expired: GatewayError | None = None
        self.queued = False
        """All connections were in use when this exchange began."""
        self._loop = loop
        self._timeouts = timeouts
        self._body: StreamReader | None = None
        self._connection: Connection | None = None
        self._transport: asyncio.Transport | None = None
        self._task = task
        self._cancelling = task.cancelling()
        self._phase = "connect"
        self._limit_at = now + timeouts.connect_s
        self._total_at = now + timeouts.total_s
        self._due = min(self._limit_at, self._total_at)
        self._handle: asyncio.TimerHandle | None = loop.call_at(self._due, self._fire)

    def connected(self, connection: Connection) -> None:
        self._connection = connection
        self._transport = connection.transport
        self._phase = "first_byte"
        self._expect_within(self._timeouts.first_byte_s)

    def answered(self, body: StreamReader) -> None:
        """The headers are there."""
        self._body = body

    def wait_idle(self) -> None:
        """The caller waits for more of the body."""
        self._phase = "idle"
        self._expect_within(self._timeouts.idle_s)

    def pause(self) -> None:
        """The caller is busy with what it has: only the total counts."""
        self._phase = "idle"
        self._limit_at = NEVER

    def stop(self) -> None:
        handle = self._handle
        if handle is not None:
            self._handle = None
            handle.cancel()

    def release(self) -> None:
        """The answer is complete: the connection may serve another exchange."""
        connection, transport = self._connection, self._transport
        if connection is None or transport is None:
            return
        if transport.get_write_buffer_size():
            self.drop_connection()  # it answered before it had the whole request: the rest would precede the next one
            return
        self._connection = self._transport = None
        connection.release()

    def abort(self) -> None:
        """Ends the exchange and its connection."""
        self.stop()
        self.drop_connection()

    def drop_connection(self) -> None:
        """Ends the connection now: an orderly close would first wait until the provider has taken the whole request."""
        connection, transport = self._connection, self._transport
        self._connection = self._transport = None
        if connection is not None:
            connection.close()
        if transport is not None:
            transport.abort()

    def claim_cancellation(self) -> GatewayError | None:
        """Our own error if this cancellation came from the timer alone."""
        if self.expired is not None and self._task.uncancel() <= self._cancelling:
            return self.expired
        return None

    def _expect_within(self, seconds: float) -> None:
        self._limit_at = limit_at = self._loop.time() + seconds
        if (
            limit_at < self._due and self._handle is not None
        ):  # seldom: the new phase has a shorter limit than the last one
            self._handle.cancel()
            self._due = limit_at
            self._handle = self._loop.call_at(limit_at, self._fire)

    def _fire(self) -> None:
        due = min(self._limit_at, self._total_at)
        if self._loop.time() < due:
            self._due = due
            self._handle = self._loop.call_at(due, self._fire)
            return
        self._handle = None
        self.expired = self._error()
        if self._body is None:
            self._task.cancel()
        else:
            self._body.set_exception(self.expired)
            self.abort()

    def _error(self) -> GatewayError:
        host, timeouts = self.host, self._timeouts
        if self._phase == "connect":
            if self.queued:
                return Overloaded(f"All connections to {host} are in use.", retry_after_s=1)
            return ProviderConnectTimeout(
                f"No connection to {host} within {min(timeouts.connect_s, timeouts.total_s):g} s."
            )
        if self._total_at <= self._limit_at:
            reason = f"{host} did not finish within {timeouts.total_s:g} s."
            return ProviderFirstChunkTimeout(reason) if self._phase == "first_byte" else ProviderIdleTimeout(reason)
        if self._phase == "first_byte":
            return ProviderFirstChunkTimeout(f"{host} did not begin to answer within {timeouts.first_byte_s:g} s.")
        return ProviderIdleTimeout(f"{host} fell silent in the middle of its answer for {timeouts.idle_s:g} s.")
