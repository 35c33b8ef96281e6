"""Fills a store through its own OTLP endpoint, as the Collector would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1 import trace_pb2

from gatewayz.queries.traces import Attributes, AttributeValue, Span
from tests.contract.queries.samples import Record

PROTOBUF = {"content-type": "application/x-protobuf"}


async def send_spans(http: httpx.AsyncClient, url: str, spans: Iterable[Span]) -> None:
    request = ExportTraceServiceRequest()
    for span in spans:
        group = request.resource_spans.add()
        group.resource.attributes.extend(_pairs(span.resource))
        sent = group.scope_spans.add().spans.add(
            trace_id=bytes.fromhex(span.trace_id),
            span_id=bytes.fromhex(span.span_id),
            parent_span_id=bytes.fromhex(span.parent_id),
            name=span.name,
            kind=getattr(trace_pb2.Span, f"SPAN_KIND_{span.kind.upper()}"),
            start_time_unix_nano=span.start_ns,
            end_time_unix_nano=span.end_ns,
            attributes=_pairs(span.attributes),
            status=trace_pb2.Status(
                code=getattr(trace_pb2.Status, f"STATUS_CODE_{span.status.upper()}"), message=span.status_message
            ),
        )
        for event in span.events:
            sent.events.add(time_unix_nano=event.time_ns, name=event.name, attributes=_pairs(event.attributes))
        for link in span.links:
            sent.links.add(
                trace_id=bytes.fromhex(link.trace_id),
                span_id=bytes.fromhex(link.span_id),
            )
    answer = await http.post(f"{url}/v1/traces", content=request.SerializeToString(), headers=PROTOBUF)
    answer.raise_for_status()


async def send_records(
    http: httpx.AsyncClient, url: str, records: Iterable[Record], *, headers: Mapping[str, str] | None = None
) -> None:
    """``url`` is the whole address of the endpoint."""
    request = ExportLogsServiceRequest()
    for record in records:
        group = request.resource_logs.add()
        group.resource.attributes.extend(_pairs({"service.name": record.service}))
        sent = group.scope_logs.add().log_records.add(
            time_unix_nano=record.time_ns,
            observed_time_unix_nano=record.time_ns,
            severity_text=record.level.upper(),
            trace_id=bytes.fromhex(record.trace_id),
            span_id=bytes.fromhex(record.span_id),
            attributes=_pairs({**record.attributes, "level": record.level}),
        )
        sent.body.string_value = record.text
    answer = await http.post(url, content=request.SerializeToString(), headers={**PROTOBUF, **(headers or {})})
    answer.raise_for_status()


def _pairs(attributes: Attributes) -> list[KeyValue]:
    return [KeyValue(key=name, value=_value(value)) for name, value in attributes.items()]


def _value(value: AttributeValue) -> AnyValue:
    match value:
        case str():
            return AnyValue(string_value=value)
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case None:
            return AnyValue()
        case Mapping():
            return AnyValue(kvlist_value=KeyValueList(values=_pairs(value)))
        case _:
            return AnyValue(array_value=ArrayValue(values=[_value(item) for item in value]))
