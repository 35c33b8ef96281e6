"""The same as JSON, with nothing cut."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import msgspec

from gatewayz.queries.traces import Trace
from gatewayz.trace.lookup import Lines


def document(trace: Trace, store: str, found: Lines) -> dict[str, Any]:  # Any: for JSON
    """Times are Unix nanoseconds."""
    return {
        "trace_id": trace.trace_id,
        "store": store,
        "start_ns": trace.start_ns,
        "duration_ns": trace.end_ns - trace.start_ns,
        "spans": [asdict(span) | {"duration_ns": span.duration_ns} for span in trace.spans],
        "log_store": found.store,
        "log_lines": [asdict(line) for line in found.lines],
        "log_trouble": found.trouble,
    }


def as_json(content: dict[str, Any], *, ascii_only: bool) -> str:
    """One line. Numbers that JSON does not have (NaN) are null."""
    text = msgspec.json.encode(content).decode()
    return json.dumps(json.loads(text)) if ascii_only else text
