"""Series in Prometheus. What other modules ask has a function of its own; the names are those of the contract."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from gatewayz.queries.quoting import quoted
from gatewayz.queries.reader import Part, Reader
from gatewayz.telemetry.names import REQUEST_DURATION_SERIES, REQUESTS_SERIES


class Sample(msgspec.Struct, frozen=True):
    """One series of an instant query's answer."""

    metric: dict[str, str]
    value: tuple[float, str]
    """Unix time, and the number as Prometheus writes it."""


class _Vector(msgspec.Struct):
    result: list[Sample] = []  # msgspec copies a mutable default for each instance


class _VectorAnswer(msgspec.Struct):
    data: _Vector


class _Exemplar(msgspec.Struct):
    labels: dict[str, str]
    timestamp: float


class _ExemplarSeries(msgspec.Struct):
    exemplars: list[_Exemplar] = []


class _ExemplarAnswer(msgspec.Struct):
    data: list[_ExemplarSeries] = []


class _FlagsAnswer(msgspec.Struct):
    data: dict[str, str]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Every question raises QueryError when it cannot be answered."""

    reader: Reader

    @property
    def part(self) -> Part:
        return self.reader.part

    async def requests_counted(self, endpoint: str, method: str, status: int) -> float:
        """The raw counter of requests, all workers together; 0 where there are none yet."""
        labels = f'endpoint={quoted(endpoint)},method={quoted(method)},status_code="{status}"'
        samples = await self.vector(f"sum({REQUESTS_SERIES}{{{labels}}})")
        return sum(float(sample.value[1]) for sample in samples)

    async def jobs_down(self) -> list[str]:
        """The jobs with a target that cannot be scraped, sorted."""
        return sorted({sample.metric.get("job", "?") for sample in await self.vector("up == 0")})

    async def scrapes_something(self) -> bool:
        return bool(await self.vector("up"))

    async def exemplar_trace_ids(self, endpoint: str, *, since_s: float, until_s: float) -> list[str]:
        """Traces that the durations of an endpoint's requests point to, newest first, each once (Unix time)."""
        parameters = {
            "query": f"{REQUEST_DURATION_SERIES}_bucket{{endpoint={quoted(endpoint)}}}",
            "start": f"{since_s:.3f}",
            "end": f"{until_s:.3f}",
        }
        answer = await self.reader.json("/api/v1/query_exemplars", parameters, _ExemplarAnswer)
        exemplars = [exemplar for series in answer.data for exemplar in series.exemplars]
        exemplars.sort(key=lambda exemplar: exemplar.timestamp, reverse=True)
        return list(
            dict.fromkeys(exemplar.labels["trace_id"] for exemplar in exemplars if "trace_id" in exemplar.labels)
        )

    async def stores_exemplars(self) -> bool:
        """Whether Prometheus was started with the feature that keeps exemplars."""
        flags = await self.reader.json("/api/v1/status/flags", {}, _FlagsAnswer)
        return "exemplar-storage" in flags.data.get("enable-feature", "")

    async def vector(self, query: str) -> list[Sample]:
        """An instant query, for the questions above."""
        return (await self.reader.json("/api/v1/query", {"query": query}, _VectorAnswer)).data.result
