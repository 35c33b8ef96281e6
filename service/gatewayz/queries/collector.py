"""What has reached the Collector? Its own metrics, not the series that it makes of spans."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gatewayz.queries.reader import Part, Reader

_ACCEPTED = re.compile(rb"^otelcol_receiver_accepted_spans(?:_total)?(?:\{[^}]*\})? ([0-9.eE+]+)", re.MULTILINE)
_REFUSED = re.compile(
    rb"^otelcol_receiver_(?:refused|failed)_spans(?:_total)?(?:\{[^}]*\})? ([0-9.eE+]+)", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class ReceivedSpans:
    """Since the Collector's start."""

    accepted: float
    refused: float


@dataclass(frozen=True, slots=True)
class Collector:
    reader: Reader

    @property
    def part(self) -> Part:
        return self.reader.part

    async def received_spans(self) -> ReceivedSpans:
        """Raises QueryError."""
        answer = await self.reader.get("/metrics")
        if answer.status == 404 or b"otelcol_" not in answer.body:
            raise self.reader.wrong_store()
        return ReceivedSpans(
            sum(map(float, _ACCEPTED.findall(answer.body))), sum(map(float, _REFUSED.findall(answer.body)))
        )
