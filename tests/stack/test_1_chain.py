"""Known traffic through two workers: every store holds exactly what was sent, and each points to the others."""

from __future__ import annotations

import json
import time

import pytest

from gatewayz.stack.runner import Stack
from tests.stack.conftest import WORKERS
from tests.stack.known import ANSWERED, CHAT, EVERY_KIND, PROVIDER, Caller, Ledger
from tests.stack.series import (
    ATTEMPT_LABELS,
    ATTEMPTS,
    REQUEST_LABELS,
    REQUESTS,
    TOKEN_LABELS,
    TOKEN_SOURCE_LABELS,
    TOKENS,
    TOKENS_BY_SOURCE,
    Counts,
    Stores,
    eventually,
    minus,
)

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

ROUNDS = 6


class Sent:
    """What this module's traffic was, and when it began."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.since_s = time.time() - 1
        self.before: dict[str, Counts] = {}


@pytest.fixture(scope="module")
def sent() -> Sent:
    return Sent()


async def test_known_traffic_is_answered_as_expected(caller: Caller, stores: Stores, sent: Sent) -> None:
    for metric, labels in ((REQUESTS, REQUEST_LABELS), (ATTEMPTS, ATTEMPT_LABELS)):
        sent.before[metric] = await stores.counts(metric, labels)
    sent.before[TOKENS] = await stores.counted_tokens()

    await caller.send_all(EVERY_KIND * ROUNDS, sent.ledger)

    assert sent.ledger.surprises == []
    assert len(sent.ledger.kinds) == ROUNDS * len(EVERY_KIND), "every request has a trace of its own"


async def test_requests_in_prometheus_equal_what_was_sent(stores: Stores, sent: Sent) -> None:
    async def look() -> None:
        assert minus(await stores.counts(REQUESTS, REQUEST_LABELS), sent.before[REQUESTS]) == dict(sent.ledger.requests)

    await eventually(look)


async def test_the_duration_histogram_counts_the_same_requests(stores: Stores, sent: Sent) -> None:
    async def look() -> None:
        counted = await stores.counts("http_request_duration_seconds_count", REQUEST_LABELS)
        assert counted == await stores.counts(REQUESTS, REQUEST_LABELS)

    await eventually(look)


async def test_attempts_in_prometheus_equal_what_the_providers_were_asked(stores: Stores, sent: Sent) -> None:
    async def look() -> None:
        assert minus(await stores.counts(ATTEMPTS, ATTEMPT_LABELS), sent.before[ATTEMPTS]) == dict(sent.ledger.attempts)

    await eventually(look)


async def test_tokens_over_both_workers_equal_what_the_upstream_reported(stores: Stores, sent: Sent) -> None:
    async def look() -> None:
        assert minus(await stores.counted_tokens(), sent.before[TOKENS]) == dict(sent.ledger.tokens)

    await eventually(look)


async def test_the_familiar_series_has_what_was_counted_and_what_was_estimated(stores: Stores) -> None:
    async def look() -> None:
        familiar = await stores.counts(TOKENS, TOKEN_LABELS)
        estimated = await stores.counts(
            TOKENS_BY_SOURCE, TOKEN_SOURCE_LABELS, matching='gatewayz_usage_source="estimate"'
        )
        assert minus(familiar, await stores.counted_tokens()) == estimated
        assert estimated, "streams were cut and left, and those have no count"

    await eventually(look)


async def test_an_increase_over_the_run_is_exact(stores: Stores, sent: Sent) -> None:
    # The first value of a series counts, since Prometheus knows when the series began.
    async def look() -> None:
        assert await stores.increases(REQUESTS, REQUEST_LABELS, since_s=sent.since_s) == dict(sent.ledger.requests)

    await eventually(look)


async def test_each_worker_is_an_instance_of_its_own_in_sdk_metrics_and_none_in_span_series(stores: Stores) -> None:
    instances = await stores.label_values("instance", TOKENS)

    assert len(instances) == WORKERS
    assert await stores.label_values("instance", "gatewayz_uptime_seconds") == instances
    jobs = await stores.label_values("job", REQUESTS)
    assert jobs == {"gatewayz-api"}
    assert not instances & await stores.label_values("instance", REQUESTS)


async def test_every_trace_is_in_jaeger_with_its_spans(stores: Stores, sent: Sent) -> None:
    async def look() -> None:
        await stores.assert_traces(sent.ledger.spans)

    await eventually(look)


async def test_the_attempt_hangs_below_its_request_and_carries_the_usage(stores: Stores, sent: Sent) -> None:
    trace_id = next(trace_id for trace_id, kind in sent.ledger.kinds.items() if kind.script == "ok-211-tokens")

    server, client = await stores.spans(trace_id)

    assert (server.kind, client.kind) == ("server", "client")

    assert (server.name, client.name.split()[0]) == (f"POST {CHAT}", "chat")
    assert client.parent_id == server.span_id
    assert client.resource["service.instance.id"] == server.resource["service.instance.id"]
    assert server.attributes["http.response.status_code"] == 200
    assert client.attributes["gen_ai.usage.output_tokens"] == 211
    assert client.attributes["gatewayz.provider.name"] == PROVIDER
    assert "gen_ai.usage.output_tokens" not in server.attributes


async def test_exemplars_lead_to_traces_and_from_there_to_log_lines(stores: Stores, sent: Sent) -> None:
    query = f'http_request_duration_seconds_bucket{{endpoint="{CHAT}"}}'
    ours = set(await stores.exemplar_trace_ids(query, since_s=sent.since_s)) & set(sent.ledger.kinds)
    assert ours, "some exemplar names one of our traces"

    for trace_id in list(ours)[:5]:
        assert await stores.spans(trace_id)
        records = await stores.log_records(f'trace_id:="{trace_id}"', since_s=sent.since_s)
        assert [record["message"] for record in records].count("request completed") == 1


async def test_exemplars_of_tokens_lead_to_traces_too(stores: Stores, sent: Sent) -> None:
    async def look() -> None:
        found = set(await stores.exemplar_trace_ids("gen_ai_client_token_usage_bucket", since_s=sent.since_s))
        ours = found & set(sent.ledger.kinds)
        assert ours
        assert all([await stores.spans(trace_id) for trace_id in ours])

    await eventually(look)


async def test_every_request_has_one_log_line_that_says_how_it_ended(stores: Stores, sent: Sent) -> None:
    async def look() -> None:
        records = await stores.completed(since_s=sent.since_s)
        assert set(records) == set(sent.ledger.kinds)
        for trace_id, kind in sent.ledger.kinds.items():
            record = records[trace_id]
            assert record["status"] == kind.status, kind.name
            assert record["method"] == kind.method
            assert record.get("route") == (None if kind.endpoint == "unmatched" else kind.endpoint)
            assert len(record["span_id"]) == 16
            assert record["request_id"].startswith("req_")
            assert record["duration_ms"] >= 0

    await eventually(look)


async def test_a_log_line_is_found_by_its_trace_its_labels_and_its_members(stores: Stores, sent: Sent) -> None:
    trace_id = next(trace_id for trace_id, kind in sent.ledger.kinds.items() if kind in ANSWERED)

    (record,) = await stores.log_records(f'trace_id:="{trace_id}" message:="request completed"', since_s=sent.since_s)

    by_members = f'{{job="gatewayz-api",app="gatewayz-api"}} level:="info" provider:="{PROVIDER}" status:=200'
    assert record in await stores.log_records(by_members, since_s=sent.since_s)
    # The line stays as the gateway wrote it, and its members are beside it as text.
    line = json.loads(record["_msg"])
    assert (line["status"], record["status"]) == (200, "200")
    assert (line["trace_id"], record["trace_id"]) == (trace_id, trace_id)
    assert "timestamp" not in record


async def test_all_workers_share_one_log_stream(stores: Stores, sent: Sent) -> None:
    records = await stores.log_records('service.name:="gatewayz-api"', since_s=sent.since_s)
    assert len({record["service.instance.id"] for record in records}) >= WORKERS
    (stream,) = [stream for stream in await stores.log_streams() if "gatewayz-api" in stream]
    assert "instance" not in stream


async def test_the_gateway_relays_the_collectors_series_with_exemplars(
    stack: Stack, stores: Stores, caller: Caller, sent: Sent
) -> None:
    async def look() -> None:
        # Exemplars are those of the last flush: without traffic there are none.
        await caller.send(ANSWERED[0], sent.ledger)
        answer = await stores.http.get(
            f"{stack.urls['gateway']}/metrics", headers={"accept": "application/openmetrics-text"}
        )
        assert answer.status_code == 200
        assert "http_requests_total{" in answer.text
        assert ' # {span_id="' in answer.text or ' # {trace_id="' in answer.text

    await eventually(look)
