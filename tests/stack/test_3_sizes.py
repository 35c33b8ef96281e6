"""Records that are too large, of odd types, or very many: stored, cut where they must be, and nothing waits for ever."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gatewayz.stack.runner import Stack
from tests.stack.otlp import SERVICE, Json, Sender, array, mapping, record, span, text
from tests.stack.series import Stores, eventually

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

LARGE = "x" * 100_000
"""More than Jaeger can have as a key of its index."""

CUT_BYTES = 600_000
"""A trace of one odd span is no larger than this in Jaeger's answer."""

MANY = 20_000
PER_TRACE = 4


@dataclass(frozen=True, slots=True)
class Odd:
    """An odd span and what surrounds it."""

    span: Json
    resource: Mapping[str, Json] = field(default_factory=dict[str, Json])
    scope: Mapping[str, Any] = field(default_factory=dict[str, Any])


def event(attributes: Mapping[str, Json], name: str = "exception") -> Json:
    return {"timeUnixNano": str(time.time_ns()), "name": name, "attributes": span(attributes)["attributes"]}


ODD_SPANS: Mapping[str, Odd] = {
    "attribute of 100 KB": Odd(span({"large": text(LARGE)})),
    "captured prompt of 3 MB": Odd(span({"gen_ai.input.messages": text("ä" * 1_500_000), "n": {"intValue": "7"}})),
    "array of many texts": Odd(span({"array": array(*[text("y" * 1000)] * 100)})),
    "array of one long text": Odd(span({"array": array(text(LARGE))})),
    "array of 20,000 numbers": Odd(span({"array": array(*[{"intValue": "12345"}] * 20_000)})),
    "nested map": Odd(span({"map": mapping({"in": mapping({"deep": text(LARGE)}), "n": {"intValue": "1"}})})),
    "bytes": Odd(span({"bytes": {"bytesValue": "QUJD" * 40_000}})),
    "long name of an attribute": Odd(span({"k" * 70_000: text("v")})),
    "400 attributes of 32 KB": Odd(span({f"a{number}": text("z" * 32_000) for number in range(400)})),
    "3000 attributes": Odd(span({f"a{number}": text("z" * 50) for number in range(3000)})),
    "long name": Odd(span({}, name=LARGE)),
    "long message of the status": Odd(span({}, status={"code": 2, "message": LARGE})),
    "long trace state": Odd(span({}, traceState=f"a={LARGE}")),
    "event with a long name": Odd(span({}, events=[event({}, LARGE)])),
    "event with long values": Odd(span({}, events=[event({"a": text(LARGE), "b": mapping({"deep": text(LARGE)})})])),
    "300 events of 40 KB": Odd(span({}, events=[event({"stack": text("s" * 40_000)})] * 300)),
    "link with a long value": Odd(
        span(
            {}, links=[{"traceId": "1" * 32, "spanId": "1" * 16, "attributes": span({"a": text(LARGE)})["attributes"]}]
        )
    ),
    "long resource": Odd(span({}), resource={"long": text(LARGE), "array": array(text(LARGE))}),
    "long scope": Odd(span({}), scope={"name": LARGE, "attributes": span({"a": text(LARGE)})["attributes"]}),
}

ODD_LINES: Mapping[str, Json] = {
    "text of 3 MB": record(text(LARGE * 30)),
    "JSON of 3 MB": record(text(json.dumps({"message": "m", "prompt": "ä" * 1_500_000}))),
    "nested JSON": record(text(json.dumps({"message": "m", "a": {"b": {"c": LARGE}}, "list": ["y" * 70_000] * 3}))),
    "2000 members": record(text(json.dumps({f"m{number}": number for number in range(2000)}))),
    "100 attributes of 60 KB": record(text("short"), {f"a{number}": text("z" * 60_000) for number in range(100)}),
    "map as body": record(mapping({"message": text("in a map"), "n": {"intValue": "3"}})),
    "broken JSON": record(text("{no JSON")),
    "array as line": record(text("[1, 2]")),
}


@pytest_asyncio.fixture(loop_scope="session")
async def sender(stack: Stack, stores: Stores) -> Sender:
    return Sender(stores.http, f"http://127.0.0.1:{stack.ports.otlp_http}")


async def metrics_of(http: httpx.AsyncClient, port: int, name: str) -> dict[str, float]:
    """Values of a component's own series by their labels, read where Prometheus reads them."""
    lines = (await http.get(f"http://127.0.0.1:{port}/metrics")).text.splitlines()
    found = [line.rpartition(" ") for line in lines if line.partition("{")[0].partition(" ")[0] == name]
    return {labels: float(value) for labels, _, value in found}


async def assert_nothing_waits(stack: Stack, stores: Stores) -> None:
    waiting = await metrics_of(stores.http, stack.ports.collector_metrics, "otelcol_exporter_queue_size")
    assert waiting
    assert set(waiting.values()) == {0}, waiting


async def failures(stack: Stack, stores: Stores) -> float:
    """Spans that Jaeger could not write and items that the Collector gave up, so far."""
    found = [
        await metrics_of(stores.http, port, name)
        for port, name in (
            (stack.ports.jaeger_metrics, "otelcol_exporter_send_failed_spans_total"),
            (stack.ports.collector_metrics, "otelcol_exporter_send_failed_spans"),
            (stack.ports.collector_metrics, "otelcol_exporter_send_failed_log_records"),
        )
    ]
    return sum(value for values in found for value in values.values())


