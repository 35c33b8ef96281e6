"""What the stores know, asked over their own HTTP interfaces; and the patience with which a test asks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from gatewayz.queries.errors import QueryError
from gatewayz.queries.logs import Logs, LogSearch
from gatewayz.queries.traces import Span, Traces

Seen = TypeVar("Seen")
Labels = tuple[str, ...]
Counts = dict[Labels, float]
"""Values of a counter by the values of the labels that were asked for, in their order; zeros are left out."""

PATIENCE_S = 60.0
"""Telemetry takes about ten seconds (queue, flush, scrape); a machine that builds something at the same time, longer."""

LOOKUPS_AT_ONCE = 8

FLUSH_AND_SCRAPE_S = 11.0
"""Five seconds each, and one for the way."""

TOKENS = "tokens_used_total"
"""All tokens, those by estimate included."""

TOKENS_BY_SOURCE = "gen_ai_client_token_usage_sum"
"""The same, with whose word each count is."""

REQUESTS = "http_requests_total"
ATTEMPTS = "model_inference_requests_total"

REQUEST_LABELS = ("endpoint", "method", "status_code")
# Without the model: one that has never answered is counted as "other" until it does.
ATTEMPT_LABELS = ("provider", "status", "error_type")
TOKEN_LABELS = ("provider", "type")
TOKEN_SOURCE_LABELS = ("gatewayz_provider_name", "gen_ai_token_type")


async def eventually(look: Callable[[], Awaitable[Seen]], *, patience_s: float = PATIENCE_S) -> Seen:
    """What ``look`` returns once its assertions hold; after ``patience_s``, the last of them fails the test."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return await look()
        except (AssertionError, httpx.HTTPError, QueryError):
            if time.monotonic() >= deadline:
                raise
        await asyncio.sleep(0.5)


