"""Bytes that are no HTTP request, and connections that only begin one."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Generator

import pytest

from tests.contract.hostile import HEADER_TIMEOUT_S, Rig, chat, ends, rig
from tests.fakes.clients import get, http_client
from tests.raw_http import read_reply

LONG = "x" * 40_000


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rig]:
    with rig(tmp_path_factory.mktemp("hostile")) as one:
        yield one
        assert one.has_no_traceback()


@pytest.fixture
def many_files() -> Generator[None]:
    """Lets this process hold some thousand connections, whatever its shell thought enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


BODY = chat()
LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

MALFORMED: dict[str, tuple[list[str], bytes]] = {
    "length and chunked": ([LENGTH, CHUNKED], CHUNKS),
    "chunked and length": ([CHUNKED, LENGTH], CHUNKS),
    "two equal lengths": ([LENGTH, LENGTH], BODY),
    "two lengths": ([LENGTH, "Content-Length: 1"], BODY),
    "a list of lengths": ([f"{LENGTH}, {len(BODY)}"], BODY),
    "a signed length": ([f"Content-Length: +{len(BODY)}"], BODY),
    "a huge length": (["Content-Length: 99999999999999999999999"], BODY),
    "gzip, chunked": (["Transfer-Encoding: gzip, chunked"], CHUNKS),
    "chunked twice": ([CHUNKED, CHUNKED], CHUNKS),
    "not quite chunked": (["Transfer-Encoding: xchunked"], CHUNKS),
    "NUL in a value": ([LENGTH, "X-A: a\0b"], BODY),
    "NUL in a name": ([LENGTH, "X-A\0: b"], BODY),
    "a folded line": ([LENGTH, "X-A: a\r\n b"], BODY),
    "a bare carriage return": ([LENGTH, "X-A: a\rX-B: b"], BODY),
    "a bare line feed": ([LENGTH, "X-A: a\nX-B: b"], BODY),
    "a space before the colon": ([LENGTH, "X-A : b"], BODY),
    "no name": ([LENGTH, ": b"], BODY),
    "an underscore": ([f"Content_Length: {len(BODY)}", LENGTH], BODY),
    "another underscore": ([LENGTH, "x_api_key: gz_x"], BODY),
    "a second host": ([LENGTH, "Host: other"], BODY),
}
BAD_CHUNKS = {
    "no hexadecimal": b"zz\r\nabc\r\n0\r\n\r\n",
    "a negative size": b"-1\r\nabc\r\n0\r\n\r\n",
    "a huge size": b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "longer than its size": b"3\r\nabcd\r\n0\r\n\r\n",
    "bare line feeds": b"3\nabc\n0\n\n",
    "an endless extension": b"3;" + b"x" * 200_000,
    "an endless trailer": b"3\r\nabc\r\n0\r\nx: " + b"x" * 300_000,
}


def refused(hostile: Rig, data: bytes, *, status: int = 400, reason: str = "malformed") -> None:
    asked, counted = len(hostile.fake.requests), hostile.closed(reason)
    answer = hostile.exchange(data)
    assert answer.status == status
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"] == "application/json"
    assert answer.error["type"] == "invalid_request_error"
    assert answer.error["message"]
    assert len(hostile.fake.requests) == asked
    assert hostile.closed(reason) == counted + 1
    span = hostile.span_of(answer.headers["x-request-id"])
    assert (span["http.response.status_code"], span["gatewayz.attempts"]) == (status, 0)
    assert span["error.type"] == ("caller_payload_too_large" if status == 431 else "caller_invalid_request")


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_request_is_refused_and_reaches_no_provider(hostile: Rig, what: str) -> None:
    lines, body = MALFORMED[what]
    refused(hostile, hostile.head(*lines) + body)
    hostile.is_well()


@pytest.mark.parametrize("host", ["a/b", "a?b", "a#b", "a b", "a@b", "a\\b", "", "a:b", "é", "a,b c"])
def test_malformed_host_is_refused(hostile: Rig, host: str) -> None:
    refused(hostile, hostile.head(LENGTH, host=f"Host: {host}") + BODY)


def test_missing_host_is_refused(hostile: Rig) -> None:
    refused(hostile, hostile.head(LENGTH, host=None) + BODY)
    hostile.is_well()


