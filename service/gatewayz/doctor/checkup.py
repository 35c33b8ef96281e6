"""The story of one checkup: look at the counters, send the request, then look for it in every part of the stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from gatewayz.accounts.temporary import borrow_key
from gatewayz.addresses import Addresses, find_addresses
from gatewayz.config import load_settings
from gatewayz.doctor import stores
from gatewayz.doctor.hops import Broken, Finding, NotYet, Unknowable, examine
from gatewayz.doctor.probe import Answer, end_instrumentation, instrumented_session, send_probe
from gatewayz.doctor.reader import Part, Reader
from gatewayz.doctor.report import Report
from gatewayz.errors import ConfigurationError

Seen = TypeVar("Seen")

LAST_LOOK_S = 3.0
"""Each hop may be waited for this long even when the hops before it used up the patience: one scrape may be missing."""


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """``None`` means: not given. Then the environment, the running `gatewayz up`, and the standard ports are asked."""

    environment: Mapping[str, str]
    data_dir: Path = Path("data")
    """Where `gatewayz up` keeps stack.json, and where a key for this one request may be made."""
    api_key: str | None = None
    model: str = "demo/fast"
    stream: bool = False
    gateway: str | None = None
    collector: str | None = None
    prometheus: str | None = None
    tempo: str | None = None
    loki: str | None = None
    patience_s: float = 45.0
    """How long telemetry may take: queue, flush and scrape are each a matter of seconds, a loaded laptop doubles them."""
    timeout_s: float = 10.0
    """How long one HTTP exchange may take; a streamed answer, between two events."""
    json: bool = False


@dataclass(slots=True)
class _Checkup:
    options: DoctorOptions
    report: Report
    findings: list[Finding] = field(default_factory=list[Finding])

    def hop(self, name: str, check: Callable[[], str], *, until: float = 0.0) -> bool:
        with self.report.looking_at(name):
            finding = examine(name, check, until=until)
        self.findings.append(finding)
        self.report.show(finding)
        return finding.state == "ok"


def run(options: DoctorOptions) -> int:
    """Do the checkup and print it. 0: every hop was seen to work; 1: some was not."""
    report = Report(as_json=options.json)
    given = {
        "gateway": options.gateway,
        "collector": options.collector,
        "prometheus": options.prometheus,
        "tempo": options.tempo,
        "loki": options.loki,
    }
    addresses = find_addresses(given, options.environment, options.data_dir)
    checkup = _Checkup(options, report)
    answer = _follow(checkup, addresses)
    healthy = report.finish(
        checkup.findings, answer.trace_id if answer else None, answer.request_id if answer else None
    )
    return 0 if healthy else 1


def _follow(checkup: _Checkup, addresses: Addresses) -> Answer | None:
    options = checkup.options
    session, provider = instrumented_session()
    try:

        def reader(name: str, url: str, option: str) -> Reader:
            return Reader(Part(name, url, option), session, options.timeout_s)

        gateway = reader("the gateway", addresses.gateway, "--gateway")
        collector = reader("the Collector", addresses.collector, "--collector")
        prometheus = reader("Prometheus", addresses.prometheus, "--prometheus")
        tempo = reader("Tempo", addresses.tempo, "--tempo")
        loki = reader("Loki", addresses.loki, "--loki")

        # Counters are read before the request: only what rises afterwards can be ours.
        accepted_before = _quietly(lambda: stores.accepted_spans(collector))
        counted_before = _quietly(lambda: stores.requests_counted(prometheus))

        answers: list[Answer] = []

        def ask() -> str:
            with _key(options, checkup.report) as api_key:
                answer = send_probe(
                    session,
                    provider,
                    gateway.part,
                    api_key=api_key,
                    model=options.model,
                    stream=options.stream,
                    timeout_s=options.timeout_s,
                )
            answers.append(answer)
            whose = "our trace" if answer.ours else "a trace of the gateway's own (incoming_trace is not `continue`),"
            return f"200, request {answer.request_id}, in {whose} {answer.trace_id}"

        if checkup.hop("gateway healthy", lambda: _see_health(gateway)):
            checkup.hop("request answered", ask)
        else:
            checkup.hop("request answered", _unknowable("Not sent, since the gateway does not answer."))
        answer = answers[0] if answers else None
        patience_ends = time.monotonic() + options.patience_s

        def hop(name: str, see: Callable[[Answer], str], ready: Callable[[], object]) -> None:
            def check() -> str:
                if answer is not None:
                    return see(answer)
                ready()
                raise Unknowable("It answers, but there is no request to look for.")

            checkup.hop(
                name,
                check,
                until=max(patience_ends, time.monotonic() + min(LAST_LOOK_S, options.patience_s)) if answer else 0.0,
            )

        hop(
            "OTLP accepted",
            lambda _: stores.see_otlp_accepted(collector, accepted_before),
            lambda: stores.accepted_spans(collector),
        )
        hop(
            "trace in Tempo",
            lambda one: stores.see_trace(tempo, one),
            lambda: stores.spans_in_tempo(tempo, "0" * 31 + "1"),
        )
        hop(
            "series",
            lambda _: stores.see_series(prometheus, counted_before),
            lambda: stores.requests_counted(prometheus),
        )
        hop(
            "exemplar",
            lambda one: stores.see_exemplar(prometheus, tempo, one),
            lambda: stores.requests_counted(prometheus),
        )
        hop(
            "log line in Loki",
            lambda one: stores.see_log_line(loki, one),
            lambda: stores.log_lines(loki, "0" * 32, time.time()),
        )
        return answer
    finally:
        session.close()
        end_instrumentation()


def _see_health(gateway: Reader) -> str:
    if gateway.bytes("/health") is None:
        raise gateway.not_this_part()
    return f"{gateway.part.url} answers"


def _key(options: DoctorOptions, report: Report) -> AbstractContextManager[str]:
    """The key given, or one borrowed from the database beside us for the length of the request."""
    given = options.api_key or options.environment.get("GATEWAYZ_API_KEY")
    return _given(given) if given else _borrowed(options, report)


@contextmanager
def _given(key: str) -> Generator[str]:
    yield key


@contextmanager
def _borrowed(options: DoctorOptions, report: Report) -> Generator[str]:
    try:
        with borrow_key(load_settings(data_dir=options.data_dir), "gatewayz doctor") as key:
            report.say("No key given: using one made for this request in the database beside us, and revoked at once.")
            yield key
    except ConfigurationError as error:
        raise Broken(f"There is no key to ask with ({error}): give one with --api-key or GATEWAYZ_API_KEY.") from None


def _quietly(look: Callable[[], Seen]) -> Seen | None:
    """None when there is nothing to see; the hop itself will say why."""
    try:
        return look()
    except (Broken, NotYet):
        return None


def _unknowable(reason: str) -> Callable[[], str]:
    def check() -> str:
        raise Unknowable(reason)

    return check
