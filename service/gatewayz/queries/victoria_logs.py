"""Log lines in VictoriaLogs, asked in LogsQL.

The members of a JSON line are fields of their own: the Collector makes them so (`otel-collector/store-victoria-logs.yaml`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from gatewayz.queries.logs import TRACE_LINES, CountedLines, LogLine, LogSearch, line_of, whole_steps
from gatewayz.queries.quoting import quoted
from gatewayz.queries.reader import Part, Reader
from gatewayz.queries.tail import follow
from gatewayz.queries.traces import require_trace_id


class _Hits(msgspec.Struct):
    fields: dict[str, str] = {}  # msgspec copies a mutable default for each instance
    timestamps: list[str] = []
    values: list[int] = []


class _HitsAnswer(msgspec.Struct):
    hits: list[_Hits] | None


@dataclass(frozen=True, slots=True)
class VictoriaLogs:
    """Implements Logs."""

    reader: Reader

    @property
    def part(self) -> Part:
        return self.reader.part

    async def of_trace(self, trace_id: str, *, since_ns: int, until_ns: int) -> list[LogLine]:
        search = LogSearch(since_ns, until_ns, trace_id=require_trace_id(trace_id), limit=TRACE_LINES)
        return (await self.search(search))[::-1]

    async def search(self, search: LogSearch) -> list[LogLine]:
        parameters = _window(search.since_ns, search.until_ns) | {
            "query": _logs_ql(search),
            "limit": str(max(1, search.limit)),  # 0, or none, would mean all there are
        }
        answer = await self.reader.get("/select/logsql/query", parameters)
        if answer.status == 404:
            raise self.reader.wrong_store()
        records = [self.reader.decode(line, dict[str, str]) for line in answer.body.splitlines()]
        try:
            lines = [_line(record) for record in records]
        except (KeyError, ValueError):
            raise self.reader.wrong_store() from None
        return sorted(lines, key=lambda line: line.time_ns, reverse=True)

    async def counts(self, search: LogSearch, *, step_s: int) -> list[CountedLines]:
        first_s, end_s = whole_steps(search, step_s)
        parameters = _window(first_s * 10**9, end_s * 10**9) | {
            "query": _logs_ql(search),
            "step": f"{step_s}s",
            "field": "level",
        }
        answer = await self.reader.json("/select/logsql/hits", parameters, _HitsAnswer)
        try:
            counted = [
                CountedLines(
                    hits.fields.get("level", ""),
                    tuple(
                        sorted(
                            (_unix_ns(when) // 10**9, count)
                            for when, count in zip(hits.timestamps, hits.values, strict=True)
                            if count
                        )
                    ),
                )
                for hits in answer.hits or ()
            ]
        except ValueError:
            raise self.reader.wrong_store() from None
        return sorted((one for one in counted if one.points), key=lambda one: one.value)

    def tail(self, search: LogSearch) -> AsyncGenerator[LogLine]:
        return follow(self, search)


def _window(since_ns: int, until_ns: int) -> dict[str, str]:
    """Nanoseconds, and the end is not part of it (both seen with 1.52.1)."""
    return {"start": str(since_ns), "end": str(until_ns)}


def _logs_ql(search: LogSearch) -> str:
    """Every name and value is quoted, so that none of them can become a part of the query."""
    conditions: list[str] = []
    if search.service is not None:
        # As a field, not as a selector of streams: which fields make a stream is the sender's choice.
        conditions.append(f'"service.name":={quoted(search.service)}')
    if search.trace_id is not None:
        conditions.append(f'"trace_id":={quoted(search.trace_id)}')
    if search.levels:
        conditions.append(f'"level":in({",".join(map(quoted, search.levels))})')
    conditions += [f"{quoted(name)}:={quoted(value)}" for name, value in search.fields.items()]
    return " ".join(conditions) or "*"


def _line(record: dict[str, str]) -> LogLine:
    kept = {name: value for name, value in record.items() if not name.startswith("_")}
    return line_of(_unix_ns(record["_time"]), record.get("_msg", ""), kept, service=record.get("service.name", ""))


def _unix_ns(text: str) -> int:
    """RFC 3339 in UTC with up to nine digits after the second; Python reads six of them. Raises ValueError."""
    second, _, fraction = text.removesuffix("Z").partition(".")
    whole_s = int(datetime.fromisoformat(second + "+00:00").timestamp())
    return whole_s * 10**9 + int(fraction.ljust(9, "0")[:9] or 0)
