"""The application: the data plane first, the control plane behind it, and every resource opened and closed in one place."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Literal

import httpx
from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.metrics import NoOpMeterProvider

from gatewayz import __version__
from gatewayz.accounts.keys.keys import Keys
from gatewayz.attempts.disconnect import OrphanPolicy
from gatewayz.attempts.outcome_sinks import OutcomeSinks, RouteStateSink, TelemetrySink
from gatewayz.config import Settings
from gatewayz.configfile.load import find_config
from gatewayz.configfile.schema import ConfigFile
from gatewayz.configfile.source import ConfigSource
from gatewayz.configfile.watch import Reloader
from gatewayz.controlplane.application import create_control_plane
from gatewayz.controlplane.deps import Services, attach
from gatewayz.controlplane.health_checks import database_check, redis_check
from gatewayz.controlplane.health_monitor import Check, Dependency, HealthMonitor
from gatewayz.dataplane.browsers import Browsers
from gatewayz.dataplane.endpoint import BodyLimits, Endpoint
from gatewayz.dataplane.http import REFUSAL, Receive, Scope, Send
from gatewayz.dataplane.paths import is_data_plane
from gatewayz.dataplane.routes import find_route
from gatewayz.errors import ConfigurationError, GatewayError
from gatewayz.gateway import Gateway
from gatewayz.pricing.price import CurrentPrices, Prices
from gatewayz.providers.base import Providers
from gatewayz.providers.catalog import Opener, shipped_catalog
from gatewayz.providers.model_lists import ModelLists
from gatewayz.records import ConnectionEnd
from gatewayz.routing.policy import policy_of
from gatewayz.storage.cache import Cache
from gatewayz.storage.database import Database
from gatewayz.telemetry import names
from gatewayz.telemetry.setup import Telemetry, open_telemetry

logger = logging.getLogger(__name__)

# Asked every few seconds by machines: a span for each would bury the requests that people look for.
UNTRACED_PATHS = "health,health/live,health/ready"


class App:
    """The ASGI application. Nothing is module-global: two of these with different settings can live in one process."""

    def __init__(
        self, settings: Settings, environment: Mapping[str, str], on_ready: Callable[[], None] | None = None
    ) -> None:
        """``on_ready`` is called once all resources are open, before the first request."""
        self._on_ready = on_ready
        self.settings = settings
        self._telemetry: Telemetry | None = None
        self._environment = environment
        self._endpoint: Endpoint | None = None
        self._control_plane: FastAPI | None = None
        self._health: HealthMonitor | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        assert self._endpoint is not None  # noqa: S101 - the server opens the lifespan before it accepts
        assert self._control_plane is not None  # noqa: S101
        if is_data_plane(scope["path"]) or REFUSAL in scope:
            await self._endpoint(scope, receive, send)
        else:
            await self._control_plane(scope, receive, send)

    def connection_closed(self, reason: ConnectionEnd) -> None:
        """The server ended a connection on its own account; no request of it was served for that."""
        if self._telemetry is not None:
            self._telemetry.record_connection_closed(reason)

    @contextmanager
    def _draining_on_sigterm(self) -> Generator[None, None, None]:
        """Readiness says no as soon as the process is asked to leave, while open requests go on. The server's own handler
        is called behind ours; it is in place by now, in every worker."""
        if threading.current_thread() is not threading.main_thread():
            yield  # embedded, as in tests: whoever runs the loop handles signals
            return
        previous = signal.getsignal(signal.SIGTERM)

        def handle(number: int, frame: FrameType | None) -> None:
            if self._health is not None:
                self._health.drain()
            if callable(previous):
                previous(number, frame)

        signal.signal(signal.SIGTERM, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, previous)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        started = False
        try:
            async with self._opened():
                started = True
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except (ConfigurationError, GatewayError) as error:
            if started:
                raise
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[None, None]:
        """Opens everything, innermost last; what was opened first is closed last, so telemetry outlives what it reports on."""
        settings = self.settings
        async with AsyncExitStack() as stack:
            telemetry = self._telemetry = open_telemetry(settings, self._environment)
            stack.push_async_callback(asyncio.to_thread, telemetry.close, settings.flush_s)
            telemetry.watch_loop(asyncio.get_running_loop())
            database = await Database.open(settings.database, on_query=telemetry.record_db)
            stack.push_async_callback(database.close)
            await database.migrate()
            keys = await Keys.open(database, settings)
            stack.push_async_callback(keys.close)
            configured = _configured(settings, self._environment, telemetry)
            providers, prices = configured.providers, configured.prices
            stack.push_async_callback(providers.close)
            _observe_state(telemetry, database, keys, providers)
            client = await stack.enter_async_context(_instrumented_client(telemetry))
            checks: dict[Dependency, Check] = {
                "database": database_check(database),
                "providers": _providers_check(providers),
            }
            if settings.redis_url is not None:
                cache = Cache.open(settings.redis_url)
                stack.push_async_callback(cache.close)
                RedisInstrumentor.instrument_client(cache.client, tracer_provider=telemetry.tracer_provider)
                checks["redis"] = redis_check(cache)
            health = self._health = await HealthMonitor.open(checks, redis_required=settings.redis_required)
            stack.push_async_callback(health.close)
            gateway = Gateway(
                providers,
                max_upstream_bytes=settings.max_upstream_bytes,
                sinks=OutcomeSinks((RouteStateSink(), TelemetrySink()), telemetry.record_outcome_failure),
                policy=policy_of(settings),
                orphan_policy=OrphanPolicy(settings.orphaned_call_s, settings.max_orphaned_calls),
                cost_of=prices.cost_of,
                price_of=prices.price_of,
            )
            telemetry.observe(names.CIRCUIT_BREAKER.name, gateway.route_states.breaker_states)
            body_limits = BodyLimits(settings.max_body_bytes, settings.body_timeout_s, settings.max_json_depth)
            self._endpoint = Endpoint(
                find_route(gateway), keys, telemetry, body_limits, Browsers(settings.cors_origins)
            )
            self._control_plane = create_control_plane()
            attach(self._control_plane, Services(settings, health, telemetry.exposition, client))
            FastAPIInstrumentor.instrument_app(
                self._control_plane,
                tracer_provider=telemetry.tracer_provider,
                meter_provider=NoOpMeterProvider(),  # request series come from spans (architecture.md, decision 1)
                excluded_urls=UNTRACED_PATHS,
                exclude_spans=["receive", "send"],
            )
            configured.reloader.open()
            stack.push_async_callback(configured.reloader.close)
            if settings.list_models:
                lists = ModelLists(providers)
                lists.open()
                stack.push_async_callback(lists.close)
            stack.enter_context(self._draining_on_sigterm())
            if self._on_ready is not None:
                self._on_ready()
            logger.info("gateway ready", extra={"version": __version__, "providers": list(providers)})
            yield


@dataclass(frozen=True, slots=True)
class _Configured:
    """What the operator decides in his file, always as it is now."""

    providers: Providers
    prices: CurrentPrices
    reloader: Reloader[tuple[Providers, Prices]]


def _configured(settings: Settings, environment: Mapping[str, str], telemetry: Telemetry) -> _Configured:
    source = ConfigSource(find_config(settings.config_file), settings.data_dir, shipped_catalog())
    opener = Opener(settings, environment)

    def make(config: ConfigFile) -> tuple[Providers, Prices]:
        return opener.providers(config), Prices(config.providers)

    def apply(after: tuple[Providers, Prices]) -> None:
        providers.replace(after[0])
        prices.replace(after[1])
        source.in_force()

    (providers, first_prices), wrong = source.first(make)
    if wrong is not None:
        telemetry.record_reload("rejected")
    prices = CurrentPrices(first_prices)
    reloader = Reloader(source.path, lambda: make(source.read()), apply, telemetry.record_reload)
    return _Configured(providers, prices, reloader)


@asynccontextmanager
async def _instrumented_client(telemetry: Telemetry) -> AsyncGenerator[httpx.AsyncClient, None]:
    """The control plane's HTTP client: Collector, Prometheus and the stores. Never on the hot path."""
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=5.0) as client:
        HTTPXClientInstrumentor.instrument_client(
            client, tracer_provider=telemetry.tracer_provider, meter_provider=NoOpMeterProvider()
        )
        yield client


def _observe_state(telemetry: Telemetry, database: Database, keys: Keys, providers: Providers) -> None:
    def active_keys() -> Iterable[tuple[float, Mapping[str, str]]]:
        return [(keys.active, {})]

    def connections() -> Iterable[tuple[float, Mapping[str, str]]]:
        counts = database.connections()
        return [
            (count, {names.DB_SYSTEM: database.system, names.DB_CONNECTION_STATE: state})
            for state, count in counts.items()
        ]

    telemetry.observe(names.DB_CONNECTIONS.name, connections)
    telemetry.observe(names.API_KEYS.name, active_keys)
    telemetry.observe(names.PROVIDER_AVAILABLE.name, providers.availability)


def _providers_check(providers: Providers) -> Check:
    async def check() -> Literal["healthy", "unhealthy"]:
        return "healthy" if providers else "unhealthy"

    return check


def create_app(settings: Settings, environment: Mapping[str, str], on_ready: Callable[[], None] | None = None) -> App:
    """The application for these settings. ``environment`` holds provider keys and the standard ``OTEL_*`` variables."""
    return App(settings, environment, on_ready)
