"""Spans that cost little: the SDK's ReadableSpan with a plain dictionary in it.

The SDK's own way to a span (sampler, bounded and locked containers, a cleaning of every value, a copy at the end) takes
about 30 µs with our attributes; a request has two spans. These skip what we know: everything is sampled, values are of
OTLP's types and cut before they come here, one task owns a span. In all else they are the SDK's: ids from its generator,
the provider's resource and scope, and at the end they go to the provider's span processors.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import Attributes, AttributeValue

VALUE_LIMIT = 4096
"""Characters of a text: no single one may make a span that the Collector refuses."""
EVENT_LIMIT = 128

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class SpanSource(Protocol):
    """Starts spans. ``parent`` None makes a root with a new trace id."""

    def start(
        self,
        name: str,
        kind: SpanKind,
        parent: SpanContext | None,
        attributes: dict[str, AttributeValue],
        links: tuple[Link, ...],
        start_ns: int,
    ) -> Span: ...


class RecordedSpans:
    """Spans that are recorded and handed to ``processor`` when they end."""

    def __init__(self, resource: Resource, scope: InstrumentationScope, processor: SpanProcessor) -> None:
        self._resource = resource
        self._scope = scope
        self._processor = processor
        self._ids = RandomIdGenerator()

    def start(
        self,
        name: str,
        kind: SpanKind,
        parent: SpanContext | None,
        attributes: dict[str, AttributeValue],
        links: tuple[Link, ...],
        start_ns: int,
    ) -> Span:
        trace_id = self._ids.generate_trace_id() if parent is None else parent.trace_id
        context = SpanContext(trace_id, self._ids.generate_span_id(), is_remote=False, trace_flags=_SAMPLED)
        return RecordedSpan(
            name, context, parent, self._resource, attributes, links, kind, start_ns, self._scope, self._processor
        )


class SilentSpans:
    """Spans when telemetry is switched off: they have ids, so that callers and logs still have one to name, record
    nothing and go nowhere."""

    def __init__(self) -> None:
        self._ids = RandomIdGenerator()

    def start(
        self,
        name: str,
        kind: SpanKind,
        parent: SpanContext | None,
        attributes: dict[str, AttributeValue],
        links: tuple[Link, ...],
        start_ns: int,
    ) -> Span:
        return silent_span(self._ids, parent)


def silent_span(ids: RandomIdGenerator, parent: SpanContext | None = None) -> Span:
    """A span with ids that records nothing."""
    trace_id = ids.generate_trace_id() if parent is None else parent.trace_id
    return NonRecordingSpan(SpanContext(trace_id, ids.generate_span_id(), is_remote=False))


class RecordedSpan(ReadableSpan, Span):
    """One task's span: without locks. Changes after ``end`` are ignored, as the API asks."""

    def __init__(
        self,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        resource: Resource,
        attributes: dict[str, AttributeValue],
        links: tuple[Link, ...],
        kind: SpanKind,
        start_ns: int,
        scope: InstrumentationScope,
        processor: SpanProcessor,
    ) -> None:
        self._open = True
        self._happened: list[Event] = []
        self._said = attributes
        super().__init__(
            name, context, parent, resource, attributes, self._happened, links, kind,
            start_time=start_ns, instrumentation_scope=scope,
        )  # fmt: skip
        self._processor = processor

    def get_span_context(self) -> SpanContext:
        context = self._context
        assert context is not None  # noqa: S101 - the constructor demands one
        return context

    def is_recording(self) -> bool:
        return self._open

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        if self._open:
            self._said.update(attributes)

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        if self._open:
            self._said[key] = _cut(value)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        if self._open and len(self._happened) < EVENT_LIMIT:
            cut = {key: _cut(value) for key, value in attributes.items()} if attributes else {}
            self._happened.append(Event(name, cut, timestamp or time.time_ns()))

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        if self._open:
            self._links = (*self._links, Link(context, attributes))

    def update_name(self, name: str) -> None:
        if self._open:
            self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        if self._open and self._status.status_code is not StatusCode.OK:
            self._status = status if isinstance(status, Status) else Status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Its type alone: messages of exceptions quote prompts and keys. Logs have the rest, cleaned."""
        kind = type(exception)
        self.add_event("exception", {"exception.type": f"{kind.__module__}.{kind.__qualname__}"}, timestamp)

    def end(self, end_time: int | None = None) -> None:
        if self._open:
            self._open = False
            self._end_time = end_time if end_time is not None else time.time_ns()
            self._processor.on_end(self)


def _cut(value: Any) -> Any:
    """Texts cut to the limit, in lists too. Any: attribute values are a wide union."""
    if isinstance(value, str):
        return value[:VALUE_LIMIT]
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return tuple([_cut(item) for item in value])  # pyright: ignore[reportUnknownVariableType]
    return value