@pytest.mark.parametrize(
    "first",
    [
        b"GET /v1/models#x HTTP/1.1",
        b"GET /v1/\xc3\xa9 HTTP/1.1",
        b"GET /a\0b HTTP/1.1",
        b"GET /a b HTTP/1.1",
        b"get / HTTP/1.1",
        b"GET / HTTP/1.2",
        b"CONNECT a:80 HTTP/1.1",
        b"CONNECT /v1/models HTTP/1.1",
        b"\x16\x03\x01",
    ],
)
def test_malformed_request_line_is_refused(hostile: Rig, first: bytes) -> None:
    refused(hostile, first + b"\r\nHost: a\r\n\r\n")


@pytest.mark.parametrize("what", BAD_CHUNKS)
@pytest.mark.parametrize("together", [True, False])
def test_body_with_broken_chunks_is_answered_and_recorded(hostile: Rig, what: str, together: bool) -> None:
    asked = len(hostile.fake.requests)
    with hostile.connect() as connection:
        head = hostile.head(CHUNKED)
        if together:
            connection.sendall(head + BAD_CHUNKS[what])
        else:
            connection.sendall(head + b"1\r\n{\r\n")
            connection.sendall(BAD_CHUNKS[what])
        answer = read_reply(connection)
        assert ends(connection)
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert answer.error["code"] == "malformed_request"
    span = hostile.span_of(answer.headers["x-request-id"])
    assert (span["error.type"], span["http.response.status_code"]) == ("caller_invalid_request", 400)
    assert len(hostile.fake.requests) == asked
    hostile.is_well()


