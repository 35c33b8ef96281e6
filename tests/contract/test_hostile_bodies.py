"""Bodies that are too large, too slow, too deep, wrong or odd; and callers that do not read their answers."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.campaigns import sizes
from tests.contract.hostile import BODY_TIMEOUT_S, MAX_BODY_BYTES, Rig, chat, ends, rig
from tests.fakes.clients import get, http_client
from tests.polling import eventually
from tests.raw_http import read_reply

ENDPOINTS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hello"}]},
    "/v1/completions": {"prompt": "Hello"},
    "/v1/embeddings": {"input": "Hello"},
    "/v1/responses": {"input": "Hello"},
    "/v1/messages": {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 9},
    "/v1/messages/count_tokens": {"messages": [{"role": "user", "content": "Hello"}]},
}
OVERSHOOT_BYTES = 65_536


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rig]:
    with rig(tmp_path_factory.mktemp("hostile")) as one:
        yield one
        assert one.has_no_traceback()


def refused(hostile: Rig, answer: httpx.Response, status: int, error_type: str) -> dict[str, Any]:
    """It failed in the wire's own shape, and its one span says why; the error."""
    assert answer.status_code == status, answer.text
    span = hostile.span_of(answer.headers["x-request-id"])
    assert span["error.type"] == error_type
    assert span["http.response.status_code"] == status
    assert span["gatewayz.attempts"] == 0
    body = answer.json()
    if answer.request.url.path.startswith("/v1/messages"):
        assert body["type"] == "error"
    else:
        assert set(body["error"]) == {"message", "type", "param", "code"}
    return body["error"]


def test_body_that_declares_too_much_is_refused_unread(hostile: Rig) -> None:
    asked = len(hostile.fake.requests)
    with hostile.connect() as connection:
        connection.sendall(hostile.head(f"Content-Length: {MAX_BODY_BYTES + 1}"))
        answer = read_reply(connection)
        assert (answer.status, answer.error["code"], answer.headers["connection"]) == (
            413,
            "payload_too_large",
            "close",
        )
        assert ends(connection)
    assert hostile.span_of(answer.headers["x-request-id"])["error.type"] == "caller_payload_too_large"
    assert len(hostile.fake.requests) == asked
    hostile.is_well()


def test_chunked_body_is_read_to_the_limit(hostile: Rig) -> None:
    piece = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    sent = 0
    with hostile.connect() as connection:
        connection.sendall(hostile.head("Transfer-Encoding: chunked"))
        connection.setblocking(False)
        answered = False
        deadline = time.monotonic() + 30
        while not answered and time.monotonic() < deadline:
            # One piece at a time, and only when the last one has been taken: what is under way does not count.
            connection.setblocking(True)
            connection.sendall(piece)
            sent += 0x1000
            connection.settimeout(0.005)
            try:
                answered = bool(connection.recv(1, socket.MSG_PEEK))
            except TimeoutError:
                continue
        assert MAX_BODY_BYTES < sent <= MAX_BODY_BYTES + OVERSHOOT_BYTES
        connection.settimeout(30)
        assert read_reply(connection).status == 413
        assert ends(connection)
    hostile.is_well()


def test_caller_that_sends_too_much_before_reading_still_gets_its_answer(hostile: Rig) -> None:
    answer = hostile.post(chat(x="x" * (MAX_BODY_BYTES + 50_000)))
    refused(hostile, answer, 413, "caller_payload_too_large")


def test_caller_that_never_stops_sending_is_cut_off(hostile: Rig) -> None:
    with hostile.connect() as connection:
        connection.sendall(hostile.head("Content-Length: 999999999"))
        with pytest.raises(OSError):  # noqa: PT011 - which of its kinds is the kernel's choice
            connection.sendall(b"x" * 500_000_000)
    hostile.is_well()


def test_refused_key_does_not_cost_the_connection(hostile: Rig) -> None:
    body = chat()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with hostile.connect() as connection:
        connection.sendall(head)
        assert read_reply(connection).status == 401  # before the body is here
        connection.sendall(body + hostile.head(f"Content-Length: {len(body)}") + body)
        assert read_reply(connection).status == 200


