"""What the stores are filled with: traces and log lines of odd shapes, in the words of our own model."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from gatewayz.queries.traces import Attributes, AttributeValue, Event, Link, Span, SpanKind, SpanStatus

SECOND_NS = 10**9
MILLISECOND_NS = 10**6

ODD_TEXT = (
    'Grüße, 世界 😀 "quoted" \'single\' `tick` back\\slash <b onclick="x">&amp;</b> *star* {brace} $1 % '
    "[red]rich[/red] \x1b[31m \t\n end"
)
"""As much of what queries and pages trip over as fits into one line."""


@dataclass(frozen=True, slots=True)
class Record:
    """One log line as a program writes it."""

    time_ns: int
    level: str
    text: str
    trace_id: str = ""
    span_id: str = ""
    service: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the Collector makes of the members of the line."""


@dataclass(frozen=True, slots=True)
class Samples:
    """The services' names are new for each set, so that a store may hold anything else besides."""

    base_ns: int
    """The whole minute in which everything begins."""
    service: str
    other_service: str
    traces: Mapping[str, tuple[Span, ...]]
    """By what is odd about them; the spans in the order in which they began."""
    records: tuple[Record, ...]
    """In the order of time."""

    def trace_id(self, name: str) -> str:
        return self.traces[name][0].trace_id

    @property
    def end_ns(self) -> int:
        return self.base_ns + 240 * SECOND_NS


def make_samples(base_ns: int, *, seed: str | None = None) -> Samples:
    seed = seed or secrets.token_hex(4)
    maker = _Maker(base_ns, f"contract-{seed}", f"contract/other {seed}", seed)
    traces = {
        "three levels": maker.three_levels(),
        "failed": maker.failed(),
        "orphan": maker.orphan(),
        "slow": maker.slow(),
        "elsewhere": maker.elsewhere(),
    }
    return Samples(base_ns, maker.service, maker.other_service, traces, maker.records(traces))


