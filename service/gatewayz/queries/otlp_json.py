"""How do Jaeger and Tempo write spans? Both use the JSON form of OTLP, each with its own habits.

Ids are hexadecimal (Jaeger) or base64 (Tempo); kinds and states are numbers (Jaeger) or names (Tempo); 64-bit integers are
strings in both, as protobuf's JSON mapping has it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from gatewayz.queries.traces import AttributeValue, Event, Link, Span, SpanKind, SpanStatus, Trace
from gatewayz.telemetry.names import ATTRIBUTES

Name = TypeVar("Name", SpanKind, SpanStatus)

_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")

_KINDS: tuple[SpanKind, ...] = ("unspecified", "internal", "server", "client", "producer", "consumer")
_STATES: tuple[SpanStatus, ...] = ("unset", "ok", "error")
_LISTS = frozenset(known.name for known in ATTRIBUTES if known.type == "string[]")
"""Jaeger stores a list as its JSON text. Of these names we know that a list is meant; any other text may be just a text."""


class AnyValue(msgspec.Struct, rename="camel"):
    """OTLP's value; without a member, an empty one."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    array_value: ArrayValue | None = None
    kvlist_value: KeyValues | None = None
    bytes_value: str | None = None


class ArrayValue(msgspec.Struct):
    values: list[AnyValue] | None = None


class KeyValues(msgspec.Struct):
    values: list[KeyValue] | None = None


class KeyValue(msgspec.Struct):
    key: str
    value: AnyValue = msgspec.field(default_factory=AnyValue)


class _Event(msgspec.Struct, rename="camel"):
    time_unix_nano: int | str = 0
    name: str = ""
    attributes: list[KeyValue] | None = None


class _Link(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    span_id: str = ""


class _Status(msgspec.Struct):
    code: int | str = 0
    message: str = ""


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str
    span_id: str
    parent_span_id: str = ""
    name: str = ""
    kind: int | str = 0
    start_time_unix_nano: int | str = 0
    end_time_unix_nano: int | str = 0
    attributes: list[KeyValue] | None = None
    events: list[_Event] | None = None
    links: list[_Link] | None = None
    status: _Status | None = None


class _ScopeSpans(msgspec.Struct):
    spans: list[_Span] | None = None


class _Resource(msgspec.Struct):
    attributes: list[KeyValue] | None = None


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class SpansDocument(msgspec.Struct, rename="camel"):
    """What holds ``resourceSpans``."""

    resource_spans: list[_ResourceSpans] | None = None


def trace_of(document: SpansDocument, trace_id: str) -> Trace | None:
    """The spans of this trace; None when there are none. Raises ValueError where ids or numbers are none."""
    spans = [span for span in _spans(document) if span.trace_id == trace_id]
    spans.sort(key=lambda span: (span.start_ns, -span.end_ns))
    return Trace(trace_id, tuple(spans)) if spans else None


def attributes_of(pairs: Iterable[KeyValue] | None) -> dict[str, AttributeValue]:
    """As Python has them. Raises ValueError where a number is none."""
    return {pair.key: _listed(pair.key, _value(pair.value)) for pair in pairs or ()}


def _spans(document: SpansDocument) -> Iterable[Span]:
    for group in document.resource_spans or ():
        resource = attributes_of(group.resource.attributes if group.resource else None)
        for scope in group.scope_spans or ():
            for span in scope.spans or ():
                yield _span(span, resource)


def _span(span: _Span, resource: Mapping[str, AttributeValue]) -> Span:
    status = span.status or _Status()
    return Span(
        trace_id=_hex(span.trace_id, 32),
        span_id=_hex(span.span_id, 16),
        parent_id=_parent(span.parent_span_id),
        name=span.name,
        kind=_named(span.kind, _KINDS, "SPAN_KIND_"),
        start_ns=int(span.start_time_unix_nano),
        end_ns=int(span.end_time_unix_nano),
        status=_named(status.code, _STATES, "STATUS_CODE_"),
        status_message=status.message,
        attributes=attributes_of(span.attributes),
        events=tuple(sorted(map(_event, span.events or ()), key=lambda event: event.time_ns)),
        links=tuple(Link(_hex(link.trace_id, 32), _hex(link.span_id, 16)) for link in span.links or ()),
        resource=resource,
    )


def _event(event: _Event) -> Event:
    return Event(int(event.time_unix_nano), event.name, attributes_of(event.attributes))


def _parent(encoded: str) -> str:
    parent = _hex(encoded, 16) if encoded else ""
    return "" if parent == "0" * 16 else parent


def _hex(encoded: str, digits: int) -> str:
    """An id in hexadecimal, whichever way it was written: base64 of as many bytes never has as many characters."""
    if len(encoded) == digits and _HEXADECIMAL.fullmatch(encoded):
        return encoded.lower()
    try:
        return base64.b64decode(encoded, validate=True).hex().zfill(digits)
    except binascii.Error:
        raise ValueError(f"{encoded!r} is no id") from None


def _named(code: int | str, names: tuple[Name, ...], prefix: str) -> Name:
    if isinstance(code, int):
        return names[code] if 0 <= code < len(names) else names[0]
    return next((name for name in names if code == prefix + name.upper()), names[0])


def _value(value: AnyValue) -> AttributeValue:
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return int(value.int_value)
    if value.bool_value is not None:
        return value.bool_value
    if value.double_value is not None:
        return float(value.double_value)  # "NaN" and "Infinity" are strings
    if value.array_value is not None:
        return [_value(item) for item in value.array_value.values or ()]
    if value.kvlist_value is not None:
        return attributes_of(value.kvlist_value.values)
    return value.bytes_value  # base64, as it came; None where there is nothing


def _listed(name: str, value: AttributeValue) -> AttributeValue:
    if name not in _LISTS or not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value, type=list[str])
    except msgspec.DecodeError:
        return value  # cut short in the Collector