@pytest.mark.parametrize("coding", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
def test_dripping_bodies_are_closed_in_time(hostile: Rig, coding: str) -> None:
    connections = [hostile.connect() for _ in range(100)]
    try:
        for connection in connections:
            connection.sendall(hostile.head(coding) + (b"1\r\n{\r\n" if "chunked" in coding else b"{"))
        hostile.is_well()
        answers = [read_reply(connection) for connection in connections]
        assert {answer.status for answer in answers} == {408}
        assert {answer.headers["connection"] for answer in answers} == {"close"}
        assert all(ends(connection) for connection in connections)
    finally:
        for connection in connections:
            connection.close()
    span = hostile.span_of(answers[0].headers["x-request-id"])
    assert span["http.response.status_code"] == 408
    assert BODY_TIMEOUT_S < 30
    hostile.is_well()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\xef\xbb\xbf" + chat(),
        chat()[:-1] + b',"temperature":NaN}',
        chat()[:-1] + b',"temperature":Infinity}',
        chat()[:-1] + b',"model":"openai/other"}',
        chat()[:-1] + b',"user":"\\ud800"}',
        chat()[:-1] + b',"user":"\xff"}',
        chat() + b"x",
        chat().decode().encode("utf-16"),
    ],
)
@pytest.mark.parametrize("path", ENDPOINTS)
def test_body_that_is_not_strict_json_is_refused(hostile: Rig, path: str, body: bytes) -> None:
    asked = len(hostile.fake.requests)
    error = refused(hostile, hostile.post(body, path), 400, "caller_invalid_request")
    assert error["type"] == "invalid_request_error"
    assert len(hostile.fake.requests) == asked


@pytest.mark.parametrize("path", ENDPOINTS)
def test_wrong_type_in_a_known_member_is_refused(hostile: Rig, path: str) -> None:
    good: dict[str, Any] = {"model": "openai/ok-3-tokens", **ENDPOINTS[path]}
    more: dict[str, Any] = (
        {"max_tokens": [], "temperature": {}, "stream": "yes"} if "embed" not in path and "count" not in path else {}
    )
    if path == "/v1/responses":
        more["max_output_tokens"] = more.pop("max_tokens")
    wrong: dict[str, list[Any]] = {"model": [1, None, ["x"], {}, ""], **{name: [value] for name, value in more.items()}}
    asked = len(hostile.fake.requests)
    for name, values in wrong.items():
        for value in values:
            answer = hostile.post(json.dumps({**good, name: value}).encode(), path)
            error = refused(hostile, answer, 400, "caller_invalid_request")
            assert error["type"] == "invalid_request_error"
    assert len(hostile.fake.requests) == asked
    hostile.is_well()


@pytest.mark.parametrize("levels", [65, 100_000])
@pytest.mark.parametrize("path", ENDPOINTS)
def test_too_deeply_nested_body_is_refused(hostile: Rig, path: str, levels: int) -> None:
    asked = len(hostile.fake.requests)
    good = json.dumps({"model": "openai/ok-3-tokens", **ENDPOINTS[path]}).encode()
    deep = good[:-1] + b',"x":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"
    error = refused(hostile, hostile.post(deep[: MAX_BODY_BYTES - 1], path), 400, "caller_invalid_request")
    assert "nested" in error["message"]
    assert error["type"] == "invalid_request_error"
    assert len(hostile.fake.requests) == asked


def test_sixty_four_levels_and_any_text_pass(hostile: Rig) -> None:
    deep = chat(metadata={"a": "[" * 500 + '"' + "{" * 500})[:-1] + b',"x":' + b"[" * 63 + b"]" * 63 + b"}"
    assert hostile.post(deep).status_code == 200
    assert hostile.fake.requests[-1].body.count(b"[") > 500


BOMB = gzip.compress(b"\0" * 50_000_000)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate", "gzip, gzip"])
@pytest.mark.parametrize("path", ENDPOINTS)
def test_compressed_body_is_refused_unread(hostile: Rig, path: str, coding: str) -> None:
    refused(hostile, hostile.post(BOMB, path, content_encoding=coding), 415, "caller_invalid_request")


