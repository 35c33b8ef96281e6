"""What of a request's head is refused, and in which words."""

from __future__ import annotations

import pytest

from gatewayz.errors import HeadersTooLarge, InvalidRequest
from gatewayz.server.head import HeadLimits, check_head

HOST = (b"host", b"gateway:8000")
LIMITS = HeadLimits(max_headers=4, max_bytes=100)


def refusal(
    *headers: tuple[bytes, bytes],
    target: bytes = b"/v1/models",
    version: str = "1.1",
    received_bytes: int = 0,
    tunnel: bool = False,
) -> str | None:
    error = check_head(target, version, headers, LIMITS, received_bytes=received_bytes, tunnel=tunnel)
    if error is None:
        return None
    assert isinstance(error, InvalidRequest | HeadersTooLarge)
    assert error.status == (431 if isinstance(error, HeadersTooLarge) else 400)
    return error.message


@pytest.mark.parametrize("host", [b"gateway", b"gateway:8000", b"127.0.0.1:1", b"[::1]:8000", b"a-b.example", b"x:"])
def test_usual_hosts_pass(host: bytes) -> None:
    assert refusal((b"host", host), (b"accept", b"*/*")) is None


@pytest.mark.parametrize("host", [b"", b"a b", b"a/b", b"user@host", b"a:123456", b"a:b", b"[::1", b"h\xc3\xa9"])
def test_host_header_that_names_no_host_is_refused(host: bytes) -> None:
    assert refusal((b"host", host)) == "This is no valid HTTP request: the Host header is no host."


def test_host_is_needed_once_except_in_http_1_0() -> None:
    expected = "This is no valid HTTP request: there must be one Host header."
    assert refusal() == expected
    assert refusal(HOST, HOST) == expected
    assert refusal(HOST, HOST, version="1.0") == expected
    assert refusal(version="1.0") is None


@pytest.mark.parametrize(
    ("version", "value", "passes"),
    [
        ("1.1", b"chunked", True),
        ("1.1", b"Chunked", True),
        ("1.1", b"gzip, chunked", False),
        ("1.0", b"chunked", False),
    ],
)
def test_transfer_encoding_is_chunked_in_http_1_1_or_refused(version: str, value: bytes, passes: bool) -> None:
    message = refusal(HOST, (b"transfer-encoding", value), version=version)
    assert (message is None) == passes
    assert passes or "Transfer-Encoding" in str(message)


def test_underscore_in_a_header_name_is_refused_except_in_codex_names() -> None:
    assert refusal(HOST, (b"session_id", b"1"), (b"conversation_id", b"2"), (b"thread_id", b"3")) is None
    message = refusal(HOST, (b"content_length", b"5"))
    assert message == "This is no valid HTTP request: the header name 'content_length' has an underscore."


def test_long_header_name_is_repeated_in_part_only() -> None:
    message = refusal(HOST, (b"_" + b"x" * 5000, b""))
    assert message is not None
    assert len(message) < 200


def test_connect_and_fragment_are_refused() -> None:
    expected = "This is no valid HTTP request: the request target is none of this server's."
    assert refusal(HOST, target=b"host:443", tunnel=True) == expected
    assert refusal(HOST, target=b"/v1/models#x") == expected


def test_too_many_headers_are_refused() -> None:
    assert refusal(HOST, *[(b"x", b"")] * 3) is None
    assert refusal(HOST, *[(b"x", b"")] * 4) == "The request has more than 4 headers."


def test_size_is_added_up_only_if_more_was_received_than_the_limit() -> None:
    large = (b"x", b"y" * 100)
    expected = "The request line and headers are larger than the limit of 100 bytes."
    assert refusal(HOST, large, received_bytes=101) == expected
    assert refusal(HOST, large, received_bytes=100) is None, "the caller of check_head vouches for the bound"
    assert refusal(HOST, received_bytes=100_000) is None, "a large body came along in the same packet"
