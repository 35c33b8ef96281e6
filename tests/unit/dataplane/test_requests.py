"""What comes in over the wire, good and bad, and what goes back."""

from __future__ import annotations

import json
import re

import pytest

from tests.fakes.gateway import LiveGateway
from tests.polling import eventually
from tests.raw_http import read_reply
from tests.unit.dataplane.conftest import BODY_TIMEOUT_S, MAX_BODY_BYTES, Raw, chat, connect

CHAT = "/v1/chat/completions"


def test_answer_has_request_id_and_traceresponse(send: Raw) -> None:
    reply = send("POST", CHAT, chat())
    assert reply.status == 200
    assert re.fullmatch(r"req_[0-9a-f]{24}", reply.headers["x-request-id"])
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", reply.headers["traceresponse"])
    assert reply.headers["x-gatewayz-provider"] == "demo"


def test_authenticated_callers_trace_is_continued_whatever_its_sampled_flag(send: Raw) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    reply = send("POST", CHAT, chat(), traceparent=f"00-{trace}-b7ad6b7169203331-00")
    assert reply.headers["traceresponse"].startswith(f"00-{trace}-")
    assert reply.headers["traceresponse"].endswith("-01")


def test_anonymous_callers_trace_is_not_continued(send: Raw) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    reply = send("POST", CHAT, chat(), authorization="", traceparent=f"00-{trace}-b7ad6b7169203331-01")
    assert reply.status == 401
    assert trace not in reply.headers["traceresponse"]


@pytest.mark.parametrize("credential", ["", "Bearer", "Bearer sk-something", "Basic Zm9vOmJhcg==", "Bearer gz_x_y"])
def test_invalid_key_is_answered_with_401_in_openai_format(send: Raw, credential: str) -> None:
    reply = send("POST", CHAT, chat(), authorization=credential)
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert reply.error["code"] == "invalid_api_key"
    assert set(reply.error) == {"message", "type", "param", "code"}


def test_body_with_too_large_content_length_is_rejected_before_it_is_sent(gateway: LiveGateway) -> None:
    with connect(gateway) as connection:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.api_key}\r\n"
        connection.sendall(f"{head}content-length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode())
        reply = read_reply(connection)
    assert reply.status == 413
    assert reply.error["code"] == "payload_too_large"


def test_chunked_body_is_rejected_once_it_is_too_large(gateway: LiveGateway) -> None:
    with connect(gateway) as connection:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.api_key}\r\n"
        connection.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
        connection.sendall(b"%x\r\n" % (MAX_BODY_BYTES + 1) + b"x" * (MAX_BODY_BYTES + 1) + b"\r\n")
        assert read_reply(connection).status == 413


def test_body_that_does_not_arrive_times_out(gateway: LiveGateway) -> None:
    with connect(gateway) as connection:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.api_key}\r\n"
        connection.sendall(f"{head}content-length: 100\r\n\r\n{{".encode())
        reply = read_reply(connection)
    assert reply.status == 408
    assert f"{BODY_TIMEOUT_S} s" in reply.error["message"]


def test_compressed_body_is_rejected_by_name(send: Raw) -> None:
    reply = send("POST", CHAT, chat(), content_encoding="gzip")
    assert reply.status == 415
    assert "Content-Encoding" in reply.error["message"]


def test_unknown_path_and_wrong_method_name_what_exists(send: Raw) -> None:
    assert send("GET", "/v1/nothing").error["code"] == "unknown_url"
    wrong = send("GET", CHAT)
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")


def test_models_are_listed_and_found_by_names_with_slashes(send: Raw) -> None:
    listed = json.loads(send("GET", "/v1/models").body)
    names = [model["id"] for model in listed["data"]]
    assert listed["object"] == "list"
    assert "demo/fast" in names
    for path in ("/v1/models/demo/fast", "/v1/models/demo%2Ffast"):
        assert json.loads(send("GET", path).body)["id"] == "demo/fast"
    assert send("GET", "/v1/models/demo/none").error["code"] == "model_not_found"


def test_connection_serves_on_after_an_error(gateway: LiveGateway) -> None:
    def request(body: bytes) -> bytes:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.api_key}\r\n"
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body

    with connect(gateway) as connection:
        connection.sendall(request(b"{"))
        assert read_reply(connection).status == 400
        connection.sendall(request(chat()))
        assert read_reply(connection).status == 200


def test_disconnect_is_recorded_once_as_cancelled(gateway: LiveGateway) -> None:
    body = chat("leaves in the middle", model="demo/fast", stream=True, max_tokens=500)
    with connect(gateway) as connection:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.api_key}\r\n"
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        received = b""
        while b"data: " not in received:
            received += connection.recv(4096)
        request_id = received.decode().split("x-request-id: ")[1].split("\r\n")[0]
    record = eventually(lambda: [one for one in gateway.records() if one["request_id"] == request_id])
    assert len(record) == 1
    assert (record[0]["status"], record[0]["outcome"]) == (499, "cancelled")
    assert record[0]["error_type"] == "caller_cancelled"


def test_every_request_ends_in_exactly_one_record(gateway: LiveGateway, send: Raw) -> None:
    sent = [
        send("POST", CHAT, chat()),
        send("POST", CHAT, b"{"),
        send("POST", CHAT, chat(model="nobody/knows")),
        send("POST", CHAT, chat(), authorization=""),
        send("GET", "/v1/models"),
        send("DELETE", "/v1/models"),
        send("POST", CHAT, chat(model="demo/rate-limited")),
        send("POST", CHAT, chat(stream=True, max_tokens=3)),
    ]
    wanted = {reply.headers["x-request-id"]: reply.status for reply in sent}

    def found() -> list[dict[str, object]]:
        return [record for record in gateway.records() if record["request_id"] in wanted]

    records = eventually(lambda: found() if len(found()) >= len(wanted) else None)
    assert {str(record["request_id"]): record["status"] for record in records} == wanted
    assert len(records) == len(wanted)
