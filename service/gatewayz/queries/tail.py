"""Which lines are new? Asks again and again: both stores' own ways to listen lose lines when a connection breaks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

from gatewayz.queries.logs import LogLine, Logs, LogSearch

PAUSE_S = 1.0
"""Between two questions: about the time after which VictoriaLogs shows a line."""

OVERLAP_NS = 5 * 10**9
"""A line may be visible so much later than another one that was written after it (queues, several workers)."""

LINES = 1000
"""Per question. Where more come within the overlap, the oldest of them are never shown."""


async def follow(
    logs: Logs, search: LogSearch, *, pause_s: float = PAUSE_S, clock_ns: Callable[[], int] = time.time_ns
) -> AsyncGenerator[LogLine]:
    """Lines as they come, each once. Raises QueryError as soon as a question fails; calling again with the time of the last
    line goes on from there."""
    seen: dict[tuple[int, str], None] = {}
    since_ns = search.since_ns
    while True:
        # A writer's clock may be ahead of ours.
        until_ns = clock_ns() + OVERLAP_NS
        lines = await logs.search(replace(search, since_ns=since_ns, until_ns=until_ns, limit=LINES))
        for line in reversed(lines):
            if (line.time_ns, line.text) not in seen:
                seen[line.time_ns, line.text] = None
                yield line
        if lines:
            since_ns = max(since_ns, lines[0].time_ns - OVERLAP_NS)
        for known in [one for one in seen if one[0] < since_ns]:
            del seen[known]
        await asyncio.sleep(pause_s)
