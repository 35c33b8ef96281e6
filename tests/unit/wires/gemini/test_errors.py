"""Gemini's refusals: what they mean, and what of them the caller may see."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayz.errors import (
    ProviderAuthFailed,
    ProviderBadRequest,
    ProviderError,
    ProviderMalformedResponse,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderServerError,
)
from gatewayz.wires.gemini.wire import GeminiWire


def status(code: int, name: str, message: str = "No.", details: list[Any] | None = None) -> bytes:
    error: dict[str, Any] = {"code": code, "message": message, "status": name}
    if details is not None:
        error["details"] = details
    return orjson.dumps({"error": error})


def error_for(
    code: int, body: bytes, headers: dict[str, str] | None = None, secrets: list[str] | None = None
) -> ProviderError:
    return GeminiWire().error(code, headers or {}, body, secrets or [], now_s=math.nan)


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
QUOTA = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaMetric": "x"}]}
BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}


@pytest.mark.parametrize(
    ("code", "body", "kind", "answered"),
    [
        (400, status(400, "INVALID_ARGUMENT"), ProviderBadRequest, 400),
        (400, status(400, "INVALID_ARGUMENT", details=[BAD_KEY]), ProviderAuthFailed, 502),
        (400, status(400, "FAILED_PRECONDITION", "User location is not supported for the API use."), ProviderAuthFailed, 502),
        (401, status(401, "UNAUTHENTICATED"), ProviderAuthFailed, 502),
        (403, status(403, "PERMISSION_DENIED"), ProviderAuthFailed, 502),
        (404, status(404, "NOT_FOUND", "models/x is not found"), ProviderBadRequest, 404),
        (429, status(429, "RESOURCE_EXHAUSTED", details=[QUOTA, RETRY]), ProviderRateLimited, 429),
        (499, status(499, "CANCELLED"), ProviderServerError, 502),
        (500, status(500, "INTERNAL"), ProviderServerError, 502),
        (503, status(503, "UNAVAILABLE"), ProviderOverloaded, 503),
        (504, status(504, "DEADLINE_EXCEEDED"), ProviderServerError, 502),
        (400, b"<html>", ProviderBadRequest, 400),
        (502, b"", ProviderServerError, 502),
        (301, b"", ProviderMalformedResponse, 502),
        (400, b"[]", ProviderBadRequest, 400),
    ],
)  # fmt: skip
def test_what_a_refusal_means(code: int, body: bytes, kind: type[ProviderError], answered: int) -> None:
    error = error_for(code, body)
    assert type(error) is kind
    assert error.status == answered
    assert error.upstream_status == (401 if b"API_KEY_INVALID" in body else code)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_bad_request_is_handed_on_in_openais_shape(wrapped: bool) -> None:
    """The streaming method wraps its errors into a list."""
    body = status(400, "INVALID_ARGUMENT", "* GenerateContentRequest.contents: contents is not specified")
    error = error_for(400, b"[" + body + b"\n]" if wrapped else body)
    assert error.body is not None
    assert orjson.loads(error.body) == {
        "error": {
            "message": "* GenerateContentRequest.contents: contents is not specified",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_argument",
        }
    }


def test_no_key_is_handed_on() -> None:
    key, other = "AIzaSyA-0123456789abcdefghijklmnop_xyz12", "AQ.Ab8RN6-secret"
    error = error_for(400, status(400, "INVALID_ARGUMENT", f"key {key} and {other}"), secrets=[other])
    assert error.body is not None
    assert key.encode() not in error.body
    assert other.encode() not in error.body


def test_when_to_come_back_is_said_in_the_body() -> None:
    assert error_for(429, status(429, "RESOURCE_EXHAUSTED", details=[QUOTA, RETRY])).retry_after_s == 34.5
    assert error_for(503, status(503, "UNAVAILABLE", details=[RETRY])).retry_after_s == 34.5


def test_a_header_goes_before_the_body() -> None:
    body = status(429, "RESOURCE_EXHAUSTED", details=[RETRY])
    assert error_for(429, body, {"retry-after": "2"}).retry_after_s == 2


def test_a_date_is_measured_against_the_answers_own() -> None:
    body = status(429, "RESOURCE_EXHAUSTED")
    date = {"retry-after": "Fri, 21 Nov 2025 10:00:07 GMT"}
    assert error_for(429, body, {**date, "date": "Fri, 21 Nov 2025 10:00:00 GMT"}).retry_after_s == 7
    assert error_for(429, body, date).retry_after_s is None


@pytest.mark.parametrize("delay", ["soon", "", None, 5, "-3s", "1e9s", "99999999s"])
def test_garbage_in_the_delay_is_no_delay(delay: Any) -> None:
    seconds = error_for(429, status(429, "RESOURCE_EXHAUSTED", details=[{"retryDelay": delay}])).retry_after_s
    assert seconds is None or seconds <= 86_400


@given(code=st.integers(300, 599), body=st.binary(max_size=60))
def test_no_body_breaks_anything(code: int, body: bytes) -> None:
    assert error_for(code, body).message