@dataclass(frozen=True, slots=True)
class Stores:
    """Prometheus, Jaeger and VictoriaLogs of one stack."""

    http: httpx.AsyncClient
    prometheus: str
    traces: Traces
    logs: Logs

    @property
    def jaeger(self) -> str:
        """Its address, for what only it can be asked."""
        return self.traces.part.url

    @property
    def victoria_logs(self) -> str:
        return self.logs.part.url

    async def _get(self, url: str, **parameters: str) -> Any:  # Any: JSON
        answer = await self.http.get(url, params=parameters)
        answer.raise_for_status()
        return answer.json()

    # --- Prometheus

    async def query(self, query: str) -> list[tuple[dict[str, str], float]]:
        """An instant query: label sets and values."""
        data = (await self._get(f"{self.prometheus}/api/v1/query", query=query))["data"]
        return [(sample["metric"], float(sample["value"][1])) for sample in data["result"]]

    async def counts(self, metric: str, labels: Labels, *, matching: str = "") -> Counts:
        """The raw counter, summed over everything but ``labels``."""
        return await self._counts(f"sum by ({', '.join(labels)}) ({metric}{{{matching}}})", labels)

    async def counted_tokens(self) -> Counts:
        """Tokens that providers counted, by provider and type; of streams that broke there are estimates beside them."""
        return await self.counts(TOKENS_BY_SOURCE, TOKEN_SOURCE_LABELS, matching='gatewayz_usage_source="provider"')

    async def increases(self, metric: str, labels: Labels, *, since_s: float, matching: str = "") -> Counts:
        """By how much the counter rose since that Unix time, resets of its source included, without extrapolation."""
        # To the millisecond: a window that begins a second earlier may begin before the last scrape of what came before.
        window_ms = int((time.time() - since_s) * 1000) + 1
        query = f"sum by ({', '.join(labels)}) (increase({metric}{{{matching}}}[{window_ms}ms] anchored))"
        return await self._counts(query, labels)

    async def _counts(self, query: str, labels: Labels) -> Counts:
        found = {tuple(metric.get(label, "") for label in labels): value for metric, value in await self.query(query)}
        return {key: value for key, value in found.items() if value}

    async def label_values(self, label: str, metric: str) -> set[str]:
        return {labels[label] for labels, _ in await self.query(f"count by ({label}) ({metric})") if label in labels}

    async def series_names(self) -> set[str]:
        return set((await self._get(f"{self.prometheus}/api/v1/label/__name__/values"))["data"])

    async def exemplar_trace_ids(self, query: str, *, since_s: float) -> list[str]:
        data = (
            await self._get(
                f"{self.prometheus}/api/v1/query_exemplars", query=query, start=str(since_s), end=str(time.time() + 5)
            )
        )["data"]
        return [exemplar["labels"]["trace_id"] for series in data for exemplar in series["exemplars"]]

    async def rules(self) -> list[tuple[str, str, str]]:
        """Name, health and last error of every rule."""
        groups = (await self._get(f"{self.prometheus}/api/v1/rules"))["data"]["groups"]
        return [
            (rule["name"], rule["health"], rule.get("lastError", "")) for group in groups for rule in group["rules"]
        ]

    # --- Jaeger

    async def spans(self, trace_id: str) -> tuple[Span, ...]:
        """The trace's spans in the order in which they began; none when Jaeger does not have it."""
        trace = await self.traces.trace(trace_id)
        return trace.spans if trace else ()

    async def found_traces(self, **parameters: str) -> list[dict[str, Any]]:  # Any: JSON
        """Whole traces as Jaeger's search returns them, newest first."""
        return (await self._get(f"{self.jaeger}/api/traces", **parameters))["data"]

    async def wrong_traces(self, expected: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Those traces that are not there with spans of exactly these kinds (sorted), and the kinds that are there."""
        slots = asyncio.Semaphore(LOOKUPS_AT_ONCE)

        async def one(trace_id: str) -> tuple[Span, ...]:
            async with slots:
                return await self.spans(trace_id)

        found = await asyncio.gather(*map(one, expected))
        kinds = {
            trace_id: tuple(sorted(span.kind.upper() for span in spans))
            for trace_id, spans in zip(expected, found, strict=True)
        }
        return {trace_id: seen for trace_id, seen in kinds.items() if seen != expected[trace_id]}

    async def assert_traces(self, expected: Mapping[str, tuple[str, ...]]) -> None:
        """Every one of these traces is there, with spans of exactly these kinds (sorted)."""
        wrong = await self.wrong_traces(expected)
        assert not wrong, f"{len(wrong)} of {len(expected)} traces: {dict(list(wrong.items())[:5])}"

    # --- VictoriaLogs

    async def log_records(self, query: str, *, since_s: float, limit: int = 5000) -> list[dict[str, str]]:
        """Records that the LogsQL query finds, the newest first; all fields are strings, ``_msg`` is the line."""
        answer = await self.http.get(
            f"{self.victoria_logs}/select/logsql/query",
            params={"query": query, "start": f"{since_s:.9f}", "end": f"{time.time() + 5:.9f}", "limit": str(limit)},
        )
        answer.raise_for_status()
        return [json.loads(line) for line in answer.text.splitlines()]

    async def completed(self, *, since_s: float) -> dict[str, dict[str, Any]]:
        """The `request completed` lines of the gateway since then, by trace id. Two for one trace are a failure."""
        search = LogSearch(
            since_ns=int(since_s * 1e9),
            until_ns=time.time_ns() + 5 * 10**9,
            service="gatewayz-api",
            fields={"message": "request completed"},
            limit=5000,
        )
        records = [json.loads(line.text) for line in await self.logs.search(search)]
        found = {record["trace_id"]: record for record in records}
        assert len(found) == len(records), "some request has two completed records"
        return found

    async def log_streams(self) -> list[str]:
        data = await self._get(f"{self.victoria_logs}/select/logsql/streams", query="*", start="1h")
        return [stream["value"] for stream in data["values"]]


def minus(after: Counts, before: Counts) -> Counts:
    """What came on top; zeros are left out."""
    difference = {key: value - before.get(key, 0) for key, value in after.items()}
    return {key: value for key, value in difference.items() if value}
