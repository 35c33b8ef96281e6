"""Log lines in Loki (3 or newer), asked in LogQL."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import msgspec

from gatewayz.queries.logs import TRACE_LINES, CountedLines, LogLine, LogSearch, line_of, whole_steps
from gatewayz.queries.quoting import quoted
from gatewayz.queries.reader import Part, Reader
from gatewayz.queries.tail import follow
from gatewayz.queries.traces import require_trace_id

MAX_LINES = 5000
"""Loki refuses to give more at once (`max_entries_limit_per_query`)."""

_NO_LABEL = re.compile(r"[^a-zA-Z0-9_]")
_LEADING_DIGIT = re.compile(r"^[0-9]")


class _Stream(msgspec.Struct):
    stream: dict[str, str]
    values: list[tuple[str, str]]


class _Streams(msgspec.Struct):
    result: list[_Stream] | None


class _StreamsAnswer(msgspec.Struct):
    data: _Streams


class _Series(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Matrix(msgspec.Struct):
    result: list[_Series] | None


class _MatrixAnswer(msgspec.Struct):
    data: _Matrix


@dataclass(frozen=True, slots=True)
class Loki:
    """Implements Logs."""

    reader: Reader

    @property
    def part(self) -> Part:
        return self.reader.part

    async def of_trace(self, trace_id: str, *, since_ns: int, until_ns: int) -> list[LogLine]:
        search = LogSearch(since_ns, until_ns, trace_id=require_trace_id(trace_id), limit=TRACE_LINES)
        return (await self.search(search))[::-1]

    async def search(self, search: LogSearch) -> list[LogLine]:
        parameters = {
            "query": _log_ql(search),
            "start": str(search.since_ns),
            "end": str(search.until_ns),  # not part of it
            "limit": str(min(max(1, search.limit), MAX_LINES)),
            "direction": "backward",
        }
        answer = await self.reader.json("/loki/api/v1/query_range", parameters, _StreamsAnswer)
        try:
            lines = [
                _line(int(time_ns), text, stream.stream)
                for stream in answer.data.result or ()
                for time_ns, text in stream.values
            ]
        except ValueError:
            raise self.reader.wrong_store() from None
        return sorted(lines, key=lambda line: line.time_ns, reverse=True)

    async def counts(self, search: LogSearch, *, step_s: int) -> list[CountedLines]:
        # Loki counts backwards from a step's end, which it includes: a line exactly between two steps falls into the earlier.
        first_s, end_s = whole_steps(search, step_s)
        parameters = {
            "query": f"sum by (level) (count_over_time({_log_ql(search)} [{step_s}s]))",
            "start": str(first_s + step_s),
            "end": str(end_s),
            "step": str(step_s),
        }
        answer = await self.reader.json("/loki/api/v1/query_range", parameters, _MatrixAnswer)
        try:
            counted = [
                CountedLines(
                    series.metric.get("level", ""),
                    tuple(
                        (int(end) - step_s, int(count))
                        for end, count in series.values
                        if int(count) and first_s < end <= end_s
                    ),
                )
                for series in answer.data.result or ()
            ]
        except ValueError:
            raise self.reader.wrong_store() from None
        return sorted((one for one in counted if one.points), key=lambda one: one.value)

    def tail(self, search: LogSearch) -> AsyncGenerator[LogLine]:
        return follow(self, search)


def _log_ql(search: LogSearch) -> str:
    """Every value is quoted and every name is reduced to what a label may be called: none can become a part of the query."""
    service = f"={quoted(search.service)}" if search.service is not None else '=~".+"'
    stages = [f"{{service_name{service}}}"]  # a selector without a condition is refused
    if search.trace_id is not None:
        stages.append(f"trace_id={quoted(search.trace_id)}")
    if search.levels:
        stages.append(" or ".join(f"level={quoted(level)}" for level in search.levels))
    if search.fields:
        # A line that is no JSON has none of these fields, and would make a count fail.
        stages += ["json", '__error__=""']
        stages += [f"{_label(name)}={quoted(value)}" for name, value in search.fields.items()]
    return " | ".join(stages)


def _label(name: str) -> str:
    """What `| json` calls a member; members of inner objects are joined with `_`."""
    return _LEADING_DIGIT.sub(r"_\g<0>", _NO_LABEL.sub("_", name))


def _line(time_ns: int, text: str, labels: dict[str, str]) -> LogLine:
    return line_of(time_ns, text, labels, service=labels.get("service_name", ""))
