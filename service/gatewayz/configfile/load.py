"""From text to entries: the shipped catalogue, and gatewayz.yaml over it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from gatewayz.config import ConfigurationError
from gatewayz.configfile.document import Document, only, read_text
from gatewayz.configfile.schema import ConfigFile, GroupEntry, PriceEntry, ProviderEntry
from gatewayz.configfile.urls import wrong_base_url
from gatewayz.records import ModelGroup, Target

DEFAULT_NAME = "gatewayz.yaml"
SECTIONS = ("providers", "models")
DEMO = "demo"

_PROVIDER_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_HEADER = re.compile(r"[A-Za-z0-9-]+\Z")
_RESERVED_HEADERS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "authorization", "accept-encoding"}
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_NAME = 200


def read_catalog(text: str, source: str) -> dict[str, ProviderEntry]:
    """The entries of a catalogue, a mapping of names to entries. Raises ConfigurationError with line and member."""
    document = Document(text, source)
    if document.value is None:
        raise ConfigurationError(f"{source}: must be a mapping of provider names to entries.")
    return {name: _provider(document, (name,), name, raw, None) for name, raw in document.mapping().items()}


def find_config(path: Path | None) -> Path | None:
    """The file to read: the one set, else gatewayz.yaml where the gateway was started, if there is one."""
    if path is not None:
        return path
    usual = Path(DEFAULT_NAME)
    return usual if usual.is_file() else None


def read_config(path: Path | None, shipped: Mapping[str, ProviderEntry]) -> ConfigFile:
    """The shipped catalogue with the file's changes. Without a file it is the catalogue.

    Providers that the file names come first, in its order: the operator decides. Raises ConfigurationError,
    which names file, line and path.
    """
    return ConfigFile(shipped) if path is None else parse_config(read_text(path), path.name, shipped)


def parse_config(text: str, source: str, shipped: Mapping[str, ProviderEntry]) -> ConfigFile:
    """``read_config`` for a text."""
    document = Document(text, source)
    if document.value is None:  # an empty file, or one of comments, changes nothing
        return ConfigFile(shipped)
    only(document, SECTIONS)
    named = {
        name: _provider(document, ("providers", name), name, raw, shipped.get(name))
        for name, raw in document.mapping("providers").items()
    }
    groups = {name: _group(document, name, raw) for name, raw in document.mapping("models").items()}
    providers = {**named, **{name: entry for name, entry in shipped.items() if name not in named}}
    for group in groups.values():
        _check_targets(document, group, groups, providers)
    return ConfigFile(providers, groups, frozenset(named))


def _provider(
    document: Document, trail: tuple[str, ...], name: str, raw: Any, shipped: ProviderEntry | None
) -> ProviderEntry:
    if not _PROVIDER_NAME.match(name):
        raise document.error(trail, "a provider's name is lower-case letters, digits and underscores")
    given = document.mapping(*trail) if raw is not None else {}
    merged: dict[str, Any] = {**msgspec.to_builtins(shipped), **given} if shipped is not None else given
    if shipped is not None:
        if "base_url" in given and "wire_urls" not in given:
            del merged["wire_urls"]  # the vendor's; another base URL holds for all wires
        for member in ("timeouts", "prices", "headers"):
            if member in given:  # entry by entry: one changed timeout does not unset the others
                merged[member] = {**msgspec.to_builtins(getattr(shipped, member)), **document.mapping(*trail, member)}
    for model, price in document.mapping(*trail, "prices").items() if "prices" in given else ():
        document.convert(price, PriceEntry, (*trail, "prices", model))  # one by one, for the line of a wrong one
    entry = document.convert(merged, ProviderEntry, trail)
    places = {("base_url",): entry.base_url, **{("wire_urls", wire): url for wire, url in entry.wire_urls.items()}}
    for place, url in places.items():
        if (reason := wrong_base_url(url, plain_http=entry.keyless or name == DEMO)) is not None:
            raise document.error((*trail, *place), reason)
    for wire in entry.wire_urls:
        if wire not in entry.wires:
            raise document.error((*trail, "wire_urls", wire), "is not among this provider's `wires`")
    if repeated := next((wire for wire in entry.wires if entry.wires.count(wire) > 1), None):
        raise document.error((*trail, "wires"), f"{repeated} is there twice")
    for index, variable in enumerate(entry.keys):
        if not _VARIABLE.match(variable):
            # Not repeated: it may be a key, put here by mistake.
            raise document.error(
                (*trail, "keys", index), "is not the name of an environment variable (capitals, digits, _)"
            )
    for header, value in entry.headers.items():
        if not _HEADER.match(header) or header.lower() in _RESERVED_HEADERS:
            raise document.error((*trail, "headers", header), "is not a header that can be set here")
        if not value.isascii() or _CONTROL.search(value):
            raise document.error((*trail, "headers", header), "holds characters that no header has")
    if not entry.keys and not entry.keyless and name != DEMO:
        raise document.error(trail, "needs `keys` (variables that hold its key), or `keyless: true`")
    return entry


def _group(document: Document, name: str, raw: Any) -> ModelGroup:
    trail = ("models", name)
    if not name or len(name) > MAX_NAME or _CONTROL.search(name):
        raise document.error(trail, f"a model's name is 1 to {MAX_NAME} printable characters")
    match raw:
        case str() if raw:
            return ModelGroup(name, (Target(raw),))
        case list():
            entry = document.convert({"targets": cast("list[Any]", raw)}, GroupEntry, trail)
        case dict():
            entry = document.convert(document.mapping(*trail), GroupEntry, trail)
        case _:
            raise document.error(trail, "must be a model (an alias), a list of models, or a mapping with `targets`")
    targets = tuple(Target(one) if isinstance(one, str) else Target(one.model, one.weight) for one in entry.targets)
    if entry.strategy == "weighted" and not any(target.weight for target in targets):
        raise document.error(trail, "at least one weight must be above 0")
    return ModelGroup(name, targets, entry.strategy, entry.sticky)


def _check_targets(
    document: Document, group: ModelGroup, groups: Mapping[str, ModelGroup], providers: Mapping[str, ProviderEntry]
) -> None:
    """A group may bear the name of one of its targets (it then stands before it), but groups do not nest."""
    seen: set[str] = set()
    for target in group.targets:
        trail = ("models", group.name, "targets")
        if target.model in groups and target.model != group.name:
            raise document.error(trail, f"{target.model!r} is a group itself; groups do not nest")
        if target.model in seen:
            raise document.error(trail, f"{target.model!r} is there twice; use weights instead")
        seen.add(target.model)
        provider, slash, rest = target.model.partition("/")
        if slash and rest and provider in providers:
            continue
        if not any(
            target.model in entry.models or target.model.startswith(entry.model_prefixes)
            for entry in providers.values()
        ):
            raise document.error(
                trail, f"{target.model!r}: no provider is called so and none serves it; write provider/model"
            )
