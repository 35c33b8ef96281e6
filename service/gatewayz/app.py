"""The application: sections that are opened in order, and two planes that requests are handed to."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import FrameType

from fastapi import FastAPI

from gatewayz import __version__
from gatewayz.accounts.section import open_accounts
from gatewayz.config import Settings
from gatewayz.controlplane.section import open_controlplane
from gatewayz.dataplane.endpoint import Endpoint
from gatewayz.dataplane.http import REFUSAL, Receive, Scope, Send
from gatewayz.dataplane.paths import is_data_plane
from gatewayz.dataplane.section import open_gateway
from gatewayz.errors import ConfigurationError, GatewayError
from gatewayz.queries.section import open_queries
from gatewayz.records import ConnectionEnd
from gatewayz.storage.section import open_storage
from gatewayz.telemetry.setup import Telemetry, open_telemetry

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Opened:
    """What requests need while the app is open."""

    endpoint: Endpoint
    control_plane: FastAPI
    telemetry: Telemetry


class App:
    """The ASGI application. Nothing is module-global: two of these with different settings can live in one process."""

    def __init__(
        self, settings: Settings, environment: Mapping[str, str], on_ready: Callable[[], None] | None = None
    ) -> None:
        """``on_ready`` is called once all resources are open, before the first request."""
        self.settings = settings
        self._environment = environment
        self._on_ready = on_ready
        self._opened: _Opened | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._answer_lifespan(receive, send)
            return
        opened = self._opened
        assert opened is not None  # noqa: S101 - the server opens the lifespan before it accepts
        if is_data_plane(scope["path"]) or REFUSAL in scope:
            await opened.endpoint(scope, receive, send)
        else:
            await opened.control_plane(scope, receive, send)

    def connection_closed(self, reason: ConnectionEnd) -> None:
        """The server closed a connection by its own decision; no request of it was served for that."""
        if self._opened is not None:
            self._opened.telemetry.record_connection_closed(reason)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Opens the sections in order and closes them in reverse: telemetry outlives what it reports on."""
        settings, environment = self.settings, self._environment
        async with (
            open_telemetry(settings, environment) as telemetry,
            open_storage(settings, telemetry) as storage,
            open_accounts(settings, storage, telemetry) as accounts,
            open_gateway(settings, environment, accounts, telemetry) as gateway,
            open_queries(telemetry) as queries,
            open_controlplane(settings, storage, accounts, gateway.providers, queries, telemetry) as controlplane,
        ):
            self._opened = _Opened(gateway.endpoint, controlplane.app, telemetry)
            with _on_sigterm(controlplane.health.drain):
                if self._on_ready is not None:
                    self._on_ready()
                logger.info("gateway ready", extra={"version": __version__, "providers": list(gateway.providers)})
                yield

    async def _answer_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        started = False
        try:
            async with self.lifespan():
                started = True
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except (ConfigurationError, GatewayError) as error:
            if started:
                raise
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})


@contextmanager
def _on_sigterm(drain: Callable[[], None]) -> Generator[None]:
    """Calls ``drain`` as soon as the process is told to stop, so that readiness says no while open requests go on. The server's
    own handler is called after it; it is in place by now, in every worker."""
    if threading.current_thread() is not threading.main_thread():
        yield  # embedded, as in tests: the program around us handles signals
        return
    previous = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        drain()
        if callable(previous):
            previous(number, frame)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def create_app(settings: Settings, environment: Mapping[str, str], on_ready: Callable[[], None] | None = None) -> App:
    """The application for these settings. ``environment`` holds provider keys and the standard ``OTEL_*`` variables."""
    return App(settings, environment, on_ready)
