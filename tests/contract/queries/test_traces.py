"""What is asked of a store of traces is answered alike by each of them."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gatewayz.queries.errors import BadQuestion
from gatewayz.queries.traces import Attributes, AttributeValue, FoundTrace, Span, Trace, TraceSearch
from tests.contract.queries.conftest import TraceStore
from tests.contract.queries.samples import ODD_TEXT, SECOND_NS, Samples

pytestmark = pytest.mark.asyncio(loop_scope="session")

KNOWN_LIST = "gen_ai.response.finish_reasons"

SAMPLES = ("three levels", "failed", "orphan", "slow", "elsewhere")


def as_kept(span: Span) -> Span:
    """Jaeger keeps lists and maps as their JSON text; where the name does not say that a list is meant, so do we."""
    return replace(
        span,
        attributes=_texts(span.attributes),
        resource=_texts(span.resource),
        events=tuple(replace(event, attributes=_texts(event.attributes)) for event in span.events),
    )


def _texts(attributes: Attributes) -> dict[str, AttributeValue]:
    return {
        name: value
        if name == KNOWN_LIST or isinstance(value, (str, int, float, bool)) or value is None
        else json.dumps(value, separators=(",", ":"))
        for name, value in attributes.items()
    }


async def search(store: TraceStore, **conditions: Any) -> list[FoundTrace]:  # Any: the fields of TraceSearch
    samples = store.samples
    given: dict[str, Any] = {"since_ns": samples.base_ns, "until_ns": samples.end_ns, "service": samples.service}
    return await store.traces.search(TraceSearch(**(given | conditions)))


async def names(store: TraceStore, **conditions: Any) -> list[str]:
    """The samples that are found, in the order of the answer."""
    by_id = {spans[0].trace_id: name for name, spans in store.samples.traces.items()}
    return [by_id[found.trace_id] for found in await search(store, **conditions)]


@pytest.mark.parametrize("name", SAMPLES)
async def test_a_trace_comes_back_as_it_was_sent(trace_store: TraceStore, name: str) -> None:
    spans = trace_store.samples.traces[name]

    found = await trace_store.traces.trace(spans[0].trace_id)

    assert found is not None
    assert found.trace_id == spans[0].trace_id
    assert [as_kept(span) for span in found.spans] == [as_kept(span) for span in spans]


async def test_a_list_that_the_contract_knows_is_a_list(trace_store: TraceStore) -> None:
    found = await trace_store.traces.trace(trace_store.samples.trace_id("three levels"))

    assert isinstance(found, Trace)
    assert found.spans[1].attributes[KNOWN_LIST] == ["stop", 'le"ngth']


async def test_a_trace_that_is_not_there_is_none(trace_store: TraceStore) -> None:
    assert await trace_store.traces.trace("0" * 31 + "1") is None


@pytest.mark.parametrize("trace_id", ["", "abc", "../../api/services", "G" * 32, "A" * 32])
async def test_what_is_no_trace_id_is_never_asked_for(trace_store: TraceStore, trace_id: str) -> None:
    with pytest.raises(BadQuestion, match="32 hexadecimal digits"):
        await trace_store.traces.trace(trace_id)


def seed(samples: Samples) -> str:
    return samples.service.partition("-")[2]


EVERY = ["slow", "orphan", "failed", "three levels"]
"""Newest first."""


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({}, EVERY),
        ({"limit": 2}, EVERY[:2]),
        ({"operation": "POST /v1/embeddings"}, ["orphan"]),
        ({"attributes": {"http.response.status_code": 502}}, ["failed"]),
        ({"attributes": {"big": 2**53 + 1}}, ["three levels"]),
        ({"attributes": {"odd": ODD_TEXT}}, ["three levels"]),
        ({"attributes": {'odd "name" <é>': ODD_TEXT}}, ["failed"]),
        ({"attributes": {"gen_ai.request.stream": True}, "kind": "client"}, ["three levels"]),
        ({"attributes": {"gatewayz.cost.usd": 0.00025}, "kind": "client"}, ["three levels"]),
        ({"attributes": {"only.attempt": "yes"}, "kind": "client"}, ["failed", "three levels"]),
        ({"attributes": {"only.attempt": "yes"}, "kind": None}, ["failed", "three levels"]),
        ({"min_duration_ns": 2 * SECOND_NS}, ["slow"]),
        ({"min_duration_ns": SECOND_NS // 5, "max_duration_ns": SECOND_NS * 3 // 10}, ["failed"]),
    ],
    ids=str,
)
async def test_a_search_finds_what_meets_its_conditions(
    trace_store: TraceStore, conditions: Mapping[str, Any], found: list[str]
) -> None:
    assert await names(trace_store, **conditions) == found


async def test_a_request_is_found_by_its_id(trace_store: TraceStore) -> None:
    attributes = {"gatewayz.request.id": f"req_{seed(trace_store.samples)}"}

    assert await names(trace_store, attributes=attributes) == ["three levels"]
    assert await names(trace_store, attributes=attributes, service=None) == ["three levels"]


async def test_attributes_of_the_resource_count_too(trace_store: TraceStore) -> None:
    attributes = {"service.instance.id": f"w1-{seed(trace_store.samples)}"}

    assert await names(trace_store, attributes=attributes) == EVERY


async def test_conditions_must_be_met_by_one_span(trace_store: TraceStore) -> None:
    both = {"only.request": "yes", "only.attempt": "yes"}

    assert await names(trace_store, attributes=both, kind=None) == []


async def test_a_short_attempt_does_not_make_a_request_short(trace_store: TraceStore) -> None:
    assert await names(trace_store, max_duration_ns=SECOND_NS // 10) == ["orphan"]


@pytest.mark.parametrize("value", ['x" || true || "', 'x" } || { true'])
async def test_a_value_never_becomes_a_part_of_the_query(trace_store: TraceStore, value: str) -> None:
    assert await names(trace_store, attributes={"odd": value}) == []


async def test_only_the_time_that_was_asked_for_is_searched(trace_store: TraceStore) -> None:
    middle_ns = trace_store.samples.base_ns + 15 * SECOND_NS
    exactly_ns = trace_store.samples.traces["slow"][0].start_ns // 1000 * 1000

    assert await names(trace_store, since_ns=middle_ns) == ["slow", "orphan"]
    assert await names(trace_store, until_ns=middle_ns) == ["failed", "three levels"]
    assert await names(trace_store, since_ns=exactly_ns) == ["slow"]
    assert await names(trace_store, until_ns=exactly_ns) == ["orphan", "failed", "three levels"]
    assert await names(trace_store, since_ns=middle_ns, until_ns=middle_ns + 1000) == []


async def test_a_found_trace_says_what_was_selected(trace_store: TraceStore) -> None:
    root = trace_store.samples.traces["failed"][0]
    select = ("http.response.status_code", "error.type", "service.instance.id", "absent")

    [found] = await search(trace_store, attributes={"http.response.status_code": 502}, select=select)

    assert found == FoundTrace(
        trace_id=root.trace_id,
        span_id=root.span_id,
        service=root.service,
        name=root.name,
        start_ns=found.start_ns,
        duration_ns=root.duration_ns,
        attributes={
            "http.response.status_code": 502,
            "error.type": "provider_server_error",
            "service.instance.id": f"w1-{seed(trace_store.samples)}",
        },
    )
    assert abs(found.start_ns - root.start_ns) < 1000


async def test_ids_keep_their_leading_zeros(trace_store: TraceStore) -> None:
    root = trace_store.samples.traces["orphan"][0]

    [found] = await search(trace_store, operation="POST /v1/embeddings")

    assert (found.trace_id, found.span_id) == (root.trace_id, root.span_id)


async def test_a_service_with_a_slash_has_traces_and_operations_too(trace_store: TraceStore) -> None:
    other = trace_store.samples.other_service

    assert await names(trace_store, service=other) == ["elsewhere"]
    assert await trace_store.traces.operations(other) == ["POST /v1/chat/completions"]


async def test_operations_are_the_names_of_a_services_spans(trace_store: TraceStore) -> None:
    assert await trace_store.traces.operations(trace_store.samples.service) == sorted(
        {"POST /v1/chat/completions", "POST /v1/embeddings", "POST /v1/messages", "chat fast", "read <stream>"}
    )


async def test_a_service_that_nobody_knows_has_nothing(trace_store: TraceStore) -> None:
    assert await trace_store.traces.operations("nobody") == []


NASTY = "\"'`\\*{}()[]|:=!~<>,;#%$\n\t\x00\x1b 😀é_a1-."
"""What query languages give a meaning to, and what they choke on."""


async def test_whatever_stands_in_names_and_values_is_a_value(trace_store: TraceStore) -> None:
    if not trace_store.live:
        pytest.skip("only a store that reads queries can judge")
    rng = random.Random(8)  # noqa: S311 - no secret
    texts = ["".join(rng.choices(NASTY, k=rng.randint(1, 12))) for _ in range(100)]

    found = [await names(trace_store, attributes={f"n{text}": text}, operation=text) for text in texts]

    assert [text for text, hits in zip(texts, found, strict=True) if hits] == []