async def test_odd_spans_are_stored_cut_and_nothing_waits_behind_them(
    stack: Stack, stores: Stores, sender: Sender
) -> None:
    failed_before = await failures(stack, stores)
    ordinary: list[str] = []
    for odd in ODD_SPANS.values():
        beside = span({"n": {"intValue": "1"}})
        ordinary.append(beside["traceId"])
        await sender.spans([odd.span, beside], resource=odd.resource, scope=odd.scope)

    async def look() -> None:
        for name, odd in ODD_SPANS.items():
            answer = await stores.http.get(f"{stores.jaeger}/api/v3/traces/{odd.span['traceId']}")
            assert answer.status_code == 200, name
            assert len(answer.content) < CUT_BYTES, name
        assert all([await stores.spans(trace_id) for trace_id in ordinary])
        await assert_nothing_waits(stack, stores)

    await eventually(look)
    assert await failures(stack, stores) == failed_before


async def test_what_is_cut_keeps_its_beginning_and_what_is_beside_it_its_type(stores: Stores) -> None:
    (prompt,) = await stores.spans(ODD_SPANS["captured prompt of 3 MB"].span["traceId"])
    assert prompt.attributes == {"gen_ai.input.messages": "ä" * 16_384, "n": 7}
    (nested,) = await stores.spans(ODD_SPANS["nested map"].span["traceId"])
    assert str(nested.attributes["map"]).startswith('{"in":{"deep":"xxxx')


async def test_odd_lines_are_stored_cut_and_nothing_waits_behind_them(
    stack: Stack, stores: Stores, sender: Sender
) -> None:
    failed_before = await failures(stack, stores)
    since_s = min(int(line["timeUnixNano"]) for line in ODD_LINES.values()) / 1e9 - 1
    for line in ODD_LINES.values():
        await sender.records([line])

    async def look() -> None:
        for name, line in ODD_LINES.items():
            found = await stores.log_records(f'trace_id:="{line["traceId"]}"', since_s=since_s)
            assert len(found) == 1, name
            assert 0 < len(found[0]["_msg"]) <= 1_000_000, name
            assert found[0]["level"] == "info"
        await assert_nothing_waits(stack, stores)

    await eventually(look)
    assert await failures(stack, stores) == failed_before


async def test_twenty_thousand_spans_are_searched_without_being_read(
    stack: Stack, stores: Stores, sender: Sender
) -> None:
    round_id = os.urandom(8).hex()
    trace_ids = [os.urandom(16).hex() for _ in range(MANY // PER_TRACE)]
    for first in range(0, len(trace_ids), 250):
        # All of one trace carry its number, so that a search by it finds one trace.
        await sender.spans(
            [
                span({"round": text(round_id), "number": text(str(number))}, name=f"step {step}", trace_id=trace_id)
                for number, trace_id in enumerate(trace_ids[first : first + 250], first)
                for step in range(PER_TRACE)
            ]
        )

    async def look() -> None:
        await assert_nothing_waits(stack, stores)
        assert len(await stores.spans(trace_ids[-1])) == PER_TRACE
        tags = json.dumps({"round": round_id})
        newest = await stores.found_traces(service=SERVICE, tags=tags, limit="50", lookback="custom")
        assert len(newest) == 50
        assert {len(trace["spans"]) for trace in newest} == {PER_TRACE}
        assert len(json.dumps(newest)) < 500_000
        one = await stores.found_traces(service=SERVICE, tags=json.dumps({"round": round_id, "number": "777"}))
        assert [trace["traceID"] for trace in one] == [trace_ids[777]]
        everything = await stores.found_traces(service=SERVICE, tags=tags, limit=str(MANY))
        assert sum(len(trace["spans"]) for trace in everything) == MANY

    await eventually(look)


async def test_twenty_thousand_lines_are_counted_exactly_and_read_by_the_page(stores: Stores, sender: Sender) -> None:
    since_s, round_id = time.time() - 1, os.urandom(8).hex()
    trace_id = os.urandom(16).hex()
    for first in range(0, MANY, 1000):
        await sender.records(
            [
                record(text(json.dumps({"message": "one of many", "round": round_id, "number": number})))
                for number in range(first, first + 1000)
            ]
        )
    await sender.records([record(text(json.dumps({"message": "alone", "round": round_id})), trace_id=trace_id)])

    async def look() -> None:
        (counted,) = await stores.log_records(f'round:="{round_id}" | stats count() as lines', since_s=since_s)
        assert counted == {"lines": str(MANY + 1)}
        page = await stores.log_records(f'round:="{round_id}"', since_s=since_s, limit=100)
        assert len(page) == 100
        assert len(json.dumps(page)) < 200_000
        (alone,) = await stores.log_records(f'trace_id:="{trace_id}"', since_s=since_s)
        assert alone["message"] == "alone"
        (one,) = await stores.log_records(f'round:="{round_id}" number:="777"', since_s=since_s)
        assert json.loads(one["_msg"])["number"] == 777

    await eventually(look)
