"""The doctor against a gateway and stack in miniature: it names the broken link, says what to do, and never boasts."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatewayz import doctor
from gatewayz.doctor import DoctorOptions
from tests.unit.doctor.pipeline import OWN_TRACE, Fault, Pipeline, serve

NAMES = {"jaeger": "Jaeger", "tempo": "Tempo", "victorialogs": "VictoriaLogs", "loki": "Loki"}


@dataclass(frozen=True, slots=True)
class Kinds:
    """Which stores the stack in miniature has."""

    traces: str
    logs: str


HOPS = ("gateway healthy", "request answered", "OTLP accepted", "trace", "series", "exemplar", "log line")
"""As the tests call them: without the names of the stores."""

Examine = Callable[..., "Examined"]


class Examined:
    """What a run of the doctor printed, and its exit status."""

    def __init__(self, status: int, output: str) -> None:
        self.status = status
        self.output = output
        # mark, space, hop in 24 columns, duration, sentence
        self._lines = {line[2:26].strip().partition(" in ")[0]: line for line in output.splitlines()}

    def marked(self, mark: str) -> list[str]:
        return [hop for hop in HOPS if self._lines.get(hop, "").startswith(f"{mark} ")]

    def sentence(self, hop: str) -> str:
        return self._lines[hop]


@pytest.fixture(params=[Kinds("jaeger", "victorialogs"), Kinds("tempo", "loki")], ids=lambda kinds: kinds.traces)
def kinds(request: pytest.FixtureRequest) -> Kinds:
    return request.param


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@pytest.fixture
def address(pipeline: Pipeline) -> Generator[str]:
    server = serve(pipeline)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def closed() -> str:
    """An address at which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}"


@pytest.fixture
def examine(address: str, kinds: Kinds, capsys: pytest.CaptureFixture[str]) -> Examine:
    def run(**changes: object) -> Examined:
        parts = {part: f"{address}/{part}" for part in ("gateway", "collector", "prometheus")}
        parts["traces"] = f"{kinds.traces}+{address}/{kinds.traces}"
        parts["logs"] = f"{kinds.logs}+{address}/{kinds.logs}"
        options = DoctorOptions(environment={}, **({"api_key": "gz_key", "wait_s": 0.3} | parts | changes))  # type: ignore[arg-type]
        status = doctor.run(options)
        return Examined(status, capsys.readouterr().out)

    return run


@pytest.mark.parametrize("stream", [False, True])
def test_every_hop_of_a_working_stack_is_seen_to_work(examine: Examine, pipeline: Pipeline, stream: bool) -> None:
    examined = examine(stream=stream)

    assert examined.status == 0, examined.output
    assert examined.marked("✓") == list(HOPS)
    assert pipeline.authorizations == ["Bearer gz_key"]
    assert pipeline.trace_ids[0] in examined.sentence("log line")


def test_the_stores_are_called_by_their_names(examine: Examine, kinds: Kinds) -> None:
    examined = examine()

    assert f"trace in {NAMES[kinds.traces]} " in examined.sentence("trace")
    assert f"log line in {NAMES[kinds.logs]} " in examined.sentence("log line")
    assert NAMES[kinds.traces] in examined.sentence("exemplar")


def test_output_without_a_terminal_is_plain(examine: Examine) -> None:
    assert "\x1b" not in examine().output


def test_json_has_the_same_findings(examine: Examine, pipeline: Pipeline) -> None:
    pipeline.faults.add("log store has no line")

    document = json.loads(examine(json=True).output)

    assert document["ok"] is False
    assert document["trace_id"] == pipeline.trace_ids[0]
    states = {hop["hop"].partition(" in ")[0]: hop["state"] for hop in document["hops"]}
    assert states == dict.fromkeys(HOPS, "ok") | {"log line": "failed"}


