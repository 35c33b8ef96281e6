"""The doctor against a gateway and stack in miniature: it names the broken link, says what to do, and never boasts."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Generator

import pytest

from gatewayz import doctor
from gatewayz.doctor import DoctorOptions
from tests.unit.doctor.pipeline import OWN_TRACE, Fault, Pipeline, serve

HOPS = (
    "gateway healthy",
    "request answered",
    "OTLP accepted",
    "trace in Tempo",
    "series",
    "exemplar",
    "log line in Loki",
)

Examine = Callable[..., "Examined"]


class Examined:
    """What a run of the doctor printed, and its exit status."""

    def __init__(self, status: int, output: str) -> None:
        self.status = status
        self.output = output

    def marked(self, mark: str) -> list[str]:
        return [hop for line in self.output.splitlines() for hop in HOPS if line.startswith(f"{mark} {hop} ")]

    def sentence(self, hop: str) -> str:
        return next(line for line in self.output.splitlines() if line[2:].startswith(hop + " "))


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
def examine(address: str, capsys: pytest.CaptureFixture[str]) -> Examine:
    def run(**changes: object) -> Examined:
        parts = {part: f"{address}/{part}" for part in ("gateway", "collector", "prometheus", "tempo", "loki")}
        options = DoctorOptions(environment={}, **({"api_key": "gz_key", "patience_s": 0.3} | parts | changes))  # type: ignore[arg-type]
        status = doctor.run(options)
        return Examined(status, capsys.readouterr().out)

    return run


@pytest.mark.parametrize("stream", [False, True])
def test_every_hop_of_a_working_stack_is_seen_to_work(examine: Examine, pipeline: Pipeline, stream: bool) -> None:
    examined = examine(stream=stream)

    assert examined.status == 0, examined.output
    assert examined.marked("✓") == list(HOPS)
    assert pipeline.authorizations == ["Bearer gz_key"]
    assert pipeline.trace_ids[0] in examined.sentence("log line in Loki")


def test_output_without_a_terminal_is_plain(examine: Examine) -> None:
    assert "\x1b" not in examine().output


def test_json_says_the_same(examine: Examine, pipeline: Pipeline) -> None:
    pipeline.faults.add("loki has no line")

    document = json.loads(examine(json=True).output)

    assert document["ok"] is False
    assert document["trace_id"] == pipeline.trace_ids[0]
    assert {hop["hop"]: hop["state"] for hop in document["hops"]} == dict.fromkeys(HOPS, "ok") | {
        "log line in Loki": "failed"
    }


@pytest.mark.parametrize(
    ("fault", "hop", "advice"),
    [
        ("collector gets nothing", "OTLP accepted", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("collector refuses spans", "OTLP accepted", "memory_limiter"),
        ("tempo lacks the attempt", "trace in Tempo", "CLIENT"),
        ("series does not rise", "series", "span_metrics"),
        ("target is down", "series", "cannot scrape gatewayz"),
        ("exemplar storage is off", "exemplar", "--enable-feature=exemplar-storage"),
        ("exemplar names a lost trace", "exemplar", "samples traces"),
        ("loki has no line", "log line in Loki", "otlp_http/loki"),
        ("loki line is not JSON", "log line in Loki", "no JSON"),
        ("loki is not ready", "log line in Loki", "503"),
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
        ("tempo", "trace in Tempo"),
        ("prometheus", "series"),
        ("loki", "log line in Loki"),
    ],
)
def test_a_closed_port_is_named_with_the_option_that_corrects_it(
    examine: Examine, closed: str, part: str, hop: str
) -> None:
    examined = examine(**{part: closed})

    assert examined.status == 1
    assert hop in examined.marked("✗")
    assert closed in examined.sentence(hop)
    assert f"--{part}" in examined.sentence(hop)


def test_an_exemplar_whose_trace_cannot_be_looked_up_is_not_called_good(examine: Examine, closed: str) -> None:
    examined = examine(tempo=closed)

    assert examined.marked("–") == ["exemplar"]


def test_what_is_not_tempo_is_recognised(examine: Examine, pipeline: Pipeline) -> None:
    pipeline.faults.add("tempo is something else")

    assert "is not Tempo" in examine().sentence("trace in Tempo")


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


def test_a_refused_key_says_where_to_get_one(examine: Examine, pipeline: Pipeline) -> None:
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


def test_a_trace_that_the_gateway_began_itself_is_followed_and_said_so(examine: Examine, pipeline: Pipeline) -> None:
    pipeline.faults.add("gateway starts its own trace")

    examined = examine()

    assert examined.status == 0
    assert OWN_TRACE in examined.sentence("trace in Tempo") or OWN_TRACE in examined.sentence("request answered")
    assert "incoming_trace" in examined.sentence("request answered")


def test_an_address_that_is_none_is_said_to_be_none(examine: Examine) -> None:
    assert "is no address" in examine(loki="loki://here").sentence("log line in Loki")
