"""What may a caller ask of routing for one call? Headers ``x-gatewayz-…``, and a list of ``models`` in the body."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, get_args

import msgspec
import orjson
from msgspec import Meta

from gatewayz.errors import InvalidRequest
from gatewayz.records import Call, Record, Strategy

PREFIX = b"x-gatewayz-"
MAX_MODELS = 16
MAX_NAME_CHARACTERS = 256

STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

_NAMES = msgspec.json.Decoder(
    Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)]],
        Meta(min_length=1, max_length=MAX_MODELS),
    ]
)


class RoutingOptions(Record, frozen=True):
    """What the caller wants to differ from the configuration."""

    strategy: Strategy | None = None
    """``x-gatewayz-strategy``."""
    providers: tuple[str, ...] = ()
    """``x-gatewayz-provider``: only these, in this order."""
    timeout_s: float | None = None
    """``x-gatewayz-timeout``: for the whole call, retries included. Never longer than the operator allows."""
    first_chunk_timeout_s: float | None = None
    """``x-gatewayz-first-chunk-timeout``: how long each attempt has to begin its answer."""
    models: tuple[str, ...] = ()
    """``models`` of the body: other models that may answer, in this order."""


DEFAULT = RoutingOptions()


def parse_routing_options(headers: Iterable[tuple[bytes, bytes]], call: Call) -> tuple[Call, RoutingOptions]:
    """The call as providers get it (without ``models``), and its options. Raises InvalidRequest naming the header or member."""
    given = [pair for pair in headers if pair[0].startswith(PREFIX)]
    raw = call.fields.get("models")
    if not given and raw is None:
        return call, DEFAULT
    texts = {name: value.decode("latin-1").strip() for name, value in given}
    models: tuple[str, ...] = ()
    if raw is not None:
        try:
            models = tuple(_NAMES.decode(raw))
        except msgspec.DecodeError:
            raise InvalidRequest(
                f"Invalid value for 'models': must be a list of 1 to {MAX_MODELS} model names.",
                code="invalid_value",
                param="models",
            ) from None
        call = _without(call, "models")
    options = RoutingOptions(
        strategy=_strategy(texts.get(b"x-gatewayz-strategy")),
        providers=_providers(texts.get(b"x-gatewayz-provider")),
        timeout_s=_seconds("x-gatewayz-timeout", texts.get(b"x-gatewayz-timeout")),
        first_chunk_timeout_s=_seconds("x-gatewayz-first-chunk-timeout", texts.get(b"x-gatewayz-first-chunk-timeout")),
        models=models,
    )
    return call, options


def _without(call: Call, member: str) -> Call:
    fields = {name: value for name, value in call.fields.items() if name != member}
    body = b"{" + b",".join([orjson.dumps(name) + b":" + value for name, value in fields.items()]) + b"}"
    return msgspec.structs.replace(call, fields=fields, body=body)


def _strategy(text: str | None) -> Strategy | None:
    if text is None:
        return None
    for known in STRATEGIES:
        if text.lower() == known:
            return known
    raise InvalidRequest(
        f"The header x-gatewayz-strategy must be one of {', '.join(STRATEGIES)}.", code="invalid_header"
    )


def _providers(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    if not names or len(names) > MAX_MODELS:
        raise InvalidRequest(
            "The header x-gatewayz-provider must name one or several providers, with commas between.",
            code="invalid_header",
        )
    return names


def _seconds(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InvalidRequest(f"The header {name} must be a number of seconds above 0.", code="invalid_header")
    return seconds