@pytest.mark.parametrize(
    ("fault", "hop", "advice"),
    [
        ("collector gets nothing", "OTLP accepted", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("collector refuses spans", "OTLP accepted", "memory_limiter"),
        ("trace store lacks the attempt", "trace", "CLIENT"),
        ("series does not rise", "series", "span_metrics"),
        ("target is down", "series", "cannot scrape gatewayz"),
        ("exemplar storage is off", "exemplar", "--enable-feature=exemplar-storage"),
        ("exemplar names a lost trace", "exemplar", "samples traces"),
        ("log store has no line", "log line", "errors of the exporter to"),
        ("log line is not JSON", "log line", "no JSON"),
        ("log store is not ready", "log line", "503"),
    ],
)
def test_a_broken_link_is_the_only_one_named_and_says_what_to_do(
    examine: Examine, pipeline: Pipeline, fault: Fault, hop: str, advice: str
) -> None:
    pipeline.faults.add(fault)

    examined = examine()

    assert examined.status == 1
    assert examined.marked("✗") == [hop], examined.output
    assert len(examined.marked("✓")) == len(HOPS) - 1
    assert advice in examined.sentence(hop)


@pytest.mark.parametrize(
    ("part", "hop"),
    [
        ("collector", "OTLP accepted"),
        ("traces", "trace"),
        ("prometheus", "series"),
        ("logs", "log line"),
    ],
)
def test_a_closed_port_is_named_with_the_option_that_corrects_it(
    examine: Examine, kinds: Kinds, closed: str, part: str, hop: str
) -> None:
    store = {"traces": f"{kinds.traces}+", "logs": f"{kinds.logs}+"}.get(part, "")

    examined = examine(**{part: store + closed})

    assert examined.status == 1
    assert hop in examined.marked("✗")
    assert closed in examined.sentence(hop)
    assert f"--{part}" in examined.sentence(hop)


def test_an_exemplar_whose_trace_cannot_be_looked_up_is_unknown(examine: Examine, kinds: Kinds, closed: str) -> None:
    examined = examine(traces=f"{kinds.traces}+{closed}")

    assert examined.marked("–") == ["exemplar"]


def test_what_is_not_the_store_of_traces_is_recognised(examine: Examine, pipeline: Pipeline, kinds: Kinds) -> None:
    pipeline.faults.add("trace store is something else")

    assert f"is not {NAMES[kinds.traces]}" in examine().sentence("trace")


@pytest.mark.parametrize(
    ("runs", "left_out"),
    [
        (("prometheus", "logs", "collector"), ["trace", "exemplar"]),
        (("prometheus", "traces", "collector"), ["log line"]),
        (("traces", "logs", "collector"), ["series", "exemplar"]),
        (("traces", "logs", "prometheus"), ["OTLP accepted"]),
    ],
)
def test_what_the_running_stack_left_out_is_reported_as_left_out(
    examine: Examine, address: str, kinds: Kinds, tmp_path: Path, runs: tuple[str, ...], left_out: list[str]
) -> None:
    all_of_them = {
        "collector": f"{address}/collector",
        "prometheus": f"{address}/prometheus",
        "traces": f"{kinds.traces}+{address}/{kinds.traces}",
        "logs": f"{kinds.logs}+{address}/{kinds.logs}",
    }
    listed = {part: all_of_them[part] for part in runs}
    stack = {"state": "running", "gateway_url": f"{address}/gateway", "addresses": listed}
    (tmp_path / "stack.json").write_text(json.dumps(stack))

    examined = examine(data_dir=tmp_path, **dict.fromkeys(("gateway", *all_of_them)))

    assert examined.status == 0, examined.output
    assert examined.marked("○") == left_out
    assert set(examined.marked("✓")) == set(HOPS) - set(left_out)
    assert "left out: " in examined.output


def test_a_gateway_that_does_not_run_leaves_nothing_to_follow(examine: Examine, closed: str) -> None:
    examined = examine(gateway=closed)

    assert examined.status == 1
    assert examined.marked("✗") == ["gateway healthy"]
    assert "gatewayz up" in examined.sentence("gateway healthy")
    assert examined.marked("–") == list(HOPS[1:])
    assert examined.marked("✓") == []


def test_another_service_on_the_gateways_port_is_recognised(examine: Examine, pipeline: Pipeline) -> None:
    pipeline.faults.add("gateway is elsewhere")

    assert "--gateway" in examine().sentence("gateway healthy")


def test_a_refused_key_is_reported_with_how_to_get_one(examine: Examine, pipeline: Pipeline) -> None:
    pipeline.faults.add("gateway refuses key")

    examined = examine()

    assert examined.status == 1
    assert examined.marked("✗") == ["request answered"]
    assert "gatewayz keys create" in examined.sentence("request answered")


def test_no_key_and_no_database_beside_us_is_one_sentence(examine: Examine, tmp_path: object) -> None:
    examined = examine(api_key=None, data_dir=tmp_path)

    assert examined.marked("✗") == ["request answered"]
    assert "--api-key" in examined.sentence("request answered")


def test_a_stream_without_its_end_is_not_an_answer(examine: Examine, pipeline: Pipeline) -> None:
    pipeline.faults.add("stream is cut")

    assert "[DONE]" in examine(stream=True).sentence("request answered")


def test_a_trace_that_the_gateway_began_itself_is_followed_and_reported(examine: Examine, pipeline: Pipeline) -> None:
    pipeline.faults.add("gateway starts its own trace")

    examined = examine()

    assert examined.status == 0
    assert OWN_TRACE in examined.sentence("trace") or OWN_TRACE in examined.sentence("request answered")
    assert "incoming_trace" in examined.sentence("request answered")


def test_an_invalid_address_is_reported(examine: Examine) -> None:
    assert "is no address" in examine(logs="loki+ftp://here").sentence("log line")


def test_an_address_without_a_store_is_reported_with_what_to_write(examine: Examine, address: str) -> None:
    examined = examine(logs=f"{address}/loki", traces=f"{address}/tempo")

    assert "loki+http://" in examined.sentence("log line")
    assert "tempo+http://" in examined.sentence("trace")
    assert examined.marked("✗") == ["trace", "log line"]
    assert examined.marked("–") == ["exemplar"]


def test_a_password_in_an_address_is_never_printed(examine: Examine, closed: str) -> None:
    secret = closed.replace("://", "://user:s3cret@")

    examined = examine(collector=secret, prometheus=secret, traces=f"jaeger+{secret}", logs=secret)

    assert "s3cret" not in examined.output
