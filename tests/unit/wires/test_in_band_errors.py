"""Refusals under status 200: whose fault they are. Recorded from the servers that are named."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gatewayz.errors import (
    ProviderAuthFailed,
    ProviderBadRequest,
    ProviderError,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderServerError,
)
from gatewayz.wires.gemini.errors import gemini_error_in_band
from gatewayz.wires.refusals.in_band import error_in_band


@pytest.mark.parametrize(
    ("error", "kind", "answered"),
    [
        # SGLang
        (
            {"code": 400, "message": "Input length (9) exceeds the limit", "type": "BAD_REQUEST"},
            ProviderBadRequest,
            400,
        ),
        ({"message": "Token limit reached", "code": 400}, ProviderBadRequest, 400),  # OpenRouter
        ({"message": "x", "type": "BadRequestError", "param": None, "code": 400}, ProviderBadRequest, 400),  # vLLM
        ({"message": "x", "type": "NotFoundError", "code": 404}, ProviderBadRequest, 404),
        ({"message": "x", "type": "invalid_request_error", "code": "tool_use_failed"}, ProviderBadRequest, 400),  # Groq
        ({"message": "x", "code": "tool_use_failed"}, ProviderBadRequest, 400),
        ({"message": "x", "code": "context_length_exceeded"}, ProviderBadRequest, 400),
        ({"type": "invalid_request_error", "message": "x"}, ProviderBadRequest, 400),  # Anthropic
        ({"message": "x", "code": "400"}, ProviderBadRequest, 400),
        ({"message": "x", "code": 401}, ProviderAuthFailed, 502),
        ({"message": "x", "code": 402}, ProviderAuthFailed, 502),
        ({"message": "x", "code": 403}, ProviderAuthFailed, 502),
        ({"type": "authentication_error", "message": "x"}, ProviderAuthFailed, 502),
        ({"type": "invalid_request_error", "code": 429}, ProviderRateLimited, 429),
        ({"type": "rate_limit_error", "message": "x"}, ProviderRateLimited, 429),
        ({"message": "x", "code": 529}, ProviderOverloaded, 503),
        ({"type": "overloaded_error", "message": "x"}, ProviderOverloaded, 503),
        ({"message": "x", "code": 503}, ProviderOverloaded, 503),
        ({"message": "x", "code": 408}, ProviderServerError, 502),
        ({"message": "x", "code": 500}, ProviderServerError, 502),
        ({"message": "x", "code": 502, "type": "invalid_request_error"}, ProviderServerError, 502),
        ({"type": "server_error", "code": "server_error"}, ProviderServerError, 502),
        ({"message": "400 of 429 are broken"}, ProviderServerError, 502),  # the text decides nothing
        ("x", ProviderServerError, 502),
    ],
)
def test_a_refusal_in_an_answer_is_whose_it_would_be_at_its_head(
    error: Any, kind: type[ProviderError], answered: int
) -> None:
    found = error_in_band(orjson.dumps(error))
    assert (type(found), found.status) == (kind, answered)


def test_a_prompt_that_is_too_long_is_called_so() -> None:
    said = {
        "code": 400,
        "message": "Input length (600013 tokens) exceeds the maximum of sk-secretsecret",
        "type": "BAD_REQUEST",
    }
    found = error_in_band(orjson.dumps(said))
    assert found.code == "context_length_exceeded"
    assert "prompt is too long" in found.message
    assert "sk-secret" not in found.message


def test_the_code_of_a_refusal_is_handed_on_and_its_text_is_not() -> None:
    found = error_in_band(orjson.dumps({"code": "tool_use_failed", "message": "key sk-secretsecret"}))
    assert (found.code, found.message) == ("tool_use_failed", "The provider refused the request: tool_use_failed.")
    odd = error_in_band(orjson.dumps({"code": "Not a word: sk-secretsecret", "type": "invalid_request_error"}))
    assert "sk-" not in f"{odd.code} {odd.message}"


@pytest.mark.parametrize("error", [{"status": "INVALID_ARGUMENT", "code": 400}, {"code": 400}])
def test_gemini_refuses_in_band_too(error: dict[str, Any]) -> None:
    found = gemini_error_in_band(orjson.dumps(error))
    assert (type(found), found.status) == (ProviderBadRequest, 400)