@dataclass(frozen=True, slots=True)
class _Maker:
    base_ns: int
    service: str
    other_service: str
    seed: str

    def three_levels(self) -> tuple[Span, ...]:
        """A request, its attempt and what that did; attributes of every type; events; a link."""
        trace_id = f"{self.seed:0<8}" + "a1" * 12
        at = self.base_ns
        events = (
            Event(at + 1 * MILLISECOND_NS, "gatewayz.candidate.skipped", {"gatewayz.skip.reason": "breaker_open"}),
            Event(at + 2 * MILLISECOND_NS, "exception", {"exception.message": ODD_TEXT, "exception.escaped": True}),
        )
        root = self.span(
            trace_id, "a" * 16, "", "POST /v1/chat/completions", "server", 0, 1500,
            {
                "gatewayz.request.id": f"req_{self.seed}", "http.response.status_code": 200,
                "odd": ODD_TEXT, "empty": "", "big": 2**53 + 1,
            },
            events=events,
        )  # fmt: skip
        attempt = self.span(
            trace_id, "b" * 16, "a" * 16, "chat fast", "client", 100, 1200,
            {
                "gen_ai.response.finish_reasons": ["stop", 'le"ngth'], "gatewayz.cost.usd": 0.00025,
                "gen_ai.request.stream": True, "numbers": [1, 2, 3], "only.attempt": "yes",
            },
            links=(Link("c" * 32, "d" * 16),),
        )  # fmt: skip
        inner = self.span(trace_id, "c" * 16, "b" * 16, "read <stream>", "internal", 200, 1000, {"step": 3})
        return root, attempt, inner

    def failed(self) -> tuple[Span, ...]:
        trace_id = f"{self.seed:0<8}" + "b2" * 12
        root = self.span(
            trace_id, "1" * 16, "", "POST /v1/chat/completions", "server", 10_000, 250,
            {
                "http.response.status_code": 502, "error.type": "provider_server_error",
                'odd "name" <é>': ODD_TEXT, "only.request": "yes",
            },
            status="error", message=f"provider failed: {ODD_TEXT}",
        )  # fmt: skip
        attempt = self.span(
            trace_id, "2" * 16, "1" * 16, "chat fast", "client", 10_050, 150,
            {"http.response.status_code": 500, "only.attempt": "yes"},
            status="error",
        )  # fmt: skip
        return root, attempt

    def orphan(self) -> tuple[Span, ...]:
        """An id with leading zeros, and a parent that nobody has."""
        trace_id = "0000000000" + f"{self.seed:0<8}" + "c3" * 7
        return (
            self.span(trace_id, "0" * 15 + "7", "9" * 16, "POST /v1/embeddings", "server", 20_000, 30, {}, status="ok"),
        )

    def slow(self) -> tuple[Span, ...]:
        """The request takes long, what it called does not."""
        trace_id = f"{self.seed:0<8}" + "d4" * 12
        root = self.span(
            trace_id, "3" * 16, "", "POST /v1/messages", "server", 30_000, 2500, {"http.response.status_code": 200}
        )
        quick = self.span(trace_id, "4" * 16, "3" * 16, "chat fast", "client", 30_100, 5, {})
        return root, quick

    def elsewhere(self) -> tuple[Span, ...]:
        """Of another service, whose name does not fit into an address."""
        trace_id = f"{self.seed:0<8}" + "e5" * 12
        return (
            self.span(
                trace_id, "5" * 16, "", "POST /v1/chat/completions", "server", 40_000, 40,
                {"http.response.status_code": 200}, service=self.other_service,
            ),
        )  # fmt: skip

    def span(
        self,
        trace_id: str,
        span_id: str,
        parent_id: str,
        name: str,
        kind: SpanKind,
        after_ms: int,
        duration_ms: int,
        attributes: Mapping[str, AttributeValue],
        *,
        status: SpanStatus = "unset",
        message: str = "",
        events: tuple[Event, ...] = (),
        links: tuple[Link, ...] = (),
        service: str | None = None,
    ) -> Span:
        start_ns = self.base_ns + after_ms * MILLISECOND_NS + 678  # nanoseconds are kept
        resource: Attributes = {"service.name": service or self.service, "service.instance.id": f"w1-{self.seed}"}
        end_ns = start_ns + duration_ms * MILLISECOND_NS
        return Span(
            trace_id, span_id, parent_id, name, kind, start_ns, end_ns, status, message,
            dict(attributes), events, links, resource,
        )  # fmt: skip

    def records(self, traces: Mapping[str, tuple[Span, ...]]) -> tuple[Record, ...]:
        request, failed, elsewhere = traces["three levels"][0], traces["failed"][0], traces["elsewhere"][0]
        return (
            self.record(1, "debug", "stream opened", request, {"odd": ODD_TEXT}),
            self.record(2, "info", "request completed", request, {"provider": "openai", "status": 200, "stream": True}),
            self.record(11, "error", "provider call failed", failed, {"provider": "openai", "error_message": ODD_TEXT}),
            self.record(61, "info", "request completed", failed, {"provider": "demo", "tokens": {"input": 12, "output": 0}}),
            self.record(62, "warning", "breaker opened", None, {"provider": "openai", "list": ["a", "b"]}),
            Record(
                self.base_ns + 63 * SECOND_NS + 5, "critical", f"no JSON at all: {ODD_TEXT}", service=self.service,
            ),
            self.record(121, "info", "request completed", elsewhere, {"provider": "openai"}, service=self.other_service),
        )  # fmt: skip

    def record(
        self,
        after_s: int,
        level: str,
        message: str,
        span: Span | None,
        members: Mapping[str, object],
        *,
        service: str | None = None,
    ) -> Record:
        line: dict[str, object] = {"level": level, "message": message, **members}
        ids = {"trace_id": span.trace_id, "span_id": span.span_id} if span else {}
        return Record(
            self.base_ns + after_s * SECOND_NS + 5,
            level,
            json.dumps(line | ids, ensure_ascii=False),
            service=service or self.service,
            attributes=flat(line),
            **ids,
        )


def flat(members: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Members as fields: texts as they are, anything else as JSON, inner objects with dots."""
    fields: dict[str, str] = {}
    for name, value in members.items():
        if isinstance(value, dict):
            fields |= flat(value, f"{prefix}{name}.")  # type: ignore[reportUnknownArgumentType] - our own samples
        else:
            fields[prefix + name] = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return fields
