"""Web pages of other origins call the API where the operator lets them, and nobody else's answers change."""

from __future__ import annotations

import pytest

from gatewayz.config import ConfigurationError, load_settings
from gatewayz.dataplane.browsers import Browsers
from gatewayz.dataplane.http import Exchange, Message
from tests.fakes.gateway import LiveGateway
from tests.polling import eventually
from tests.unit.dataplane.conftest import Raw, chat

CHAT = "/v1/chat/completions"
PAGE = "https://chat.example.com"
ASKING = {
    "authorization": "",  # browsers ask without any
    "origin": PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-os",
}


def test_preflight_is_allowed_without_a_key(send: Raw) -> None:
    reply = send("OPTIONS", CHAT, **ASKING)
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert reply.headers["access-control-allow-headers"] == ASKING["access-control-request-headers"]
    assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.parametrize(("body", "status"), [(chat(), 200), (chat(stream=True), 200), (b"{", 400)])
def test_answers_expose_their_headers_to_pages(send: Raw, body: bytes, status: int) -> None:
    reply = send("POST", CHAT, body, origin=PAGE)
    assert reply.status == status
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["access-control-expose-headers"] == "*"


def test_page_without_a_key_can_read_the_401(send: Raw) -> None:
    reply = send("POST", CHAT, chat(), origin=PAGE, authorization="")
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (401, "*")


def test_answer_without_origin_has_no_cors_headers(send: Raw) -> None:
    assert not [name for name in send("POST", CHAT, chat()).headers if name.startswith("access-control")]
    assert send("OPTIONS", CHAT).status == 405


def test_preflight_is_recorded_like_any_request(gateway: LiveGateway, send: Raw) -> None:
    request_id = send("OPTIONS", CHAT, **ASKING).headers["x-request-id"]

    def find() -> dict[str, object] | None:
        return next((one for one in gateway.records() if one["request_id"] == request_id), None)

    record = eventually(find)
    assert (record["method"], record["route"], record["status"], record["outcome"]) == ("OPTIONS", CHAT, 200, "ok")


async def _receive() -> Message:
    raise AssertionError("nothing is read")


async def _send(message: Message) -> None:
    raise AssertionError("nothing is sent")


def _asked_by(origin: str) -> Exchange:
    headers = [(b"origin", origin.encode()), (b"access-control-request-method", b"POST")]
    return Exchange({"method": "OPTIONS", "headers": headers}, _receive, _send)


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ("https://a.example, https://b.example/", "https://b.example", True),
        ("https://a.example", "https://A.example", True),
        ("https://a.example", "https://b.example", False),
        ("https://a.example", "https://a.example.evil.test", False),
        ("https://a.example", "null", False),
        ("", "https://a.example", False),
    ],
)
def test_only_configured_origins_are_allowed(origins: str, origin: str, allowed: bool) -> None:
    browsers, exchange = Browsers(origins), _asked_by(origin)
    assert browsers.is_preflight(exchange) is allowed
    headers = dict(browsers.headers(exchange))
    assert headers.get(b"access-control-allow-origin") == (origin.encode() if allowed else None)
    assert (headers.get(b"vary") == b"origin") is bool(origins)


@pytest.mark.parametrize("value", ["example.com", "https://example.com/app", "https://a.example b"])
def test_invalid_origin_in_settings_is_named(value: str) -> None:
    with pytest.raises(ConfigurationError, match="GATEWAYZ_CORS_ORIGINS"):
        load_settings(cors_origins=value)
