"""How is text from outside shown, so that it stays text?"""

from __future__ import annotations

import json

from gatewayz.queries.traces import AttributeValue


def visible(text: str, limit: int | None = None) -> str:
    """On one line, without anything that steers a terminal: control characters, line ends and marks that turn the direction
    of writing are spelled out. Beyond ``limit`` characters it is cut, and its length is added."""
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text[:limit])
    return shown if limit is None or len(text) <= limit else f"{shown}… ({len(text)} characters)"


def value_text(value: AttributeValue) -> str:
    """An attribute's value: texts in quotes, so that "1" and 1 differ."""
    return json.dumps(value, ensure_ascii=False)


def duration_text(nanoseconds: int) -> str:
    """Three digits or so, in the unit that fits."""
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000)):
        value = abs(nanoseconds) / size
        if value >= 0.9995:  # else it would read 1000 of the smaller unit
            decimals = 2 if value < 10 else 1 if value < 100 else 0
            return f"{nanoseconds / size:.{decimals}f} {unit}"
    return f"{nanoseconds} ns" if nanoseconds else "0"
