"""The story of one checkup: look at the counters, send the request, then look for it in every part of the stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import requests
from opentelemetry.sdk.trace import TracerProvider

from gatewayz.accounts.keys.throwaway import throwaway_key
from gatewayz.config import load_settings
from gatewayz.doctor import stores
from gatewayz.doctor.hops import Broken, Finding, NotYet, Unknowable, examine
from gatewayz.doctor.probe import Answer, end_instrumentation, instrumented_session, send_probe
from gatewayz.doctor.reader import Part, Reader
from gatewayz.doctor.report import Report
from gatewayz.errors import ConfigurationError
from gatewayz.queries.addresses import find_addresses

Seen = TypeVar("Seen")

NO_TRACE = "0" * 31 + "1"
"""A valid id that no tracer ever makes: to see whether a store answers."""

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
    """How long one look at a part of the stack may take."""
    answer_timeout_s: float = 60.0
    """How long the gateway may be silent before it answers: a model that reasons first takes its time."""
    json: bool = False


def run(options: DoctorOptions) -> int:
    """Do the checkup and print it. 0: every hop was seen to work; 1: some was not."""
    with ExitStack() as stack:
        session, provider = instrumented_session()
        stack.callback(end_instrumentation)
        stack.callback(session.close)
        checkup = _Checkup(options, Report(as_json=options.json), session, provider)
        answer = checkup.ask()
        checkup.follow(answer)
        healthy = checkup.report.finish(
            checkup.findings, answer.trace_id if answer else None, answer.request_id if answer else None
        )
    return 0 if healthy else 1


class _Checkup:
    """One request and what was found of it, hop by hop."""

    def __init__(
        self, options: DoctorOptions, report: Report, session: requests.Session, provider: TracerProvider
    ) -> None:
        self.options = options
        self.report = report
        self.findings: list[Finding] = []
        self._session = session
        self._provider = provider
        given = {
            "gateway": options.gateway,
            "collector": options.collector,
            "prometheus": options.prometheus,
            "tempo": options.tempo,
            "loki": options.loki,
        }
        addresses = find_addresses(given, options.environment, options.data_dir)
        self._gateway = self._reader("the gateway", addresses.gateway, "--gateway")
        self._collector = self._reader("the Collector", addresses.collector, "--collector")
        self._prometheus = self._reader("Prometheus", addresses.prometheus, "--prometheus")
        self._tempo = self._reader("Tempo", addresses.tempo, "--tempo")
        self._loki = self._reader("Loki", addresses.loki, "--loki")
        # Counters are read before the request: only what rises afterwards can be ours.
        self._accepted_before = _quietly(lambda: stores.accepted_spans(self._collector))
        self._counted_before = _quietly(lambda: stores.requests_counted(self._prometheus))

    def _reader(self, name: str, url: str, option: str) -> Reader:
        return Reader(Part(name, url, option), self._session, self.options.timeout_s)

    def _hop(self, name: str, check: Callable[[], str], *, until: float = 0.0) -> bool:
        with self.report.looking_at(name):
            finding = examine(name, check, until=until)
        self.findings.append(finding)
        self.report.show(finding)
        return finding.state == "ok"

    # --- The request

    def ask(self) -> Answer | None:
        """Send the request; None when it was not answered as it should be."""
        answers: list[Answer] = []

        def send() -> str:
            answers.append(self._send(key))
            return _answer_in_words(answers[0])

        if not self._hop("gateway healthy", self._see_health):
            self._hop("request answered", _unknowable("Not sent, since the gateway does not answer."))
            return None
        with ExitStack() as lease:
            try:
                key = self._key(lease)
            except ConfigurationError as error:
                reason = f"There is no key to ask with ({error}): give one with --api-key or GATEWAYZ_API_KEY."
                self._hop("request answered", _broken(reason))
                return None
            self._hop("request answered", send)
        return answers[0] if answers else None

    def _see_health(self) -> str:
        if self._gateway.bytes("/health") is None:
            raise self._gateway.not_this_part()
        return f"{self._gateway.part.url} answers"

    def _key(self, lease: ExitStack) -> str:
        """The key given, or one borrowed from the database beside us until ``lease`` ends. Raises ConfigurationError."""
        given = self.options.api_key or self.options.environment.get("GATEWAYZ_API_KEY")
        if given:
            return given
        settings = load_settings(data_dir=self.options.data_dir)
        key = lease.enter_context(throwaway_key(settings, "gatewayz doctor"))
        self.report.say("No key given: using one made for this request in the database beside us, and revoked at once.")
        return key

    def _send(self, key: str) -> Answer:
        options = self.options
        return send_probe(
            self._session,
            self._provider,
            self._gateway.part,
            api_key=key,
            model=options.model,
            stream=options.stream,
            timeout_s=options.answer_timeout_s,
        )

    # --- Its traces

    def follow(self, answer: Answer | None) -> None:
        """Look for it everywhere. Without an answer, at least say which parts of the stack are there."""
        collector, prometheus, tempo, loki = self._collector, self._prometheus, self._tempo, self._loki
        hops: tuple[tuple[str, Callable[[Answer], str], Callable[[], object]], ...] = (
            (
                "OTLP accepted",
                lambda _: stores.see_otlp_accepted(collector, self._accepted_before),
                lambda: stores.accepted_spans(collector),
            ),
            (
                "trace in Tempo",
                lambda one: stores.see_trace(tempo, one),
                lambda: stores.spans_in_tempo(tempo, NO_TRACE),
            ),
            (
                "series",
                lambda _: stores.see_series(prometheus, self._counted_before),
                lambda: stores.requests_counted(prometheus),
            ),
            (
                "exemplar",
                lambda one: stores.see_exemplar(prometheus, tempo, one),
                lambda: stores.requests_counted(prometheus),
            ),
            (
                "log line in Loki",
                lambda one: stores.see_log_line(loki, one),
                lambda: stores.log_lines(loki, NO_TRACE, time.time()),
            ),
        )
        patience_s = self.options.patience_s
        patience_ends = time.monotonic() + patience_s
        for name, see, ready in hops:
            if answer is None:
                self._hop(name, _only_ready(ready))
            else:
                last_look = time.monotonic() + min(LAST_LOOK_S, patience_s)
                self._hop(name, partial(see, answer), until=max(patience_ends, last_look))


def _answer_in_words(answer: Answer) -> str:
    whose = "our trace" if answer.ours else "a trace of the gateway's own (incoming_trace is not `continue`),"
    return f"200, request {answer.request_id}, in {whose} {answer.trace_id}"


def _quietly(look: Callable[[], Seen]) -> Seen | None:
    """None when there is nothing to see; the hop itself will say why."""
    try:
        return look()
    except (Broken, NotYet):
        return None


def _only_ready(ready: Callable[[], object]) -> Callable[[], str]:
    def check() -> str:
        ready()
        raise Unknowable("It answers, but there is no request to look for.")

    return check


def _broken(reason: str) -> Callable[[], str]:
    def check() -> str:
        raise Broken(reason)

    return check


def _unknowable(reason: str) -> Callable[[], str]:
    def check() -> str:
        raise Unknowable(reason)

    return check
