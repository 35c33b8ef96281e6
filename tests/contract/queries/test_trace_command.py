"""`gatewayz trace` prints the same of a trace, whichever stores keep it and its lines."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatewayz import trace
from gatewayz.queries.jaeger import Jaeger
from gatewayz.queries.loki import Loki
from gatewayz.trace import TraceOptions
from tests.contract.queries.conftest import LogStore, TraceStore
from tests.contract.queries.samples import ODD_TEXT

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True, slots=True)
class Printed:
    status: int
    out: str
    err: str

    def line(self, start: str) -> str:
        """The line with this text, from there on."""
        found = next(line for line in self.out.splitlines() if start in line)
        return found[found.index(start) :]


Show = Callable[..., Awaitable[Printed]]


@pytest.fixture(
    params=[
        ("recorded_tempo", "recorded_loki"),
        pytest.param(("live_jaeger", "live_victoria_logs"), marks=pytest.mark.stack),
        pytest.param(("live_tempo", "live_loki"), marks=pytest.mark.stack),
    ],
    ids="+".join,
)
def stores(request: pytest.FixtureRequest) -> tuple[TraceStore, LogStore]:
    traces, logs = request.param
    return request.getfixturevalue(traces), request.getfixturevalue(logs)


@pytest.fixture
def show(stores: tuple[TraceStore, LogStore], capsys: pytest.CaptureFixture[str]) -> Show:
    """Runs the command; its options beside the stores are given as keywords."""
    traces, logs = stores
    scheme = "jaeger" if isinstance(traces.traces, Jaeger) else "tempo"
    kind = "loki" if isinstance(logs.logs, Loki) else "victorialogs"
    environment = {
        "GATEWAYZ_TRACES_URL": f"{scheme}+{traces.traces.part.url}",
        "GATEWAYZ_LOGS_URL": f"{kind}+{logs.logs.part.url}",
    }

    async def run(wanted: str, **options: object) -> Printed:
        given = {"environment": environment, "data_dir": Path("/nowhere"), "wait_s": 0.0, "within_s": 7e9} | options
        status = await asyncio.to_thread(trace.run, TraceOptions(wanted, **given))  # type: ignore[arg-type]
        out, err = capsys.readouterr()
        return Printed(status, out, err)

    return run


def closed() -> str:
    """An address at which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}"


async def test_a_trace_is_a_tree_with_times(show: Show, stores: tuple[TraceStore, LogStore]) -> None:
    samples = stores[0].samples

    printed = await show(samples.trace_id("three levels"))

    assert printed.status == 0, printed.err
    assert printed.out.startswith(
        f"Trace {samples.trace_id('three levels')} · in {stores[0].traces.part.name} · 3 spans · 1.50 s"
    )
    assert printed.line("POST /v1").split()[2:6] == ["server", "0", "1.50", "s"]
    assert printed.line("└─ chat fast").split()[3:8] == ["client", "100", "ms", "1.20", "s"]
    assert printed.line("   └─ read <stream>").split()[3:8] == ["internal", "200", "ms", "1.00", "s"]
    assert "· +2.00 ms exception" in printed.out
    assert f"linked to trace {'c' * 32}" in printed.out
    assert "exception.message" not in printed.out


async def test_its_log_lines_are_under_it(show: Show, stores: tuple[TraceStore, LogStore]) -> None:
    printed = await show(stores[0].samples.trace_id("three levels"))

    tree, _, lines = printed.out.partition(f"2 log lines in {stores[1].logs.part.name}\n")
    assert "chat fast" in tree
    opened, completed = lines.splitlines()
    assert opened.split() == ["1.00", "s", "debug", "stream", "opened"]
    assert completed.split() == ["2.00", "s", "info", "request", "completed", "status=200", "provider=openai"]


async def test_attributes_are_shown_on_demand_and_stay_text(show: Show, stores: tuple[TraceStore, LogStore]) -> None:
    printed = await show(stores[0].samples.trace_id("three levels"), attributes=True)

    assert 'odd = "Grüße, 世界 😀' in printed.out
    assert r"[red]rich[/red] \u001b[31m \t\n end" in printed.line("odd = ")
    assert 'gen_ai.response.finish_reasons = ["stop", "le\\"ngth"]' in printed.out
    assert "http.response.status_code = 200" in printed.out
    assert 'resource service.name = "' in printed.out
    assert "exception.escaped = true" in printed.out
    assert "stream=true" in printed.out
    assert "\x1b" not in printed.out


