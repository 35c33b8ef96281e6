"""Refusals: what they mean, and what of them the caller may see."""

from __future__ import annotations

import contextlib
from email.utils import formatdate

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayz.errors import (
    Internal,
    InvalidRequest,
    ProviderAuthFailed,
    ProviderBadRequest,
    ProviderError,
    ProviderMalformedResponse,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderServerError,
)
from gatewayz.wires.anthropic_messages import errors
from gatewayz.wires.openai_chat.errors import error_body, error_event
from gatewayz.wires.refusals.by_status import parse_retry_after, provider_error
from gatewayz.wires.refusals.reason import MAX_ERROR_BYTES, MAX_REASON, presentable
from gatewayz.wires.sse import data_of

NOW_S = 1_760_000_000.0
THEIRS = {
    "message": "Too long.",
    "type": "invalid_request_error",
    "param": "messages",
    "code": "context_length_exceeded",
}
BODY = orjson.dumps({"error": THEIRS})


@pytest.mark.parametrize(
    ("status", "kind", "answered"),
    [
        (400, ProviderBadRequest, 400),
        (404, ProviderBadRequest, 404),
        (405, ProviderBadRequest, 405),
        (409, ProviderBadRequest, 409),
        (413, ProviderBadRequest, 413),
        (415, ProviderBadRequest, 415),
        (422, ProviderBadRequest, 422),
        (401, ProviderAuthFailed, 502),
        (403, ProviderAuthFailed, 502),
        (402, ProviderAuthFailed, 502),
        (408, ProviderServerError, 502),
        (429, ProviderRateLimited, 429),
        (500, ProviderServerError, 502),
        (502, ProviderServerError, 502),
        (503, ProviderOverloaded, 503),
        (529, ProviderOverloaded, 503),
        (301, ProviderMalformedResponse, 502),
        (304, ProviderMalformedResponse, 502),
        (199, ProviderMalformedResponse, 502),
    ],
)
def test_every_status_has_its_error(status: int, kind: type[ProviderError], answered: int) -> None:
    error = provider_error(status, {}, BODY, now_s=NOW_S)
    assert type(error) is kind
    assert (error.status, error.upstream_status) == (answered, status)


def test_a_refused_request_is_explained_in_the_providers_own_words() -> None:
    error = provider_error(400, {}, BODY, now_s=NOW_S)
    assert orjson.loads(error_body(error)) == {"error": THEIRS}


@pytest.mark.parametrize("status", [401, 403, 402, 429, 500, 503])
def test_what_concerns_our_account_is_said_in_ours(status: int) -> None:
    body = orjson.dumps({"error": {"message": "Incorrect API key provided: sk-proj-abcdefghijkl for org-acme"}})
    shown = error_body(provider_error(status, {}, body, now_s=NOW_S))
    assert b"sk-" not in shown
    assert b"org-acme" not in shown


def test_keys_in_an_explanation_are_struck_out() -> None:
    message = 'not with\nsk-live-abcdefghijk\nand not with "hunter2\\hunter2"'
    body = orjson.dumps({"error": {"message": message, "code": "gsk_abcdefghijk"}})
    shown = presentable(body, ["hunter2\\hunter2", ""])
    assert shown is not None
    error = orjson.loads(shown)["error"]
    assert error["message"] == 'not with\n[redacted]\nand not with "[redacted]"'
    assert error["code"] == "[redacted]"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b'{"error":{}}',
        b'{"error":""}',
        b'{"error":{"message":5}}',
        b'{"detail":[]}',
        b'{"detail":[5]}',
        b'{"message":{"a":1}}',
        b"[]",
        b"[5]",
        b'"text"',
        b"[" * 99_999,
    ],
)
def test_what_is_not_an_error_object_is_not_handed_on(body: bytes) -> None:
    error = provider_error(400, {}, body, now_s=NOW_S)
    assert error.body is None
    assert orjson.loads(error_body(error))["error"]["code"] == "provider_bad_request"


FAULT = {
    "type": "extra_forbidden",
    "loc": ["body", "top_k"],
    "msg": "Extra inputs are not permitted",
    "input": "secret",
}
RAW = '{"error":{"message":"Token limit reached","code":3}}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # Mistral, older vLLM
        (
            {
                "object": "error",
                "message": "maximum context length",
                "type": "BadRequestError",
                "param": None,
                "code": 400,
            },
            {"message": "maximum context length", "type": "BadRequestError", "code": 400},
        ),
        # Mistral's 422
        (
            {"object": "error", "message": {"detail": [FAULT]}, "type": "invalid_request_error"},
            {"message": "top_k: Extra inputs are not permitted", "type": "invalid_request_error", "param": "top_k"},
        ),
        # FastAPI
        ({"detail": "no such model"}, {"message": "no such model"}),
        (
            {"detail": [FAULT, {**FAULT, "loc": ["body", "messages", 0]}]},
            {
                "message": "top_k: Extra inputs are not permitted; messages.0: Extra inputs are not permitted",
                "param": "top_k",
            },
        ),
        # Hugging Face, Ollama
        ({"error": "model 'x' not found"}, {"message": "model 'x' not found"}),
        ({"error": ["too long", "too loud"]}, {"message": "too long; too loud"}),
        # xAI
        ({"code": "invalid-argument", "error": "too long"}, {"message": "too long", "code": "invalid-argument"}),
        # Cohere, Bedrock
        ({"id": "1", "message": "too long"}, {"message": "too long"}),
        # Cloudflare
        ({"success": False, "errors": [{"code": 5, "message": "too long"}]}, {"message": "too long"}),
        # Google's streams
        ([{"error": {"message": "too long", "code": 400}}], {"message": "too long", "code": 400}),
        # Groq
        (
            {"error": {**THEIRS, "failed_generation": "<f>{</f>", "other": "x"}},
            {**THEIRS, "failed_generation": "<f>{</f>"},
        ),
        # OpenRouter
        (
            {
                "error": {
                    "message": "Provider returned error",
                    "code": 400,
                    "metadata": {"raw": RAW, "provider_name": "P"},
                }
            },
            {
                "message": "Provider returned error: Token limit reached",
                "code": 400,
                "metadata": {"raw": RAW, "provider_name": "P"},
            },
        ),
        (
            {"error": {"message": "Provider returned error", "metadata": {"raw": "no"}}},
            {"message": "Provider returned error: no", "metadata": {"raw": "no"}},
        ),
    ],
)
def test_the_reason_is_found_in_every_customary_shape(body: object, expected: dict[str, object]) -> None:
    error = provider_error(400, {}, orjson.dumps(body), now_s=NOW_S)
    assert orjson.loads(error_body(error))["error"] == {"type": None, "param": None, "code": None, **expected}
    # A caller of Messages reads the same reason.
    assert orjson.loads(errors.error_body(error))["error"]["message"] == expected["message"]


