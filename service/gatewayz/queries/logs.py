"""One model of a log line, whatever keeps it, and what can be asked of a store of log lines."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from gatewayz.queries.reader import Part

TRACE_LINES = 1000
"""Lines of one trace that are read at most; a request of ours leaves a handful."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One record. Everything but the time is a string, empty where the record does not say."""

    time_ns: int
    """Unix time."""
    level: str
    """Lower case."""
    message: str
    trace_id: str
    span_id: str
    service: str
    fields: Mapping[str, str]
    """The members of a line that is JSON, those of inner objects with dots (``tokens.input``); of any other line, what the
    store keeps beside it."""
    text: str
    """The line as it was written."""
    is_json: bool


@dataclass(frozen=True, slots=True)
class LogSearch:
    """Which lines are wanted: those that meet every condition."""

    since_ns: int
    """Unix time. At this time or later …"""
    until_ns: int
    """… and before this one."""
    service: str | None = None
    trace_id: str | None = None
    levels: tuple[str, ...] = ()
    """Any of these; none: all."""
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names as in LogLine.fields, values equal as text."""
    limit: int = 100


@dataclass(frozen=True, slots=True)
class CountedLines:
    """How many lines there were of one kind, in steps of time. Steps without lines are left out."""

    value: str
    """What they have in common: their level."""
    points: tuple[tuple[int, int], ...]
    """When a step began (Unix time, seconds), and how many lines fell into it; in order of time."""


class Logs(Protocol):
    """A store of log lines. Every question raises QueryError when it cannot be answered."""

    @property
    def part(self) -> Part:
        """Its name and address, for people."""
        ...

    async def of_trace(self, trace_id: str, *, since_ns: int, until_ns: int) -> list[LogLine]:
        """The lines of one trace, oldest first, at most TRACE_LINES of them."""
        ...

    async def search(self, search: LogSearch) -> list[LogLine]:
        """The newest lines, newest first."""
        ...

    async def counts(self, search: LogSearch, *, step_s: int) -> list[CountedLines]:
        """How many lines there were, by level; steps begin at multiples of ``step_s``, and the time is widened to whole ones.
        The search's limit means nothing."""
        ...

    def tail(self, search: LogSearch) -> AsyncGenerator[LogLine]:
        """Lines as they come, beginning at the search's ``since_ns``; its ``until_ns`` means nothing. Never ends by itself."""
        ...


def whole_steps(search: LogSearch, step_s: int) -> tuple[int, int]:
    """Where the first step begins and where the last one ends (Unix time, seconds)."""
    step_ns = step_s * 10**9
    return search.since_ns // step_ns * step_s, -(-search.until_ns // step_ns) * step_s


def line_of(time_ns: int, text: str, kept: Mapping[str, str], *, service: str) -> LogLine:
    """A record from its line and what the store keeps beside it (``kept``)."""
    members = _members(text)
    fields = kept if members is None else members
    return LogLine(
        time_ns=time_ns,
        level=(kept.get("level") or fields.get("level") or kept.get("severity_text", "")).lower(),
        message=text if members is None else members.get("message", ""),
        trace_id=kept.get("trace_id") or fields.get("trace_id", ""),
        span_id=kept.get("span_id") or fields.get("span_id", ""),
        service=service,
        fields=fields,
        text=text,
        is_json=members is not None,
    )


def _members(text: str) -> dict[str, str] | None:
    """The members of a line that is a JSON object; None for any other."""
    try:
        # object: whatever a program writes into its lines
        decoded = msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return None
    flat: dict[str, str] = {}
    _flatten("", decoded, flat)
    return flat


def _flatten(prefix: str, members: Mapping[str, object], flat: dict[str, str]) -> None:
    for name, value in members.items():
        if isinstance(value, dict):
            _flatten(f"{prefix}{name}.", value, flat)  # type: ignore[reportUnknownArgumentType] - JSON: names are texts
        else:
            flat[prefix + name] = value if isinstance(value, str) else msgspec.json.encode(value).decode()
