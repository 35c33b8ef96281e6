"""One checkup, step by step: look at the counters, send the request, then look for it in every part of the stack."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import httpx
import requests
from opentelemetry.sdk.trace import TracerProvider

from gatewayz.accounts.keys.throwaway import throwaway_key
from gatewayz.config import load_settings
from gatewayz.doctor import links
from gatewayz.doctor.hops import Broken, Finding, Unknowable, examine
from gatewayz.doctor.parts import Parts
from gatewayz.doctor.probe import Answer, end_instrumentation, instrumented_session, send_probe
from gatewayz.doctor.report import Report
from gatewayz.errors import ConfigurationError
from gatewayz.queries.addresses import find_addresses
from gatewayz.queries.collector import ReceivedSpans
from gatewayz.queries.errors import QueryError
from gatewayz.queries.reader import new_client

Seen = TypeVar("Seen")

LAST_LOOK_S = 3.0
"""Each hop is waited for this long even when the hops before it used up the time: one scrape may be missing."""


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
    traces: str | None = None
    """Such as ``tempo+http://host:3200``."""
    logs: str | None = None
    """Such as ``loki+http://host:3100``."""
    wait_s: float = 45.0
    """How long telemetry may take: queue, flush and scrape are each a matter of seconds, a loaded laptop doubles them."""
    timeout_s: float = 10.0
    """How long one look at a part of the stack may take."""
    answer_timeout_s: float = 60.0
    """How long the gateway may be silent before it answers: a model that reasons first takes its time."""
    json: bool = False


def run(options: DoctorOptions) -> int:
    """Do the checkup and print it. 0: every hop of what runs was seen to work; 1: some was not. Not from an event loop."""
    with ExitStack() as stack:
        session, provider = instrumented_session()
        stack.callback(end_instrumentation)
        stack.callback(session.close)
        runner = stack.enter_context(asyncio.Runner())
        client = new_client()
        stack.callback(lambda: runner.run(client.aclose()))
        checkup = _Checkup(options, Report(as_json=options.json), client)
        # The request itself is sent between two runs of the loop: `requests` blocks, and so does borrowing a key.
        healthy = runner.run(checkup.look_before())
        answer = checkup.ask(session, provider) if healthy else checkup.do_not_ask()
        runner.run(checkup.follow(answer))
        all_work = checkup.report.finish(
            checkup.findings, answer.trace_id if answer else None, answer.request_id if answer else None
        )
    return 0 if all_work else 1


