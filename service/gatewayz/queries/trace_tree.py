"""Which span hangs under which?"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from gatewayz.queries.traces import Span, Trace

MAX_DRAWN_DEPTH = 32
"""Deeper than that the lines cannot be followed; and a chain of 20,000 spans must not take 20,000 squared."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One span in its place."""

    span: Span
    depth: int
    """0: at the top."""
    last_of: tuple[bool, ...]
    """For its own level and those above it, top first: is it the last of its siblings? At most MAX_DRAWN_DEPTH of them."""
    orphan: bool
    """Its parent is not in the trace: not stored yet, dropped, or made by a caller who sends its spans elsewhere."""


def branches(trace: Trace) -> list[Branch]:
    """The trace from top to bottom, siblings by time. Every span is there exactly once, even where parents form a circle."""
    present = {span.span_id for span in trace.spans}
    children: defaultdict[str, list[Span]] = defaultdict(list)
    tops: list[Span] = []
    for span in trace.spans:
        if span.parent_id in present and span.parent_id != span.span_id:
            children[span.parent_id].append(span)
        else:
            tops.append(span)
    found: list[Branch] = []
    seen: set[int] = set()
    _hang(tops, children, seen, found)
    for span in trace.spans:  # a circle has no top: the span that began first becomes it
        if id(span) not in seen:
            _hang([span], children, seen, found)
    return found


def _hang(tops: list[Span], children: dict[str, list[Span]], seen: set[int], found: list[Branch]) -> None:
    # A stack of our own: a trace may be deeper than Python's recursion.
    waiting = [(span, 0, (place == len(tops) - 1,)) for place, span in enumerate(tops)][::-1]
    while waiting:
        span, depth, last_of = waiting.pop()
        if id(span) in seen:
            continue
        seen.add(id(span))
        found.append(Branch(span, depth, last_of, orphan=depth == 0 and bool(span.parent_id)))
        below = [child for child in children.pop(span.span_id, []) if id(child) not in seen]
        above = last_of[: MAX_DRAWN_DEPTH - 1]
        waiting += [(child, depth + 1, (*above, place == len(below) - 1)) for place, child in enumerate(below)][::-1]