def test_a_reason_in_any_shape_is_cut_and_free_of_keys() -> None:
    for body in ({"detail": "sk-live-abcdefghijk"}, {"error": {"message": "x", "failed_generation": "hunter2hunter2"}}):
        shown = presentable(orjson.dumps(body), ["hunter2hunter2"])
        assert shown is not None
        assert b"abcdefghijk" not in shown
        assert b"hunter2" not in shown
    shown = presentable(orjson.dumps({"message": "x" * 9_000}))
    assert shown is not None
    assert len(orjson.loads(shown)["error"]["message"]) == MAX_REASON


def test_an_explanation_without_end_is_not_handed_on() -> None:
    body = orjson.dumps({"error": {"message": "x" * MAX_ERROR_BYTES}})
    assert presentable(body) is None


@pytest.mark.parametrize("strange", [b"[1]", b'{"a":1}', b"123456789012345678901234567890", b"1.5", b"null"])
def test_a_strange_code_does_no_harm(strange: bytes) -> None:
    shown = presentable(b'{"error":{"message":"x","code":' + strange + b"}}")
    assert shown is None or orjson.loads(shown)["error"]["code"] is None


def test_members_beside_the_four_stay_here() -> None:
    body = orjson.dumps({"error": {**THEIRS, "internal": "host-17"}, "trace": "x"})
    shown = presentable(body)
    assert shown is not None
    assert orjson.loads(shown) == {"error": THEIRS}


@given(
    st.integers(100, 599).filter(lambda status: not 200 <= status < 300), st.binary(max_size=100), st.text(max_size=30)
)
def test_any_refusal_is_an_error_of_the_tree(status: int, body: bytes, retry_after: str) -> None:
    error = provider_error(status, {"retry-after": retry_after}, body, now_s=NOW_S)
    with contextlib.suppress(KeyError):
        assert orjson.loads(error_body(error))["error"]["message"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2),
        (" 2 ", 2),
        ("0", 0),
        ("1.5", 1.5),
        ("-3", 0),
        ("86400", 86_400),
        ("999999999999", 86_400),
        ("inf", 86_400),
        (formatdate(NOW_S + 30, usegmt=True), 30),
        (formatdate(NOW_S - 30, usegmt=True), 0),
        (formatdate(NOW_S + 30), 30),
        ("nan", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("Fri, 99 Foo 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_in_all_its_forms(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW_S) == seconds


@given(st.text())
def test_any_retry_after_is_seconds_within_a_day_or_nothing(value: str) -> None:
    seconds = parse_retry_after(value, NOW_S)
    assert seconds is None or 0 <= seconds <= 86_400


def test_our_errors_have_openais_shape() -> None:
    body = orjson.loads(error_body(InvalidRequest("No such field.", param="messages[].role", code="invalid_value")))
    assert body == {
        "error": {
            "message": "No such field.",
            "type": "invalid_request_error",
            "param": "messages[].role",
            "code": "invalid_value",
        }
    }


def test_an_error_in_a_stream_is_one_event_of_the_same_shape() -> None:
    error = Internal("Something broke.")
    event = error_event(error)
    assert data_of(event) == error_body(error)
    assert event.endswith(b"\n\n")


@pytest.mark.parametrize(
    ("headers", "pause_s"),
    [
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "1"}, 1.0),
        ({"retry-after": "Jan -0000 9999999999 25:99:99 0"}, None),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "0"}, None),
    ],
)
def test_a_pause_is_what_the_provider_asks_for(headers: dict[str, str], pause_s: float | None) -> None:
    assert provider_error(429, headers, b"", now_s=NOW_S).retry_after_s == pause_s


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_provider_that_says_it_is_of_no_use_is_believed(status: int) -> None:
    assert not provider_error(status, {"x-should-retry": "False"}, b"", now_s=NOW_S).repeatable
    assert provider_error(status, {"x-should-retry": "true"}, b"", now_s=NOW_S).repeatable


def test_a_quota_that_is_used_up_is_told_from_a_limit_that_passes() -> None:
    spent = provider_error(429, {}, b'{"error":{"message":"x","code":"insufficient_quota"}}', now_s=NOW_S)
    passing = provider_error(429, {}, b'{"error":{"message":"x","code":"rate_limit_exceeded"}}', now_s=NOW_S)
    assert (spent.status, spent.code, spent.repeatable) == (429, "insufficient_quota", False)
    assert (passing.code, passing.repeatable) == ("provider_rate_limited", True)