@pytest.mark.parametrize(
    ("data", "hint"),
    [(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", "http://"), (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1")],
)
def test_request_in_another_protocol_is_told_so(hostile: Rig, data: bytes, hint: str) -> None:
    answer = hostile.exchange(data)
    assert (answer.status, answer.error["code"]) == (400, "malformed_request")
    assert hint in answer.error["message"]


def test_trailers_do_not_become_headers(hostile: Rig) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + CHUNKED.encode() + b"\r\n\r\n"
    late_key = b"Authorization: Bearer " + hostile.gateway.api_key.encode()
    answer = hostile.exchange(head + CHUNKS[:-2] + late_key + b"\r\n\r\n")
    assert answer.status == 401


@pytest.mark.parametrize(
    "lines",
    [
        [f"X-{n}: 1" for n in range(1000)],
        ["X: " + "x" * 65_536],
        [f"{'X' * 40_000}: 1"],
        [f"X-{n}: {LONG[:5000]}" for n in range(9)],
    ],
    ids=["many", "a long value", "a long name", "many long ones"],
)
def test_too_large_headers_are_refused(hostile: Rig, lines: list[str]) -> None:
    refused(hostile, hostile.head(LENGTH, *lines) + BODY, status=431, reason="headers_too_large")
    hostile.is_well()


def test_too_long_request_line_is_refused(hostile: Rig) -> None:
    refused(hostile, hostile.head(LENGTH, path=f"/v1/{LONG}") + BODY, status=431, reason="headers_too_large")


def test_endless_header_is_cut_off(hostile: Rig) -> None:
    with hostile.connect() as connection:
        connection.sendall(hostile.head()[:-2] + b"X: " + b"x" * 40_000)
        answer = read_reply(connection)
        assert ends(connection)
    assert (answer.status, answer.error["code"]) == (431, "headers_too_large")


def test_hundred_headers_of_32_kb_are_served(hostile: Rig) -> None:
    lines = [f"X-{n}: {'x' * 300}" for n in range(95)]
    answer = hostile.exchange(hostile.head(LENGTH, "Connection: close", *lines) + BODY)
    assert answer.status == 200


def test_odd_trace_headers_are_ignored(hostile: Rig) -> None:
    for headers in ({"baggage": "a=" + "b" * 8192}, {"traceparent": "00-zz-zz-zz"}, {"traceparent": "x" * 5000}):
        assert hostile.post(BODY, **headers).status_code == 200


def test_error_before_routing_is_in_anthropics_shape_on_its_path(hostile: Rig) -> None:
    answer = hostile.exchange(hostile.head(LENGTH, "a_b: c", path="/v1/messages") + BODY)
    assert answer.status == 400
    assert json.loads(answer.body)["type"] == "error"
    assert answer.error["type"] == "invalid_request_error"


def test_codex_session_header_is_accepted(hostile: Rig) -> None:
    answer = hostile.exchange(hostile.head(LENGTH, "session_id: x", "conversation_id: y", "Connection: close") + BODY)
    assert answer.status == 200


@pytest.mark.parametrize("options", ["Upgrade, HTTP2-Settings", "close, Upgrade, HTTP2-Settings"])
def test_offer_to_upgrade_to_http_2_is_answered_in_http_1(hostile: Rig, options: str) -> None:
    head = hostile.head(LENGTH, f"Connection: {options}", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    with hostile.connect() as connection:
        connection.sendall(head + BODY[:5])
        connection.sendall(BODY[5:])
        assert read_reply(connection).status == 200
        if options.startswith("Upgrade"):
            connection.sendall(hostile.head(LENGTH) + BODY)
            assert read_reply(connection).status == 200


def test_thousand_unfinished_heads_are_closed_in_time(hostile: Rig, many_files: None) -> None:
    connections = [hostile.connect() for _ in range(1000)]
    try:
        began = time.monotonic()
        for number, connection in enumerate(connections):
            connection.sendall(hostile.head()[: 1 + number % 40])
        hostile.is_well()  # while they are held open
        answers = [read_reply(connection) for connection in connections]
        assert {answer.status for answer in answers} == {408}
        assert {answer.error["code"] for answer in answers} == {"request_timeout"}
        assert all(ends(connection) for connection in connections)
        assert time.monotonic() - began >= HEADER_TIMEOUT_S * 0.9
    finally:
        for connection in connections:
            connection.close()
    assert hostile.closed("headers_late") >= 1000
    hostile.is_well()


def test_dripping_head_is_closed_in_time(hostile: Rig) -> None:
    with hostile.connect() as connection:
        connection.settimeout(0.05)
        began = time.monotonic()
        data = hostile.head(*[f"X-{n}: 1" for n in range(50)])
        answer = b""
        for byte in data:
            connection.send(bytes([byte]))
            try:
                answer = connection.recv(65_536)
                break
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 20


def test_silent_connection_is_closed_without_an_answer(hostile: Rig) -> None:
    before = hostile.closed("silent")
    with hostile.connect() as connection:
        assert connection.recv(1) == b""
    assert hostile.closed("silent") >= before + 1


def test_line_feeds_between_requests_do_not_extend_the_timeout(hostile: Rig) -> None:
    with hostile.connect() as connection:
        connection.sendall(hostile.head(LENGTH) + BODY)
        assert read_reply(connection).status == 200
        connection.sendall(b"\r\n")
        assert read_reply(connection).status == 408


def test_idle_connection_lives_as_long_as_keep_alive(hostile: Rig) -> None:
    with http_client() as client:
        assert client.get(f"{hostile.gateway.url}/health/live").status_code == 200
        time.sleep(HEADER_TIMEOUT_S * 1.5)  # what is tested is that nothing happens
        assert client.get(f"{hostile.gateway.url}/health/live").status_code == 200


def test_pipelined_requests_are_answered_in_order(hostile: Rig) -> None:
    models = [f"openai/ok-{n}-tokens" for n in (3, 7, 5)]
    bodies = [chat(model, stream=n == 1) for n, model in enumerate(models)]
    data = b"".join(hostile.head(f"Content-Length: {len(body)}") + body for body in bodies)
    with hostile.connect() as connection:
        connection.sendall(data + b"nonsense\r\n\r\n")
        with connection.makefile("rb") as reader:
            text = reader.read()
    assert text.count(b"HTTP/1.1 200 OK") == 3
    assert text.count(b"HTTP/1.1 ") == 4
    assert text.rindex(b"HTTP/1.1 400 ") > text.rindex(b"HTTP/1.1 200 OK")
    assert text.index(b"[DONE]") < text.rindex(b"HTTP/1.1 200 OK")
    hostile.is_well()


def test_expect_100_continue_is_answered(hostile: Rig) -> None:
    with hostile.connect() as connection:
        connection.sendall(hostile.head(LENGTH, "Expect: 100-continue"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert read_reply(connection).status == 200
    with hostile.connect() as connection:
        connection.sendall(hostile.head("Content-Length: 99999999", "Expect: 100-continue"))
        assert read_reply(connection).status == 413
        assert ends(connection)


def test_control_plane_has_the_same_http_limits(hostile: Rig) -> None:
    refused(hostile, b"GET /health HTTP/1.1\r\nHost: a/b\r\n\r\n")
    long = b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 65_536 + b"\r\n\r\n"
    refused(hostile, long, status=431, reason="headers_too_large")
    assert get(f"{hostile.gateway.url}/openapi.json").status_code == 200
    assert get(f"{hostile.gateway.url}/health").status_code == 200
