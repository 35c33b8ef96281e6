"""Traces in Tempo (2.8 or newer): whole ones over its v2 API, searches in TraceQL."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from gatewayz.queries.otlp_json import KeyValue, SpansDocument, attributes_of, trace_of
from gatewayz.queries.quoting import quoted
from gatewayz.queries.reader import Part, Reader
from gatewayz.queries.traces import FoundTrace, Trace, TraceSearch, require_trace_id

SPANS_PER_TRACE = 20
"""Of the spans of a trace that meet the conditions, the first is shown; Tempo gives so many, in no certain order."""

OPERATIONS_WITHIN_S = 24 * 3600
"""Span names are read from the blocks of this time; without one, Tempo answers from the last minutes only."""

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


class _Found(msgspec.Struct):
    trace: SpansDocument | None = None


class _Span(msgspec.Struct, rename={"span_id": "spanID"}):
    span_id: str
    name: str = ""
    start_ns: int | str = msgspec.field(default=0, name="startTimeUnixNano")
    duration_ns: int | str = msgspec.field(default=0, name="durationNanos")
    attributes: list[KeyValue] | None = None


class _SpanSet(msgspec.Struct):
    spans: list[_Span] | None = None


class _Trace(msgspec.Struct):
    trace_id: str = msgspec.field(name="traceID")
    span_sets: list[_SpanSet] | None = msgspec.field(default=None, name="spanSets")


class _Traces(msgspec.Struct):
    traces: list[_Trace] | None = None


class _TagValue(msgspec.Struct):
    value: str = ""


class _TagValues(msgspec.Struct):
    tag_values: list[_TagValue] | None = msgspec.field(default=None, name="tagValues")


@dataclass(frozen=True, slots=True)
class Tempo:
    """Implements Traces."""

    reader: Reader
    clock: Callable[[], float] = time.time

    @property
    def part(self) -> Part:
        return self.reader.part

    async def trace(self, trace_id: str) -> Trace | None:
        answer = await self.reader.get(f"/api/v2/traces/{require_trace_id(trace_id)}")
        if answer.status == 404:
            await self._require_tempo()
            return None
        found = self.reader.decode(answer.body, _Found)
        try:
            return trace_of(found.trace, trace_id) if found.trace is not None else None
        except ValueError:
            raise self.reader.wrong_store() from None

    async def search(self, search: TraceSearch) -> list[FoundTrace]:
        parameters = {
            "q": _trace_ql(search),
            # Whole seconds, rounded outwards; the span's own start decides below.
            "start": str(search.since_ns // 10**9),
            "end": str(search.until_ns // 10**9 + 1),
            "limit": str(search.limit),
            "spss": str(SPANS_PER_TRACE),
        }
        traces = (await self.reader.json("/api/search", parameters, _Traces)).traces or []
        try:
            matches = [_match(trace, search) for trace in traces]
        except ValueError:
            raise self.reader.wrong_store() from None
        found = [match for match in matches if match is not None]
        return sorted(found, key=lambda one: one.start_ns, reverse=True)[: search.limit]

    async def operations(self, service: str) -> list[str]:
        now_s = int(self.clock())
        parameters = {
            "q": f"{{ resource.service.name = {quoted(service)} }}",
            "start": str(now_s - OPERATIONS_WITHIN_S),
            "end": str(now_s + 1),
        }
        answer = await self.reader.json("/api/v2/search/tag/name/values", parameters, _TagValues)
        return sorted({tag.value for tag in answer.tag_values or ()})

    async def _require_tempo(self) -> None:
        """Any server may answer 404, and Tempo's cannot be recognised."""
        if (await self.reader.get("/api/status/buildinfo")).status == 404:
            raise self.reader.wrong_store()


def _trace_ql(search: TraceSearch) -> str:
    """All conditions inside one pair of braces: they are then met by one span."""
    conditions: list[str] = []
    if search.service is not None:
        conditions.append(f"resource.service.name = {quoted(search.service)}")
    if search.operation is not None:
        conditions.append(f"name = {quoted(search.operation)}")
    if search.kind is not None:
        conditions.append(f"kind = {search.kind}")
    conditions += [f"{_attribute(name)} = {_literal(value)}" for name, value in search.attributes.items()]
    if search.min_duration_ns is not None:
        conditions.append(f"duration >= {search.min_duration_ns}ns")
    if search.max_duration_ns is not None:
        conditions.append(f"duration <= {search.max_duration_ns}ns")
    wanted = ["name", "resource.service.name", *map(_attribute, search.select)]
    # Without the hint Tempo answers with the first traces that it happens to find.
    return f"{{ {' && '.join(conditions)} }} | select({', '.join(wanted)}) with (most_recent=true)"


def _attribute(name: str) -> str:
    """Of the span or its resource."""
    return f".{name}" if _PLAIN_NAME.fullmatch(name) else f".{quoted(name)}"


def _literal(value: str | int | float | bool) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value)
        case _:
            return str(value)


def _match(trace: _Trace, search: TraceSearch) -> FoundTrace | None:
    """The first of the spans that Tempo matched; None where all began outside the time that was asked for."""
    spans = sorted(
        (span for group in trace.span_sets or () for span in group.spans or ()), key=lambda span: int(span.start_ns)
    )
    for span in spans:
        if search.since_ns <= int(span.start_ns) < search.until_ns:
            attributes = attributes_of(span.attributes)
            return FoundTrace(
                trace_id=trace.trace_id.zfill(32),
                span_id=span.span_id.zfill(16),
                service=str(attributes.get("service.name", "")),
                name=span.name,
                start_ns=int(span.start_ns),
                duration_ns=int(span.duration_ns),
                attributes={name: attributes[name] for name in search.select if name in attributes},
            )
    return None
