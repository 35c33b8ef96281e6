"""Makes a provider that can be called of each entry whose key or address is there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from urllib.parse import urlsplit

from gatewayz.config import Settings
from gatewayz.configfile.load import DEMO as DEMO
from gatewayz.configfile.load import find_config, read_catalog, read_config
from gatewayz.configfile.schema import ConfigFile, ProviderEntry
from gatewayz.configfile.urls import wrong_base_url
from gatewayz.errors import ConfigurationError
from gatewayz.providers.auth import StaticKey
from gatewayz.providers.base import Address, Provider, common_headers
from gatewayz.providers.demo.upstream import DemoUpstream
from gatewayz.providers.keypool import Secret, distinct, split_keys
from gatewayz.providers.registry import Providers
from gatewayz.upstream import AiohttpUpstream, Timeouts, Upstream

CATALOG = "catalog.yaml"


@cache  # the file is part of the product, and the entries are frozen
def shipped_catalog() -> Mapping[str, ProviderEntry]:
    """The entries that come with the product."""
    return read_catalog(resources.files("gatewayz.providers").joinpath(CATALOG).read_text("utf-8"), CATALOG)


def load_config(settings: Settings) -> ConfigFile:
    """The shipped catalogue and the operator's file over it. Raises ConfigurationError with file, line and path."""
    return read_config(find_config(settings.config_file), shipped_catalog())


class ProviderFactory:
    """Makes providers of a configuration, with one HTTP client for all of them, however often it is reloaded.

    The HTTP client opens with the first request. ``Providers.close()`` closes it.
    """

    def __init__(self, settings: Settings, environment: Mapping[str, str], upstream: Upstream | None = None) -> None:
        self._settings = settings
        self._environment = environment
        self._http = AiohttpUpstream(settings) if upstream is None else upstream
        self._demo = DemoUpstream(settings.demo_pace_s)

    def make(self, config: ConfigFile) -> Providers:
        """The providers that can be called, in the configuration's order. Raises ConfigurationError naming the variable."""
        available: dict[str, Provider] = {}
        unavailable: dict[str, str] = {}
        for name, entry in config.providers.items():
            made = self._provider(name, entry, named=name in config.named)
            if isinstance(made, Provider):
                available[name] = made
            else:
                unavailable[name] = made
        return Providers(available, unavailable, config.groups)

    def _provider(self, name: str, entry: ProviderEntry, *, named: bool) -> Provider | str:
        """The provider, or what is missing."""
        if not entry.enabled or (name == DEMO and not self._settings.demo_enabled):
            return "disabled"
        override = "" if name == DEMO else self._override(f"{name.upper()}_BASE_URL", entry)
        keys = distinct(key for one in entry.keys for key in self._keys(one))
        if name != DEMO:
            if entry.keyless and not override and not named:
                return "not_configured"
            if not keys and not entry.keyless:
                return "no_key"
        stream_timeouts, unary_timeouts = _timeouts(entry, self._settings)
        headers = common_headers(entry.wires, tuple((header.lower(), value) for header, value in entry.headers.items()))
        return Provider(
            name=name,
            otel_name=entry.otel_name or name,
            address=Address.of(override) if override else Address.of(entry.base_url, entry.wire_urls),
            upstream=self._demo if name == DEMO else self._http,
            stream_timeouts=stream_timeouts,
            unary_timeouts=unary_timeouts,
            headers=headers,
            auth=StaticKey.of(headers, entry.auth, keys),
            keys=keys,
            key_variables=entry.keys,
            models=entry.models,
            model_prefixes=entry.model_prefixes,
            wires=entry.wires,
            embeddings=entry.embeddings,
            usage_option=entry.usage_option,
            max_tokens_name=entry.max_tokens_name,
            reasoning_back=entry.reasoning_back,
            propagate=entry.propagate,
            max_concurrency=entry.max_concurrency,
            list_models=entry.list_models,
        )

    def _override(self, variable: str, entry: ProviderEntry) -> str:
        """The address in the environment, empty if there is none. Plain http is allowed: it may be a proxy in one's own network.

        Raises ConfigurationError for one that cannot be called.
        """
        given = self._environment.get(variable, "").strip()
        if not given:
            return ""
        if (reason := wrong_base_url(given, plain_http=True)) is not None:
            raise ConfigurationError(f"{variable}: {reason}.")
        return _with_path(given, entry.base_url)

    def _keys(self, variable: str) -> list[Secret]:
        keys = split_keys(self._environment.get(variable, ""))
        for key in keys:
            if not key.isascii() or not key.isprintable() or " " in key:
                raise ConfigurationError(f"{variable}: holds characters that no key has (a space, a line break?).")
        return [Secret(key) for key in keys]


def load_providers(settings: Settings, environment: Mapping[str, str], upstream: Upstream | None = None) -> Providers:
    """The providers of the configuration in force. Raises ConfigurationError; opens nothing."""
    return ProviderFactory(settings, environment, upstream).make(load_config(settings))


def _with_path(override: str, usual: str) -> str:
    """An address without a path gets the usual path: half of the vendors' SDKs take the same variable without ``/v1``."""
    return override if urlsplit(override).path.strip("/") else override.rstrip("/") + urlsplit(usual).path


def _timeouts(entry: ProviderEntry, settings: Settings) -> tuple[Timeouts, Timeouts]:
    """For streams, and for whole answers."""
    own = entry.timeouts
    connect_s = own.connect_s or settings.connect_timeout_s
    idle_s = own.idle_s or settings.idle_timeout_s
    total_s = own.total_s or settings.total_timeout_s
    return (
        Timeouts(connect_s, own.first_chunk_s or settings.first_chunk_timeout_s, idle_s, total_s),
        Timeouts(connect_s, own.first_byte_s or settings.first_byte_timeout_s, idle_s, total_s),
    )
