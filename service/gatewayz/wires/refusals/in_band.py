"""Errors that a provider sends under status 200, in place of an answer or within a stream.

Their text is not forwarded: the secrets to remove are not known here, and providers quote keys and prompts.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from gatewayz.errors import (
    ProviderAuthFailed,
    ProviderBadRequest,
    ProviderError,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderServerError,
)


class _Error(Struct):
    message: Raw = Raw()
    type: Raw = Raw()
    code: Raw = Raw()


_ERROR = msgspec.json.Decoder(_Error)
_STATUS = re.compile(rb"\b[45]\d\d\b")
_WORD = re.compile(rb'"([a-z][a-z_]{2,63})"')

_RATE_LIMITED = (b"rate_limit", b"ratelimit", b"too_many_requests", b"insufficient_quota")
_OVERLOADED = (b"overloaded", b"unavailable")
_OUR_ACCOUNT = (b"authentication", b"permission", b"invalid_api_key", b"billing", b"insufficient_credits")
_CALLERS_FAULT = (
    *(b"invalid_request", b"bad_request", b"badrequest", b"context_length", b"tool_use_failed"),
    *(b"unprocessable", b"not_found", b"request_too_large", b"content_filter", b"content_policy"),
)
_TOO_LONG = (b"context length", b"context window", b"context_length", b"input length", b"token limit", b"too long")


def error_in_band(error: bytes) -> ProviderError:
    """The error by its ``code`` and ``type``. An HTTP status among them decides as the status of a response would; otherwise
    the text does. A server that has begun to stream can refuse a request in no other way."""
    try:
        parsed = _ERROR.decode(error)
    except (ValueError, RecursionError):
        return ProviderServerError("The provider reported an error in its answer.")
    code, kind = bytes(parsed.code), bytes(parsed.type)
    words = (code + b" " + kind).lower()
    found = _STATUS.search(words)
    status = int(found[0]) if found else 0
    if status == 429 or _any(_RATE_LIMITED, words):
        return ProviderRateLimited("The provider's rate limit was reached.", upstream_status=200)
    if status in (503, 529) or _any(_OVERLOADED, words):
        return ProviderOverloaded("The provider is overloaded.", upstream_status=200)
    if status in (401, 402, 403) or (not status and _any(_OUR_ACCOUNT, words)):
        return ProviderAuthFailed("The provider refused the gateway's account.", upstream_status=status or 200)
    if (400 <= status < 500 and status != 408) or (not status and _any(_CALLERS_FAULT, words)):
        return _refusal(status or 400, code, bytes(parsed.message).lower())
    return ProviderServerError("The provider reported an error in its answer.", upstream_status=200)


def _refusal(status: int, code: bytes, message: bytes) -> ProviderError:
    if _any(_TOO_LONG, code + message):
        # Agents recognise this text, shorten their conversation and try again.
        reason = "The provider refused the request: the prompt is too long for the model's context."
        return ProviderBadRequest(reason, upstream_status=status, code="context_length_exceeded")
    word = _WORD.fullmatch(code)
    if word is None:
        return ProviderBadRequest("The provider refused the request.", upstream_status=status)
    said = word[1].decode()
    return ProviderBadRequest(f"The provider refused the request: {said}.", upstream_status=status, code=said)


def _any(words: tuple[bytes, ...], said: bytes) -> bool:
    return any(word in said for word in words)
