"""Reads the catalogue, checks it, and makes of each entry whose key or address is there a provider that can be called."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import yaml
from msgspec import Meta, Struct

from gatewayz.config import Settings
from gatewayz.errors import ConfigurationError
from gatewayz.providers.base import Provider, Providers, Secret
from gatewayz.providers.demo import DemoUpstream
from gatewayz.upstream import AiohttpUpstream, Timeouts, Upstream

DEMO = "demo"
CATALOG = "catalog.yaml"

Text = Annotated[str, Meta(min_length=1)]
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*\Z")


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """One provider as the catalogue describes it; the file's head says what each member means."""

    base_url: Text
    keys: tuple[Text, ...] = ()
    otel_name: Text | None = None
    keyless: bool = False
    model_prefixes: tuple[Text, ...] = ()
    models: tuple[Text, ...] = ()
    usage_option: bool = True
    propagate: bool = False


def load_providers(settings: Settings, environment: Mapping[str, str], upstream: Upstream | None = None) -> Providers:
    """The providers that can be called, in catalogue order.

    Opens nothing: the HTTP client (one for all, unless ``upstream`` is given) opens itself with the first call.
    ``Providers.close()`` closes it. Raises ConfigurationError, which names file, entry and member, or the variable.
    """
    http = AiohttpUpstream(settings) if upstream is None else upstream
    available: dict[str, Provider] = {}
    unavailable: dict[str, str] = {}
    for name, entry in shipped_catalog().items():
        if name == DEMO:
            if settings.demo_enabled:
                available[name] = _provider(
                    name, entry, entry.base_url, (), DemoUpstream(settings.demo_pace_s), settings
                )
            else:
                unavailable[name] = "disabled"
            continue
        variable = f"{name.upper()}_BASE_URL"
        override = environment.get(variable, "").strip()
        if override:
            check_base_url(override, variable, plain_http=True)
        keys = _keys(entry, environment)
        if entry.keyless and not override:
            unavailable[name] = "not_configured"
        elif not keys and not entry.keyless:
            unavailable[name] = "no_key"
        else:
            available[name] = _provider(name, entry, override or entry.base_url, keys, http, settings)
    return Providers(available, unavailable)


def shipped_catalog() -> dict[str, Entry]:
    """The entries that come with the product."""
    return read_catalog(resources.files("gatewayz.providers").joinpath(CATALOG).read_text("utf-8"), CATALOG)


def read_catalog(text: str, source: str) -> dict[str, Entry]:
    """The entries of a catalogue. Raises ConfigurationError with ``source``, entry and member."""
    try:
        document: Any = yaml.safe_load(text)  # anything at all, until it is checked below
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where is not None else ""
        raise ConfigurationError(
            f"{source}{line}: not valid YAML: {getattr(error, 'problem', None) or error}."
        ) from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"{source}: must be a mapping of provider names to entries.")
    entries: dict[str, Entry] = {}
    for name, raw in document.items():  # pyright: ignore[reportUnknownVariableType] (checked here)
        if not isinstance(name, str) or not _NAME.match(name):
            raise ConfigurationError(
                f"{source}: {name!r}: a provider's name is lower-case letters, digits and underscores."
            )
        try:
            entry = msgspec.convert(raw, Entry)
        except msgspec.ValidationError as error:
            reason, _, path = str(error).partition(" - at `$")
            member = path.rstrip("`").lstrip(".")
            raise ConfigurationError(f"{source}: {name}{f': {member}' if member else ''}: {reason}.") from None
        check_base_url(entry.base_url, f"{source}: {name}: base_url", plain_http=entry.keyless or name == DEMO)
        for variable in entry.keys:
            if not _VARIABLE.match(variable):
                raise ConfigurationError(
                    f"{source}: {name}: keys: {variable!r} is not a name of an environment variable."
                )
        entries[name] = entry
    return entries


def check_base_url(url: str, where: str, *, plain_http: bool) -> None:
    """Raises ConfigurationError, which begins with ``where``, unless ``url`` may be a provider's base URL.

    ``plain_http`` allows http for any host; else it is for loopback alone, for the key would travel in the clear. The
    address itself is not repeated when it holds credentials.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"{where}: not a valid address: {error}.") from None
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(f"{where}: must not hold credentials; give the key in its own variable.")
    if parts.scheme not in ("http", "https"):
        raise ConfigurationError(f"{where}: must begin with http:// or https:// (given: {url!r}).")
    if not parts.hostname or port == 0 or any(character.isspace() for character in url):
        raise ConfigurationError(f"{where}: must name a host (given: {url!r}).")
    if parts.query or parts.fragment:
        raise ConfigurationError(f"{where}: must not hold a query or a fragment (given: {url!r}).")
    if parts.scheme == "http" and not plain_http and not _is_loopback(parts.hostname):
        raise ConfigurationError(f"{where}: must use https, since the key is sent along (given: {url!r}).")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _keys(entry: Entry, environment: Mapping[str, str]) -> tuple[Secret, ...]:
    for variable in entry.keys:
        value = environment.get(variable, "").strip()
        if value:
            if not value.isascii() or not value.isprintable() or " " in value:
                raise ConfigurationError(f"{variable}: holds characters that no key has (a space, a line break?).")
            return (Secret(value),)
    return ()


def _provider(
    name: str, entry: Entry, base_url: str, keys: tuple[Secret, ...], upstream: Upstream, settings: Settings
) -> Provider:
    return Provider(
        name=name,
        otel_name=entry.otel_name or name,
        base_url=base_url,
        upstream=upstream,
        stream_timeouts=Timeouts(
            connect_s=settings.connect_timeout_s,
            first_byte_s=settings.first_chunk_timeout_s,
            idle_s=settings.idle_timeout_s,
            total_s=settings.total_timeout_s,
        ),
        unary_timeouts=Timeouts(
            connect_s=settings.connect_timeout_s,
            first_byte_s=settings.first_byte_timeout_s,
            idle_s=settings.idle_timeout_s,
            total_s=settings.total_timeout_s,
        ),
        key_variables=entry.keys,
        keys=keys,
        models=entry.models,
        model_prefixes=entry.model_prefixes,
        propagate=entry.propagate,
        usage_option=entry.usage_option,
    )