@pytest.mark.parametrize("count", sizes(300, 3000))
def test_invented_models_are_refused_and_make_no_series(hostile: Rig, count: int) -> None:
    hostile.post(chat("invented-0"))

    def series() -> int:
        text = get(f"{hostile.gateway.url}/metrics").text
        return sum(not line.startswith("#") for line in text.splitlines())

    before = series()
    names = ["invented-{}", "openai-{}/x", "nobody/{}", "{}" * 50, "../{}", 'quo"te-{}', "ünïcode-{}"]
    headers = {"authorization": f"Bearer {hostile.gateway.api_key}"}
    url = f"{hostile.gateway.openai_url}/chat/completions"
    asked = len(hostile.fake.requests)

    def ask(start: int) -> set[int]:
        with http_client(timeout=60) as client:
            return {
                client.post(url, content=chat(names[n % len(names)].replace("{}", str(n))), headers=headers).status_code
                for n in range(start, start + count // 6)
            }

    with ThreadPoolExecutor(4) as pool:
        assert set().union(*pool.map(ask, range(0, count, count // 6))) == {404}
    assert len(hostile.fake.requests) == asked
    assert series() <= before + 20  # the first ones of this status; none by name
    assert "invented-7" not in get(f"{hostile.gateway.url}/metrics").text
    hostile.is_well()


READERS = 100
SLOW_BYTES = 262_144


def kernel_bytes(port: int) -> list[int]:
    """What the kernel holds back for each open connection of the gateway's, on its side (``tx_queue``)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    here = f":{port:04X}"
    return [int(line[4].split(":")[0], 16) for line in lines if line[1].endswith(here) and line[3] == "01"]


def test_caller_that_does_not_read_takes_bounded_memory_and_is_closed(hostile: Rig) -> None:
    port = int(hostile.gateway.url.rsplit(":", 1)[1])
    body = chat("openai/ok-20000-tokens", stream=True)
    cut, memory = hostile.closed("write_late"), resident(hostile.gateway.pid)
    connections = [hostile.connect(receive_bytes=4096) for _ in range(READERS)]
    try:
        for connection in connections:
            connection.sendall(hostile.head(f"Content-Length: {len(body)}") + body)
        firsts = [connection.recv(1000) for connection in connections]
        assert all(first.startswith(b"HTTP/1.1 200 ") for first in firsts)
        hostile.is_well()  # the others are served meanwhile
        eventually(lambda: max(kernel_bytes(port), default=0) > 4096)
        assert max(kernel_bytes(port)) <= SLOW_BYTES
        # All that a stream costs: what one read of its provider's connection may bring (256 KB), up to four times on its way
        # through, and the telemetry of a first burst. Without a bound it would be the whole answer of 4 MB.
        assert resident(hostile.gateway.pid) - memory < READERS * 8 * SLOW_BYTES
        eventually(lambda: hostile.closed("write_late") >= cut + READERS)
    finally:
        for connection in connections:
            connection.close()
    eventually(lambda: hostile.fake.open_connections <= 10)

    def recorded() -> list[dict[str, Any]]:
        spans = [one for one in hostile.server_spans() if one.get("gen_ai.request.model") == "openai/ok-20000-tokens"]
        return spans if len(spans) >= READERS else []

    spans = eventually(recorded)
    assert len(spans) == READERS
    assert {(one["error.type"], one["gatewayz.outcome"]) for one in spans} == {("caller_cancelled", "cancelled")}
    hostile.is_well()


def test_slow_reader_is_served(hostile: Rig) -> None:
    body = chat("openai/ok-2000-tokens", stream=True)
    text = b""
    with hostile.connect(receive_bytes=4096) as connection:
        connection.sendall(hostile.head(f"Content-Length: {len(body)}", "Connection: close") + body)
        while data := connection.recv(4096):
            text += data
            time.sleep(0.01)  # a reader's own pace
    assert b"[DONE]" in text


def resident(pid: int) -> int:
    """Bytes of memory of that process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
