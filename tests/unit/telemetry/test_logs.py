"""Lines: what they hold, what they never hold, and that neither a dead Collector nor a stalled pipe can stop the gateway."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from datetime import UTC, datetime

import orjson
import pytest

from gatewayz.records import Outcome, RequestEnd, Usage
from gatewayz.telemetry import names
from gatewayz.telemetry.delivery.stdout import LineWriter
from gatewayz.telemetry.logs import Clock, JsonHandler, Lines, exception_fields
from gatewayz.telemetry.redact import redact
from tests.fakes.otlp import GrpcSink, attributes
from tests.polling import eventually
from tests.unit.telemetry.conftest import KEY, Opener, Stdout, attempt, http_request, one_request, with_totals

SECRET = "gz_" + "abc1" + "_" + "s" * 40


def test_every_request_ends_in_one_record_with_these_fields(opened: Opener, stdout: Stdout) -> None:
    telemetry = opened()
    request = telemetry.start_request(http_request())
    outcome = Outcome(200, "gpt-4o", Usage(11, 22, source="provider"))
    request.start_attempt(attempt()).end(outcome)
    request.end(with_totals(RequestEnd(200, "ok", None, 1, 2, "gpt-4o", stream=True, provider="openai"), outcome))
    telemetry.close(1)
    (line,) = stdout.lines()
    when, duration = line.pop("timestamp"), line.pop("duration_ms")
    assert isinstance(when, str)
    assert abs((datetime.now(UTC) - datetime.fromisoformat(when)).total_seconds()) < 60
    assert isinstance(duration, float)
    assert line == {
        "level": "info",
        "message": "request completed",
        "logger": "gatewayz.request",
        "trace_id": request.trace_id,
        "span_id": request.span_id,
        "request_id": "req-1",
        "method": "POST",
        "route": "/v1/chat/completions",
        "status": 200,
        "key_id": KEY.key_id,
        "customer_id": KEY.customer_id,
        "provider": "openai",
        "model": "gpt-4o",
        "stream": True,
        "input_tokens": 11,
        "output_tokens": 22,
        "tokens_used": 33,
        "attempts": 1,
        "outcome": "ok",
    }


def test_a_refused_anonymous_request_leaves_its_record_too(opened: Opener, stdout: Stdout) -> None:
    telemetry = opened()
    request = telemetry.start_request(http_request(key=None, route=None, path="/nowhere"))
    request.end(RequestEnd(401, "caller_error", "caller_unauthenticated"))
    telemetry.close(1)
    (line,) = stdout.lines()
    assert set(line) <= set(names.LOG_FIELDS)
    assert (line["status"], line["outcome"], line["error_type"]) == (401, "caller_error", "caller_unauthenticated")
    assert not {"key_id", "model", "provider", "route", "tokens_used"} & set(line)


def test_the_same_line_is_the_body_of_the_otlp_record(opened: Opener, sink: GrpcSink, stdout: Stdout) -> None:
    telemetry = opened(sink.environment)
    trace = one_request(telemetry)
    logging.getLogger("other").error("broken", extra={"part": "x"})
    telemetry.close(5)
    bodies = [orjson.loads(record.body.string_value) for record in sink.received.records]
    assert bodies == stdout.lines()
    first, second = sink.received.records
    assert first.trace_id.hex() == trace
    assert (first.severity_text, first.severity_number) == ("INFO", 9)
    assert attributes(first.attributes) == {"level": "info", "logger": "gatewayz.request"}
    assert (second.severity_text, second.severity_number) == ("ERROR", 17)
    assert first.time_unix_nano == first.observed_time_unix_nano > 0


def test_extra_fields_exceptions_and_odd_values_become_json(opened: Opener, stdout: Stdout) -> None:
    telemetry = opened()
    logger = logging.getLogger("odd")
    logger.info("plain %s", "text", extra={"number": 3, "nothing": None, "thing": object(), "list": ["a", 1]})
    logger.info("surrogate", extra={"name_": "a\ud800b", "huge": 1 << 80, "long": "x" * 10_000})
    try:
        raise KeyError("the prompt")
    except KeyError as error:
        try:
            raise RuntimeError("cannot read 'the secret prompt' from \"here\"") from error
        except RuntimeError:
            logger.exception("it failed")
    telemetry.close(1)
    plain, surrogate, failed = stdout.lines()
    assert plain["message"] == "plain text"
    assert plain["number"] == 3
    assert plain["list"] == ["a", 1]
    assert "nothing" not in plain
    assert surrogate["name_"] == "a?b"
    assert len(str(surrogate["long"])) == 2048
    exception = failed["exception"]
    assert isinstance(exception, dict)
    assert exception["type"] == "RuntimeError"
    assert exception["message"] == "cannot read … from …"
    assert exception["cause"]["type"] == "KeyError"
    assert "prompt" not in repr(failed)
    assert "test_extra_fields" in exception["stack"][0]


def test_record_that_cannot_be_written_leaves_a_line_without_its_content() -> None:
    lines: list[bytes] = []
    handler = JsonHandler(Lines(lines.append, None), logging.DEBUG)
    handler.emit(logging.LogRecord("odd", logging.INFO, "", 1, "wrong %d", ("the prompt",), None))
    (line,) = map(orjson.loads, lines)
    assert (line["level"], line["message"]) == ("error", "a log record could not be written")
    assert (line["logger"], set(line)) == ("odd", {"timestamp", "level", "message", "logger"})


def test_chain_of_exception_causes_is_cut() -> None:
    first = ValueError("a")
    second = ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert exception_fields(first)["cause"]["cause"]["cause"]["type"] == "ValueError"


@pytest.mark.parametrize(
    "text",
    [
        f"key {SECRET} was used",
        "Authorization: Bearer " + "t" * 30,
        "headers {'authorization': 'Bearer " + "t" * 30 + "'}",
        "[(b'authorization', b'Basic " + "t" * 30 + "')]",
        'x-api-key: "' + "t" * 30 + '"',
        "sk-proj-" + "t" * 40,
        "gsk_" + "t" * 40,
        "sk-ant-api03-" + "t" * 40,
        "AIza" + "t" * 35,
    ],
)
def test_what_is_shaped_like_a_secret_is_masked_in_any_line(opened: Opener, stdout: Stdout, text: str) -> None:
    telemetry = opened()
    logging.getLogger("leaky").warning(text)
    logging.getLogger("leaky").warning("as a field", extra={"value": text, "nested": {"deep": [text]}})
    telemetry.close(1)
    lines = repr(stdout.lines())
    assert "tttttttt" not in lines
    assert "ssssssss" not in lines
    assert "[redacted]" in lines


def test_masking_twice_changes_nothing() -> None:
    once = redact(f"Authorization: Bearer {'t' * 30}, api_key={'t' * 20}; gz_ab_{'t' * 30} Bearer {'t' * 20}")
    assert "tttt" not in once
    assert redact(once) == once


def test_lines_without_secrets_stay_as_they_are(opened: Opener, stdout: Stdout) -> None:
    telemetry = opened()
    texts = [
        "ask-me-anything is a task-list",
        "gatewayz_http_requests_total",
        "the bearer of news",
        "apikeys are counted",
    ]
    for text in texts:
        logging.getLogger("fine").warning(text)
    telemetry.close(1)
    assert [line["message"] for line in stdout.lines()] == texts


def test_levels_below_the_setting_are_not_written(opened: Opener, stdout: Stdout) -> None:
    telemetry = opened(log_level="WARNING")
    logging.getLogger("x").info("no")
    logging.getLogger("x").warning("yes")
    logging.getLogger("x").log(35, "made up")
    telemetry.close(1)
    assert [(line["message"], line["level"]) for line in stdout.lines()] == [("yes", "warning"), ("made up", "warning")]


def test_uvicorn_logs_json_and_its_access_log_is_off(opened: Opener, stdout: Stdout) -> None:
    uvicorn, access = logging.getLogger("uvicorn.error"), logging.getLogger("uvicorn.access")
    own = logging.NullHandler()
    uvicorn.addHandler(own)
    telemetry = opened()
    uvicorn.info("Started server process", extra={"color_message": "\x1b[36m"})
    access.info("GET / 200")
    telemetry.close(1)
    (line,) = stdout.lines()
    assert (line["message"], line["logger"]) == ("Started server process", "uvicorn.error")
    assert "color_message" not in line
    assert uvicorn.handlers == [own]
    assert not access.disabled
    uvicorn.removeHandler(own)


def test_log_lines_of_exporter_libraries_never_enter_the_export_queue(
    opened: Opener, sink: GrpcSink, stdout: Stdout
) -> None:
    telemetry = opened(sink.environment)
    for name in (
        "opentelemetry.sdk",
        "grpc._channel",
        "urllib3.connectionpool",
        "gatewayz.telemetry.delivery.exporter",
        "mine",
    ):
        logging.getLogger(name).warning("hello")
    telemetry.close(5)
    assert [attributes(record.attributes)["logger"] for record in sink.received.records] == ["mine"]
    assert len(stdout.lines()) == 5


def test_a_dead_collector_is_reported_on_stdout_only(opened: Opener, stdout: Stdout) -> None:
    sink = GrpcSink(start=False)
    telemetry = opened(sink.environment, log_level="DEBUG")
    logging.getLogger("mine").warning("one")
    time.sleep(0.7)  # time for some failed exports of all three signals
    telemetry.close(0.3)
    lines = stdout.lines()
    accounts = {account.signal: account for account in telemetry.accounts()}
    assert accounts["logs"].emitted == 1
    complaints = [line for line in lines if str(line["logger"]).startswith("gatewayz.telemetry")]
    assert 1 <= len(complaints) <= 3  # each signal once a minute
    assert all("unavailable" in str(line["message"]) for line in complaints)


def test_a_stalled_reader_of_stdout_never_blocks_and_what_is_lost_is_counted() -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    lines = LineWriter(writer, capacity_bytes=100_000)
    lines.start()
    before = time.monotonic()
    for number in range(5000):
        lines.put(b'{"n":%06d,"x":"%s"}' % (number, b"x" * 50))
    assert time.monotonic() - before < 5
    lines.flush_until(time.monotonic() + 0.2)
    lines.close()
    account = lines.account()
    assert account.emitted == 5000
    assert account.queued == 0
    assert set(account.dropped) == {"overflow", "shutdown"}
    assert account.delivered + sum(account.dropped.values()) == 5000
    os.close(reader)  # lets the writing thread go
    os.close(writer)


def test_lines_of_two_workers_do_not_run_into_each_other(opened: Opener) -> None:
    reader, writer = os.pipe()
    writers = [LineWriter(writer, 50_000_000) for _ in range(3)]
    read: list[bytes] = []

    def drain() -> None:
        while piece := os.read(reader, 1 << 16):
            read.append(piece)

    draining = threading.Thread(target=drain)
    draining.start()
    for one in writers:
        one.start()
    for number in range(2000):
        for worker, one in enumerate(writers):
            one.put(b'{"worker":%d,"number":%d,"pad":"%s"}' % (worker, number, b"p" * (number % 700)))
    for one in writers:
        one.flush_until(time.monotonic() + 10)
        one.close()
    os.close(writer)
    draining.join()
    os.close(reader)
    seen = [orjson.loads(line) for line in b"".join(read).splitlines()]
    for worker in range(3):
        assert [line["number"] for line in seen if line["worker"] == worker] == list(range(2000))


def test_lines_to_a_closed_stdout_are_counted_as_dropped() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    lines = LineWriter(writer, 1_000_000)
    lines.start()
    lines.put(b"{}")
    eventually(lambda: lines.account().dropped == {"broken_pipe": 1}, deadline_s=10)
    lines.flush_until(time.monotonic() + 1)
    lines.close()
    os.close(writer)


def test_the_clock_writes_rfc_3339_in_utc() -> None:
    clock = Clock()
    assert clock.rfc3339(0) == "1970-01-01T00:00:00.000000Z"
    assert clock.rfc3339(1_767_225_599_123_456_789) == "2025-12-31T23:59:59.123456Z"
    assert clock.rfc3339(1_767_225_600_000_001_000) == "2026-01-01T00:00:00.000001Z"
