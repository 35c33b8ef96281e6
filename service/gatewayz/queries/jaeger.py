"""Traces in Jaeger 2: whole ones over its v3 API, searches over the older one, the only one that knows attributes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from urllib.parse import quote

import msgspec

from gatewayz.queries.errors import TooLarge
from gatewayz.queries.otlp_json import SpansDocument, trace_of
from gatewayz.queries.reader import Part, Reader
from gatewayz.queries.traces import AttributeValue, FoundTrace, Trace, TraceSearch, require_trace_id

MAX_PAGES = 6
"""Jaeger lets conditions be met by different spans of a trace; what it found too much is left out, and the next page asked
for, twice as large. After so many pages a search ends with what there is."""

MIN_PAGE = 20
MAX_PAGE = 200
"""Traces per page, unless more are wanted: each costs kilobytes, with captured prompts a hundred of them; each question
some milliseconds."""


class _Found(msgspec.Struct):
    result: SpansDocument


class _Missing(msgspec.Struct, rename="camel"):
    http_code: int = 0


class _NotFound(msgspec.Struct):
    error: _Missing


class _Tag(msgspec.Struct):
    key: str
    value: str | int | float | bool | None = None


class _Span(msgspec.Struct, rename={"span_id": "spanID", "operation_name": "operationName", "process_id": "processID"}):
    span_id: str
    operation_name: str = ""
    start_time: int = msgspec.field(default=0, name="startTime")
    """Microseconds."""
    duration: int = 0
    """Microseconds."""
    tags: list[_Tag] | None = None
    process_id: str = ""


class _Process(msgspec.Struct, rename="camel"):
    service_name: str = ""
    tags: list[_Tag] | None = None


class _Trace(msgspec.Struct):
    trace_id: str = msgspec.field(name="traceID")
    spans: list[_Span] = []  # msgspec copies a mutable default for each instance
    processes: dict[str, _Process] = {}


class _Traces(msgspec.Struct):
    data: list[_Trace] | None = None


class _Names(msgspec.Struct):
    data: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Jaeger:
    """Implements Traces."""

    reader: Reader

    @property
    def part(self) -> Part:
        return self.reader.part

    async def trace(self, trace_id: str) -> Trace | None:
        # As it was stored: otherwise Jaeger moves the spans of what it takes for clocks that differ, and adds its remarks.
        answer = await self.reader.get(f"/api/v3/traces/{require_trace_id(trace_id)}", {"raw_traces": "true"})
        if answer.status == 404:
            self.reader.decode(answer.body, _NotFound)  # any server may answer 404; only Jaeger answers this
            return None
        found = self.reader.decode(answer.body, _Found)
        try:
            return trace_of(found.result, trace_id)
        except ValueError:
            raise self.reader.wrong_store() from None

    async def search(self, search: TraceSearch) -> list[FoundTrace]:
        # Jaeger searches the traces of one service at a time.
        services = await self._services() if search.service is None else [search.service]
        each = await asyncio.gather(*(self._search(replace(search, service=service)) for service in services))
        found = {one.trace_id: one for of_service in each for one in of_service}
        return sorted(found.values(), key=lambda one: one.start_ns, reverse=True)[: search.limit]

    async def operations(self, service: str) -> list[str]:
        # No unquoted slash: a service's name may hold one.
        path = f"/api/services/{quote(service, safe='')}/operations"
        return sorted((await self.reader.json(path, {}, _Names)).data or ())

    async def _services(self) -> list[str]:
        return (await self.reader.json("/api/services", {}, _Names)).data or []

    async def _search(self, search: TraceSearch) -> list[FoundTrace]:
        """Page after page, newest first, until enough traces meet every condition with one span."""
        found: dict[str, FoundTrace] = {}
        parameters = _parameters(search)
        size = max(MIN_PAGE, search.limit)
        until_us = -(-search.until_ns // 1000)
        for number in range(MAX_PAGES):
            page = {"end": str(until_us), "limit": str(size)}
            try:
                traces = (await self.reader.json("/api/traces", parameters | page, _Traces)).data or []
            except TooLarge:
                if number == 0:
                    raise
                break  # what the smaller pages had is an answer
            for trace in traces:
                match = _match(trace, search)
                if match is not None:
                    found[match.trace_id] = match
            oldest_us = min((span.start_time for trace in traces for span in trace.spans), default=0)
            if len(traces) < size or len(found) >= search.limit or oldest_us >= until_us:
                break
            until_us = oldest_us
            size = max(search.limit, min(MAX_PAGE, 2 * size))
        return list(found.values())


def _parameters(search: TraceSearch) -> dict[str, str]:
    tags = {name: _tag_text(value) for name, value in search.attributes.items()}
    if search.kind is not None:
        tags["span.kind"] = search.kind
    parameters = {"service": search.service or "", "start": str(search.since_ns // 1000)}
    if tags:
        parameters["tags"] = msgspec.json.encode(tags).decode()
    if search.operation is not None:
        parameters["operation"] = search.operation
    if search.min_duration_ns is not None:
        parameters["minDuration"] = f"{search.min_duration_ns // 1000}us"
    if search.max_duration_ns is not None:
        parameters["maxDuration"] = f"{-(-search.max_duration_ns // 1000)}us"
    return parameters


def _match(trace: _Trace, search: TraceSearch) -> FoundTrace | None:
    """The first span of the trace that meets every condition by itself."""
    for span in sorted(trace.spans, key=lambda one: one.start_time):
        process = trace.processes.get(span.process_id, _Process())
        attributes = {tag.key: tag.value for tag in (*(process.tags or ()), *(span.tags or ()))}
        if _meets(span, process, attributes, search):
            selected: dict[str, AttributeValue] = {
                name: attributes[name] for name in search.select if name in attributes
            }
            return FoundTrace(
                trace_id=trace.trace_id.zfill(32),
                span_id=span.span_id.zfill(16),
                service=process.service_name,
                name=span.operation_name,
                start_ns=span.start_time * 1000,
                duration_ns=span.duration * 1000,
                attributes=selected,
            )
    return None


def _meets(
    span: _Span, process: _Process, attributes: dict[str, str | int | float | bool | None], search: TraceSearch
) -> bool:
    shortest_ns, longest_ns = search.min_duration_ns, search.max_duration_ns
    return (
        (search.service is None or process.service_name == search.service)
        and (search.operation is None or span.operation_name == search.operation)
        and (search.kind is None or attributes.get("span.kind", "unspecified") == search.kind)
        and search.since_ns // 1000 <= span.start_time < -(-search.until_ns // 1000)
        and (shortest_ns is None or span.duration >= shortest_ns // 1000)
        and (longest_ns is None or span.duration <= -(-longest_ns // 1000))
        and all(
            name in attributes and _tag_text(attributes[name]) == _tag_text(value)
            for name, value in search.attributes.items()
        )
    )


def _tag_text(value: str | int | float | bool | None) -> str:
    """An attribute's value as Jaeger indexes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.10g}"
        case _:
            return str(value)