async def test_what_failed_says_so(show: Show, stores: tuple[TraceStore, LogStore]) -> None:
    printed = await show(stores[0].samples.trace_id("failed"))

    assert "error: provider failed: Grüße" in printed.line("POST /v1")
    assert printed.line("└─ chat fast").rstrip().endswith("error")
    assert "\x1b" not in printed.out


async def test_a_missing_parent_is_mentioned(show: Show, stores: tuple[TraceStore, LogStore]) -> None:
    printed = await show(stores[0].samples.trace_id("orphan"))

    assert f"under {'9' * 16}, which is not here" in printed.line("POST /v1/embeddings")
    assert f"{stores[1].logs.part.name} has no log line of this trace." in printed.out


async def test_headers_of_an_answer_name_it_too(show: Show, stores: tuple[TraceStore, LogStore]) -> None:
    samples = stores[0].samples
    trace_id = samples.trace_id("three levels")
    request_id = samples.traces["three levels"][0].attributes["gatewayz.request.id"]
    headers = (
        f"00-{trace_id}-{'a' * 16}-01",
        f"traceresponse: 00-{trace_id}-{'a' * 16}-01",
        trace_id.upper(),
        str(request_id),
        f"x-request-id: {request_id}",
    )

    for header in headers:
        printed = await show(header)
        assert printed.out.startswith(f"Trace {trace_id} "), header


@pytest.mark.parametrize("wanted", ["", "abc", "0" * 32, "req_", "f" * 31, "00-abc-def-01"])
async def test_what_names_no_trace_is_told_what_does(show: Show, wanted: str) -> None:
    printed = await show(wanted)

    assert (printed.status, printed.out) == (1, "")
    assert "names no trace" in printed.err
    assert "x-request-id" in printed.err


async def test_a_trace_that_is_not_there_says_what_may_be_the_reason(
    show: Show, stores: tuple[TraceStore, LogStore]
) -> None:
    printed = await show("0" * 31 + "1")

    assert (printed.status, printed.out) == (1, "")
    assert f"{stores[0].traces.part.name} at http://" in printed.err
    assert f"has no trace {'0' * 31}1" in printed.err


async def test_a_store_that_is_away_is_named(show: Show) -> None:
    url = closed()

    printed = await show("ab" * 16, traces=f"tempo+{url}")

    assert (printed.status, printed.out) == (1, "")
    assert f"Nothing listens at {url}: start Tempo" in printed.err
    assert "--traces" in printed.err


async def test_a_trace_is_shown_though_its_lines_cannot_be(show: Show, stores: tuple[TraceStore, LogStore]) -> None:
    printed = await show(stores[0].samples.trace_id("three levels"), logs=f"loki+{closed()}")

    assert printed.status == 0
    assert "chat fast" in printed.out
    assert "Log lines: Nothing listens at" in printed.out


async def test_what_the_running_stack_left_out_is_said(show: Show, tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"state": "running", "addresses": {}}')

    printed = await show("ab" * 16, environment={}, data_dir=tmp_path)

    assert printed.status == 1
    assert "has no store of traces" in printed.err


async def test_json_has_everything(show: Show, stores: tuple[TraceStore, LogStore]) -> None:
    samples = stores[0].samples

    printed = await show(samples.trace_id("failed"), json=True)

    document = json.loads(printed.out)
    assert printed.status == 0
    assert [span["name"] for span in document["spans"]] == ["POST /v1/chat/completions", "chat fast"]
    assert document["spans"][0]["attributes"]['odd "name" <é>'] == ODD_TEXT
    assert document["spans"][0]["duration_ns"] == document["duration_ns"] == 250_000_000
    assert [line["message"] for line in document["log_lines"]] == ["provider call failed", "request completed"]
    assert document["log_trouble"] is None


async def test_json_says_what_is_wrong(show: Show) -> None:
    printed = await show("abc", json=True)

    assert printed.status == 1
    assert "names no trace" in json.loads(printed.out)["error"]


async def test_a_terminal_without_unicode_gets_none(
    show: Show, stores: tuple[TraceStore, LogStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))

    printed = await show(stores[0].samples.trace_id("failed"), attributes=True)

    assert printed.status == 0
    assert b"`- chat fast" in written.getvalue()
    assert rb"Gr\xfc\xdfe" in written.getvalue()
