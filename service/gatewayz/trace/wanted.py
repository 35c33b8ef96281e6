"""Which trace is meant? By its own id, by a header of the answer, or by the request's id."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gatewayz.queries.errors import BadQuestion

_HEADER = re.compile(r"\s*(?:traceresponse|traceparent|x-request-id)\s*:", re.IGNORECASE)
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_TRACE_CONTEXT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID = re.compile(r"req_[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One of the two is set."""

    trace_id: str | None = None
    request_id: str | None = None

    def __str__(self) -> str:
        return f"trace {self.trace_id}" if self.trace_id else f"request {self.request_id}"


def parse_wanted(text: str) -> Wanted:
    """A trace id, the value of `traceresponse` (or `traceparent`), an `x-request-id`; the header's name may stand before it.

    Raises BadQuestion.
    """
    value = _HEADER.sub("", text, count=1).strip()
    if _REQUEST_ID.fullmatch(value):
        return Wanted(request_id=value)
    context = _TRACE_CONTEXT.fullmatch(value.lower())
    trace_id = context[1] if context else value.lower()
    if _TRACE_ID.fullmatch(trace_id) and trace_id != "0" * 32:
        return Wanted(trace_id=trace_id)
    raise BadQuestion(
        f"{text!r} names no trace: give a trace id (32 hexadecimal digits), the `traceresponse` of an answer, "
        "or its `x-request-id` (req_…)."
    )
