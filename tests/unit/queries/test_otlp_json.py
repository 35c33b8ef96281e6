"""Spans as Jaeger and Tempo write them become the one model."""

from __future__ import annotations

import math

import msgspec
import pytest

from gatewayz.queries.otlp_json import AnyValue, KeyValue, SpansDocument, attributes_of, trace_of
from gatewayz.queries.traces import AttributeValue, Span

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


def spans(span: dict[str, object]) -> tuple[Span, ...]:
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    trace = trace_of(msgspec.convert(document, SpansDocument), TRACE_ID)
    assert trace is not None
    return trace.spans


@pytest.mark.parametrize(
    "ids",
    [
        {"traceId": TRACE_ID, "spanId": "b7ad6b7169203331", "parentSpanId": "00f067aa0ba902b7"},
        {"traceId": "CvdlGRbNQ92ESOshHIAxnA==", "spanId": "t61rcWkgMzE=", "parentSpanId": "APBnqgupArc="},
    ],
)
def test_ids_in_hexadecimal_and_base64_become_hexadecimal(ids: dict[str, object]) -> None:
    [span] = spans(ids)

    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE_ID, "b7ad6b7169203331", "00f067aa0ba902b7")


@pytest.mark.parametrize("parent", ["", "0000000000000000", "AAAAAAAAAAA="])
def test_a_root_has_no_parent(parent: str) -> None:
    assert spans({"traceId": TRACE_ID, "spanId": "b7ad6b7169203331", "parentSpanId": parent})[0].parent_id == ""


@pytest.mark.parametrize(("kind", "status"), [(3, 2), ("SPAN_KIND_CLIENT", "STATUS_CODE_ERROR")])
def test_kinds_and_states_are_numbers_or_names(kind: object, status: object) -> None:
    [span] = spans({"traceId": TRACE_ID, "spanId": "b7ad6b7169203331", "kind": kind, "status": {"code": status}})

    assert (span.kind, span.status) == ("client", "error")


@pytest.mark.parametrize(("kind", "status"), [(99, -1), ("SPAN_KIND_NEW", "")])
def test_unknown_kinds_and_states_are_none(kind: object, status: object) -> None:
    [span] = spans({"traceId": TRACE_ID, "spanId": "b7ad6b7169203331", "kind": kind, "status": {"code": status}})

    assert (span.kind, span.status) == ("unspecified", "unset")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ({"stringValue": ""}, ""),
        ({"intValue": "9007199254740993"}, 9007199254740993),
        ({"intValue": 7}, 7),
        ({"boolValue": False}, False),
        ({"doubleValue": 0.5}, 0.5),
        ({"doubleValue": "Infinity"}, math.inf),
        ({"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "a"}]}}, [1, "a"]),
        ({"arrayValue": {}}, []),
        ({"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}}, {"k": True}),
        ({"bytesValue": "AAE="}, "AAE="),
        ({}, None),
    ],
)
def test_values_of_every_type_are_read(written: dict[str, object], value: AttributeValue) -> None:
    assert attributes_of([KeyValue("a", msgspec.convert(written, AnyValue))]) == {"a": value}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("gen_ai.response.finish_reasons", '["stop"]', ["stop"]),
        ("gen_ai.response.finish_reasons", '["sto', '["sto'),
        ("some.text", '["stop"]', '["stop"]'),
    ],
)
def test_a_list_is_read_from_its_text_where_the_contract_has_a_list(
    name: str, text: str, value: AttributeValue
) -> None:
    assert attributes_of([KeyValue(name, AnyValue(string_value=text))]) == {name: value}


@pytest.mark.parametrize(
    "span",
    [
        {"traceId": TRACE_ID, "spanId": "no id"},
        {"traceId": TRACE_ID, "spanId": "b7ad6b7169203331", "startTimeUnixNano": "yesterday"},
        {"traceId": TRACE_ID, "spanId": "b7ad6b7169203331", "attributes": [{"key": "a", "value": {"intValue": "x"}}]},
    ],
)
def test_what_is_no_span_is_refused(span: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        spans(span)
