"""One model of a trace, whatever keeps it, and what can be asked of a store of traces."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from gatewayz.queries.errors import BadQuestion
from gatewayz.queries.reader import Part

SpanKind = Literal["unspecified", "internal", "server", "client", "producer", "consumer"]
SpanStatus = Literal["unset", "ok", "error"]

AttributeValue: TypeAlias = (
    str | int | float | bool | Sequence["AttributeValue"] | Mapping[str, "AttributeValue"] | None
)
Attributes: TypeAlias = Mapping[str, AttributeValue]

_TRACE_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at one moment of a span."""

    time_ns: int
    """Unix time."""
    name: str
    attributes: Attributes = field(default_factory=dict[str, AttributeValue])


@dataclass(frozen=True, slots=True)
class Link:
    """Another span that this one has to do with, without being its child. Its attributes are left out: Jaeger keeps none."""

    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Span:
    """``parent_id`` is empty for a root; it may name a span that the store does not have."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: SpanKind
    start_ns: int
    """Unix time."""
    end_ns: int
    status: SpanStatus
    status_message: str
    attributes: Attributes
    events: tuple[Event, ...]
    links: tuple[Link, ...]
    resource: Attributes
    """Who made the span: ``service.name`` and the like."""

    @property
    def service(self) -> str:
        return str(self.resource.get("service.name", ""))

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True)
class Trace:
    """``spans`` are in the order in which they began; there is at least one."""

    trace_id: str
    spans: tuple[Span, ...]

    @property
    def start_ns(self) -> int:
        return self.spans[0].start_ns

    @property
    def end_ns(self) -> int:
        return max(span.end_ns for span in self.spans)


@dataclass(frozen=True, slots=True)
class TraceSearch:
    """Which traces are wanted: those with one span that meets every condition, newest first.

    By default that span is the one of a request (``kind`` server), on which the gateway puts whatever a search needs:
    an attempt's short duration then never stands for the request's.
    """

    since_ns: int
    """Unix time. The span began at this time or later …"""
    until_ns: int
    """… and before this one."""
    service: str | None = None
    operation: str | None = None
    """The span's whole name."""
    attributes: Mapping[str, str | int | float | bool] = field(default_factory=dict[str, "str | int | float | bool"])
    """Of the span or its resource; equal in value and type (Tempo tells 502 from "502")."""
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None
    kind: SpanKind | None = "server"
    """None: a span of any kind."""
    limit: int = 20
    select: tuple[str, ...] = ()
    """Attributes that the answer shall hold."""


@dataclass(frozen=True, slots=True)
class FoundTrace:
    """A trace that a search found, by the first of its spans that met the conditions."""

    trace_id: str
    span_id: str
    service: str
    name: str
    start_ns: int
    """Unix time, exact to the microsecond."""
    duration_ns: int
    """Of that span, exact to the microsecond."""
    attributes: Attributes
    """Those of TraceSearch.select that the span or its resource has."""


class Traces(Protocol):
    """A store of traces. Every question raises QueryError when it cannot be answered."""

    @property
    def part(self) -> Part:
        """Its name and address, for people."""
        ...

    async def trace(self, trace_id: str) -> Trace | None:
        """The whole trace; None when the store does not have it (yet)."""
        ...

    async def search(self, search: TraceSearch) -> list[FoundTrace]: ...

    async def operations(self, service: str) -> list[str]:
        """The names of the spans that the service has made, sorted."""
        ...


def require_trace_id(trace_id: str) -> str:
    """Raises BadQuestion for what is no trace id: it would become part of an address."""
    if not _TRACE_ID.fullmatch(trace_id):
        raise BadQuestion(f"{trace_id!r} is no trace id: that is 32 hexadecimal digits in lower case.")
    return trace_id