class _Checkup:
    """One request and what was found of it, hop by hop."""

    def __init__(self, options: DoctorOptions, report: Report, client: httpx.AsyncClient) -> None:
        self.options = options
        self.report = report
        self.findings: list[Finding] = []
        given = {
            "gateway": options.gateway,
            "collector": options.collector,
            "prometheus": options.prometheus,
            "traces": options.traces,
            "logs": options.logs,
        }
        addresses = find_addresses(given, options.environment, options.data_dir)
        self._parts = Parts(addresses, client, options.timeout_s)
        self._received_before: ReceivedSpans | None = None
        self._counted_before: float | None = None

    def _found(self, finding: Finding) -> bool:
        self.findings.append(finding)
        self.report.show(finding)
        return finding.state == "ok"

    async def _hop(self, name: str, check: Callable[[], Awaitable[str]], *, until: float = 0.0) -> bool:
        with self.report.looking_at(name):
            finding = await examine(name, check, until=until)
        return self._found(finding)

    # --- The request

    async def look_before(self) -> bool:
        """Whether the gateway is healthy; and the counters, of which only what rises afterwards can be ours."""
        parts = self._parts
        self._received_before, self._counted_before = await asyncio.gather(
            _quietly(lambda: parts.collector().received_spans()),
            _quietly(lambda: links.requests_counted(parts.prometheus())),
        )
        return await self._hop("gateway healthy", lambda: links.see_health(parts.gateway()))

    def ask(self, session: requests.Session, provider: TracerProvider) -> Answer | None:
        """Send the request; None when it was not answered as it should be."""
        hop, began = "request answered", time.monotonic()
        try:
            with self.report.looking_at(hop), ExitStack() as lease:
                answer = self._send(session, provider, self._key(lease))
        except ConfigurationError as error:
            reason = f"There is no key to ask with ({error}): give one with --api-key or GATEWAYZ_API_KEY."
            self._found(Finding(hop, "failed", time.monotonic() - began, reason))
            return None
        except (Broken, QueryError) as reason:
            self._found(Finding(hop, "failed", time.monotonic() - began, str(reason)))
            return None
        self._found(Finding(hop, "ok", time.monotonic() - began, _answer_in_words(answer)))
        return answer

    def do_not_ask(self) -> None:
        self._found(Finding("request answered", "unknown", 0.0, "Not sent, since the gateway does not answer."))

    def _key(self, lease: ExitStack) -> str:
        """The key given, or one borrowed from the database beside us until ``lease`` ends. Raises ConfigurationError."""
        given = self.options.api_key or self.options.environment.get("GATEWAYZ_API_KEY")
        if given:
            return given
        settings = load_settings(data_dir=self.options.data_dir)
        key = lease.enter_context(throwaway_key(settings, "gatewayz doctor"))
        self.report.say("No key given: using one made for this request in the database beside us, and revoked at once.")
        return key

    def _send(self, session: requests.Session, provider: TracerProvider, key: str) -> Answer:
        options = self.options
        return send_probe(
            session,
            provider,
            self._parts.gateway().part,
            api_key=key,
            model=options.model,
            stream=options.stream,
            timeout_s=options.answer_timeout_s,
        )

    # --- Its traces

    async def follow(self, answer: Answer | None) -> None:
        """Look for it everywhere. Without an answer, at least report which parts of the stack are there."""
        wait_s = self.options.wait_s
        wait_ends = time.monotonic() + wait_s
        for name, see, answers in self._hops():
            if answer is None:
                await self._hop(name, _only_answers(answers))
            else:
                last_look = time.monotonic() + min(LAST_LOOK_S, wait_s)
                await self._hop(name, partial(see, answer), until=max(wait_ends, last_look))

    def _hops(self) -> Sequence[tuple[str, Callable[[Answer], Awaitable[str]], Callable[[], Awaitable[object]]]]:
        """Each hop's name, how the request is looked for, and how it is seen that the part answers at all."""
        parts = self._parts
        return (
            (
                "OTLP accepted",
                lambda _: links.see_otlp_accepted(parts.collector(), self._received_before),
                lambda: parts.collector().received_spans(),
            ),
            (
                parts.traces_hop,
                lambda answer: links.see_trace(parts.traces(), answer),
                lambda: links.traces_answer(parts.traces()),
            ),
            (
                "series",
                lambda _: links.see_series(parts.prometheus(), self._counted_before),
                lambda: links.requests_counted(parts.prometheus()),
            ),
            (
                "exemplar",
                lambda answer: links.see_exemplar(parts.prometheus(), parts.traces, answer),
                lambda: links.requests_counted(parts.prometheus()),
            ),
            (
                parts.logs_hop,
                lambda answer: links.see_log_line(parts.logs(), answer),
                lambda: links.logs_answer(parts.logs()),
            ),
        )


def _answer_in_words(answer: Answer) -> str:
    whose = "our trace" if answer.ours else "a trace of the gateway's own (incoming_trace is not `continue`),"
    return f"200, request {answer.request_id}, in {whose} {answer.trace_id}"


async def _quietly(look: Callable[[], Awaitable[Seen]]) -> Seen | None:
    """None when there is nothing to see; the hop itself will report why."""
    try:
        return await look()
    except QueryError:
        return None


def _only_answers(answers: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[str]]:
    async def check() -> str:
        await answers()
        raise Unknowable("It answers, but there is no request to look for.")

    return check
