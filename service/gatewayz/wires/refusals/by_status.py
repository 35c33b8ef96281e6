"""A provider's refusal as an error of the tree in errors.py, by HTTP status, headers and body."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from msgspec import Struct

from gatewayz.errors import (
    GatewayError,
    ProviderAuthFailed,
    ProviderBadRequest,
    ProviderError,
    ProviderMalformedResponse,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderServerError,
)
from gatewayz.wires.refusals.reason import MAX_ERROR_BYTES, presentable

MAX_RETRY_AFTER_S = 86_400.0  # a day; beyond it a provider means "no"
SPENT = frozenset({"insufficient_quota", "billing_not_active"})
"""Codes of a 429 that waiting does not cure: the account's quota is used up."""


class _Error(Struct):
    code: Any = None  # a string or a number: providers differ


class _ErrorBody(Struct):
    error: _Error


_BODY = msgspec.json.Decoder(_ErrorBody)


def provider_error(
    status: int, headers: Mapping[str, str], body: bytes, *, now_s: float, secrets: Sequence[str] = ()
) -> ProviderError:
    """The error for an answer whose status is not 2xx.

    ``secrets`` are removed from what is forwarded. A Retry-After date is compared with the time at which the provider says it
    sent the answer (its ``date``), or else with ``now_s`` (Unix time). ``x-should-retry: false`` is obeyed: OpenAI and
    Anthropic send it, and their clients obey it. ``x-ratelimit-reset-…`` is not used as a retry time: it says when a limit is
    full again, not when the next call may come.
    """
    error = _by_status(status, body, wanted_pause_s(headers, sent_at_s(headers, now_s)), secrets)
    if status == 429 and (code := _code(body)) in SPENT:
        return error.replaced(code=code, repeatable=False)
    if headers.get("x-should-retry", "").strip().lower() == "false":
        return error.replaced(repeatable=False)
    return error


def _by_status(status: int, body: bytes, retry_after_s: float | None, secrets: Sequence[str]) -> ProviderError:
    match status:
        case 401 | 403:
            return ProviderAuthFailed("The provider refused the gateway's credentials.", upstream_status=status)
        case 402:
            # Our account is out of credit: not the caller's fault, and another provider may answer.
            return ProviderAuthFailed(
                "The gateway's account with the provider is out of credit.", upstream_status=status
            )
        case 429:
            return ProviderRateLimited(
                "The provider's rate limit was reached.", upstream_status=status, retry_after_s=retry_after_s
            )
        case 503 | 529:
            return ProviderOverloaded(
                "The provider is overloaded.", upstream_status=status, retry_after_s=retry_after_s
            )
        case 408:
            return ProviderServerError(
                "The provider gave up waiting.", upstream_status=status, retry_after_s=retry_after_s
            )
        case _ if 400 <= status < 500:
            return ProviderBadRequest(
                f"The provider refused the request with status {status}.",
                upstream_status=status,
                body=presentable(body, secrets),
            )
        case _ if status >= 500:
            return ProviderServerError(
                f"The provider failed with status {status}.", upstream_status=status, retry_after_s=retry_after_s
            )
        case _:
            return ProviderMalformedResponse(f"The provider answered with status {status}.", upstream_status=status)


def no_such_endpoint(error: GatewayError) -> bool:
    """Whether the provider has no such endpoint, as opposed to no such model. There is no standard way to say so: some send a
    page, some an error object that names the path. An error about the model names the model."""
    if not isinstance(error, ProviderError) or error.upstream_status not in (404, 405, 501):
        return False
    return error.body is None or b"model" not in error.body.lower()


_NO_ROUTE = (b'"message":"Not Found","type":null', b'"message":"Method Not Allowed","type":null')
"""FastAPI's ``{"detail": …}`` for an unknown path, as ``presentable`` returns it: vLLM and many others send it."""


def names_nothing(error: GatewayError) -> bool:
    """Whether the refusal is a page, or a framework's error for an unknown path: then it is not about a model."""
    body = error.body if isinstance(error, ProviderError) else None
    return body is None or any(words in body for words in _NO_ROUTE)


def _code(body: bytes) -> str | None:
    if len(body) > MAX_ERROR_BYTES:
        return None
    try:
        code = _BODY.decode(body).error.code
    except (ValueError, RecursionError):
        return None
    return code if isinstance(code, str) else None


def wanted_pause_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Seconds that the provider asks to wait: ``retry-after-ms`` of OpenAI and Azure, which is more precise, or
    Retry-After."""
    try:
        pause_s = float(headers.get("retry-after-ms", "")) / 1000
    except ValueError:
        return parse_retry_after(headers.get("retry-after"), now_s)
    return None if math.isnan(pause_s) else min(max(pause_s, 0.0), MAX_RETRY_AFTER_S)


def parse_retry_after(value: str | None, now_s: float) -> float | None:
    """Seconds to wait, from either form of Retry-After (RFC 9110 §10.2.3); None where it is invalid. At most a day."""
    if value is None:
        return None
    value = value.strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
            if date.tzinfo is None:
                date = date.replace(tzinfo=UTC)
            seconds = date.timestamp() - now_s
        except (ValueError, OverflowError):  # a date out of range
            return None
    if seconds != seconds:  # NaN
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def sent_at_s(headers: Mapping[str, str], now_s: float) -> float:
    """When the answer was sent by the provider's own clock, or ``now_s`` where it does not say. Its Retry-After date is right
    by that clock even if ours is wrong."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return now_s
