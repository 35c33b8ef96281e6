"""The gateway's section of an app: providers and prices as configured, the gateway, and the endpoint that serves it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gatewayz.accounts.section import Accounts
from gatewayz.attempts.outcome_sinks import OutcomeSinks, RouteStateSink, TelemetrySink
from gatewayz.config import Settings
from gatewayz.configfile.load import find_config
from gatewayz.configfile.schema import ConfigFile
from gatewayz.configfile.source import ConfigSource
from gatewayz.configfile.watch import Reloader
from gatewayz.dataplane.browsers import Browsers
from gatewayz.dataplane.endpoint import BodyLimits, Endpoint
from gatewayz.dataplane.routes import find_route
from gatewayz.gateway import Gateway
from gatewayz.pricing.price import CurrentPrices, Prices
from gatewayz.providers.catalog import ProviderFactory, shipped_catalog
from gatewayz.providers.model_lists import ModelLists
from gatewayz.providers.registry import Providers
from gatewayz.telemetry import names
from gatewayz.telemetry.setup import Telemetry


@dataclass(frozen=True, slots=True)
class DataPlane:
    endpoint: Endpoint
    providers: Providers


@asynccontextmanager
async def open_gateway(
    settings: Settings, environment: Mapping[str, str], accounts: Accounts, telemetry: Telemetry
) -> AsyncGenerator[DataPlane]:
    """Follows the configuration file from here on. Raises ConfigurationError for a mistake in it."""
    async with AsyncExitStack() as stack:
        configured = _configured(settings, environment, telemetry)
        providers, prices = configured.providers, configured.prices
        stack.push_async_callback(providers.close)
        gateway = Gateway(
            providers,
            upstream=settings.upstream,
            sinks=OutcomeSinks((RouteStateSink(), TelemetrySink()), telemetry.record_outcome_failure),
            policy=settings.routing,
            orphan_policy=settings.orphans,
            cost_of=prices.cost_of,
            price_of=prices.price_of,
        )
        telemetry.observe(names.PROVIDER_AVAILABLE.name, providers.availability)
        telemetry.observe(names.CIRCUIT_BREAKER.name, gateway.route_states.breaker_states)
        reloader = configured.reloader(gateway.route_states.forget)
        reloader.open()
        stack.push_async_callback(reloader.close)
        if settings.providers.list_models:
            lists = ModelLists(providers)
            lists.open()
            stack.push_async_callback(lists.close)
        server = settings.server
        body_limits = BodyLimits(server.max_body_bytes, server.body_timeout_s, server.max_json_depth)
        browsers = Browsers(server.cors_origins)
        yield DataPlane(Endpoint(find_route(gateway), accounts.keys, telemetry, body_limits, browsers), providers)


@dataclass(frozen=True, slots=True)
class _Configured:
    """The current content of the operator's file."""

    providers: Providers
    prices: CurrentPrices
    reloader: Callable[[Callable[[Collection[str]], None]], Reloader[tuple[Providers, Prices]]]
    """Makes what follows the file. It calls the function that it is given with the names of the providers that were removed, or
    have another address or other keys."""


def _configured(settings: Settings, environment: Mapping[str, str], telemetry: Telemetry) -> _Configured:
    source = ConfigSource(find_config(settings.providers.config_file), settings.storage.data_dir, shipped_catalog())
    factory = ProviderFactory(settings, environment)

    def make(config: ConfigFile) -> tuple[Providers, Prices]:
        return factory.make(config), Prices(config.providers)

    (providers, first_prices), wrong = source.first(make)
    if wrong is not None:
        telemetry.record_reload("rejected")
    prices = CurrentPrices(first_prices)

    def reloader(on_changed: Callable[[Collection[str]], None]) -> Reloader[tuple[Providers, Prices]]:
        def apply(after: tuple[Providers, Prices]) -> None:
            changed = providers.replace(after[0])
            prices.replace(after[1])
            source.in_force()
            on_changed(changed)

        return Reloader(source.path, lambda: make(source.read()), apply, telemetry.record_reload)

    return _Configured(providers, prices, reloader)
