"""What is asked of a store of log lines is answered alike by each of them."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gatewayz.queries.errors import BadQuestion
from gatewayz.queries.logs import CountedLines, LogLine, LogSearch
from gatewayz.queries.tail import follow
from tests.contract.queries.conftest import LogStore
from tests.contract.queries.samples import ODD_TEXT, SECOND_NS

pytestmark = pytest.mark.asyncio(loop_scope="session")


def wanted(store: LogStore, **conditions: Any) -> LogSearch:  # Any: the fields of LogSearch
    samples = store.samples
    given: dict[str, Any] = {"since_ns": samples.base_ns, "until_ns": samples.end_ns, "service": samples.service}
    return LogSearch(**(given | conditions))


async def places(store: LogStore, **conditions: Any) -> list[int]:
    """Which of the samples' records are found, in the order of the answer."""
    known = {record.time_ns: place for place, record in enumerate(store.samples.records)}
    return [known[line.time_ns] for line in await store.logs.search(wanted(store, **conditions))]


async def of_trace(store: LogStore, trace_id: str) -> list[LogLine]:
    return await store.logs.of_trace(trace_id, since_ns=store.samples.base_ns, until_ns=store.samples.end_ns)


async def test_the_lines_of_a_trace_come_in_their_order(log_store: LogStore) -> None:
    samples = log_store.samples
    root = samples.traces["three levels"][0]

    opened, completed = await of_trace(log_store, root.trace_id)

    assert opened == LogLine(
        time_ns=samples.records[0].time_ns,
        level="debug",
        message="stream opened",
        trace_id=root.trace_id,
        span_id=root.span_id,
        service=samples.service,
        fields={
            "level": "debug",
            "message": "stream opened",
            "odd": ODD_TEXT,
            "trace_id": root.trace_id,
            "span_id": root.span_id,
        },
        text=samples.records[0].text,
        is_json=True,
    )
    assert (completed.message, completed.fields["status"], completed.fields["stream"]) == (
        "request completed",
        "200",
        "true",
    )


async def test_a_trace_without_lines_has_none(log_store: LogStore) -> None:
    assert await of_trace(log_store, "0" * 31 + "1") == []


@pytest.mark.parametrize("trace_id", ["", 'a" or "b', "*"])
async def test_what_is_no_trace_id_is_never_asked_for(log_store: LogStore, trace_id: str) -> None:
    with pytest.raises(BadQuestion, match="32 hexadecimal digits"):
        await of_trace(log_store, trace_id)


async def test_inner_objects_are_fields_with_dots(log_store: LogStore) -> None:
    lines = await of_trace(log_store, log_store.samples.trace_id("failed"))

    assert lines[1].fields["tokens.input"] == "12"
    assert lines[0].fields["error_message"] == ODD_TEXT


async def test_a_line_that_is_no_json_is_its_own_message(log_store: LogStore) -> None:
    newest = (await log_store.logs.search(wanted(log_store, limit=1)))[0]

    assert newest.message == newest.text == f"no JSON at all: {ODD_TEXT}"
    assert (newest.level, newest.is_json, newest.trace_id) == ("critical", False, "")


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({}, [5, 4, 3, 2, 1, 0]),
        ({"limit": 2}, [5, 4]),
        ({"levels": ("error", "critical")}, [5, 2]),
        ({"levels": ("info",)}, [3, 1]),
        ({"fields": {"provider": "openai"}}, [4, 2, 1]),
        ({"fields": {"provider": "openai", "status": "200"}, "levels": ("info",)}, [1]),
        ({"fields": {"tokens.input": "12"}}, [3]),
        ({"fields": {"odd": ODD_TEXT}}, [0]),
        ({"fields": {"error_message": ODD_TEXT}}, [2]),
        ({"fields": {"provider": 'x" or level="info'}}, []),
        ({"fields": {"provider": "x` | line_format `y"}}, []),
    ],
    ids=str,
)
async def test_a_search_finds_what_meets_its_conditions(
    log_store: LogStore, conditions: Mapping[str, Any], found: list[int]
) -> None:
    assert await places(log_store, **conditions) == found


async def test_a_service_has_its_own_lines_only(log_store: LogStore) -> None:
    assert await places(log_store, service=log_store.samples.other_service) == [6]


async def test_only_the_time_that_was_asked_for_is_searched(log_store: LogStore) -> None:
    third_ns = log_store.samples.records[2].time_ns

    assert await places(log_store, since_ns=third_ns) == [5, 4, 3, 2]
    assert await places(log_store, until_ns=third_ns) == [1, 0]
    assert await places(log_store, since_ns=third_ns, until_ns=third_ns + 1) == [2]


async def test_lines_are_counted_by_level_in_whole_steps(log_store: LogStore) -> None:
    base_s = log_store.samples.base_ns // SECOND_NS
    search = wanted(log_store, since_ns=log_store.samples.base_ns + 7 * SECOND_NS)  # the step is counted whole

    counted = await log_store.logs.counts(search, step_s=60)

    assert counted == [
        CountedLines("critical", ((base_s + 60, 1),)),
        CountedLines("debug", ((base_s, 1),)),
        CountedLines("error", ((base_s, 1),)),
        CountedLines("info", ((base_s, 1), (base_s + 60, 1))),
        CountedLines("warning", ((base_s + 60, 1),)),
    ]


async def test_counts_meet_the_searchs_conditions(log_store: LogStore) -> None:
    base_s = log_store.samples.base_ns // SECOND_NS

    counted = await log_store.logs.counts(wanted(log_store, fields={"provider": "openai"}), step_s=60)

    assert {one.value: sum(count for _, count in one.points) for one in counted} == {
        "info": 1,
        "error": 1,
        "warning": 1,
    }
    assert await log_store.logs.counts(wanted(log_store, since_ns=(base_s + 180) * SECOND_NS), step_s=60) == []


async def test_the_tail_shows_each_line_once_and_then_the_new_ones(log_store: LogStore) -> None:
    samples = log_store.samples
    search = wanted(log_store, service=samples.other_service)
    new = replace(
        samples.records[6],
        time_ns=time.time_ns(),
        text=json.dumps({"message": "as it happens"}),
        attributes={"message": "as it happens"},
    )
    lines = follow(log_store.logs, search, pause_s=0.05)

    first = await anext(lines)
    if not log_store.endpoint:  # what is written down does not change
        await lines.aclose()
        assert first.text == samples.records[6].text
        return
    await log_store.add(new)
    async with asyncio.timeout(30):
        second = await anext(lines)
    await lines.aclose()

    assert (first.text, second.message) == (samples.records[6].text, "as it happens")


NASTY = "\"'`\\*{}()[]|:=!~<>,;#%$\n\t\x00\x1b 😀é_a1-."
"""What query languages give a meaning to, and what they choke on."""


async def test_whatever_stands_in_names_and_values_is_a_value(log_store: LogStore) -> None:
    if not log_store.endpoint:
        pytest.skip("only a store that reads queries can judge")
    rng = random.Random(8)  # noqa: S311 - no secret
    texts = ["".join(rng.choices(NASTY, k=rng.randint(1, 12))) for _ in range(150)]

    found = await asyncio.gather(*(places(log_store, fields={f"n{text}": text}) for text in texts))

    assert [text for text, hits in zip(texts, found, strict=True) if hits] == []
