"""Gemini's errors (google.rpc.Status objects) as errors of the tree in errors.py."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec
import orjson
from msgspec import Raw, Struct

from gatewayz.errors import (
    ProviderAuthFailed,
    ProviderBadRequest,
    ProviderError,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderServerError,
)
from gatewayz.wires.fold import UNREADABLE
from gatewayz.wires.refusals.by_status import MAX_RETRY_AFTER_S, provider_error
from gatewayz.wires.refusals.reason import MAX_ERROR_BYTES

_KEY = re.compile(rb"AIza[A-Za-z0-9_\-]{20,}")
_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")


class _Detail(Struct, rename="camel"):
    reason: str | None = None
    retry_delay: str | None = None


class _Status(Struct):
    message: str = ""
    status: str = ""
    code: int | str | None = None
    details: Raw = Raw()


class _Body(Struct):
    error: _Status


_STATUS = msgspec.json.Decoder(_Status)
_BODY = msgspec.json.Decoder(_Body)
_BODIES = msgspec.json.Decoder(list[_Body])
_DETAILS = msgspec.json.Decoder(list[_Detail])


def gemini_error(
    status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str] = (), *, now_s: float
) -> ProviderError:
    """The error for an answer whose status is not 2xx. What the caller may see of it has OpenAI's shape.

    ``headers`` have lower-case names; ``now_s`` is Unix time.
    """
    refusal = _refusal(body)
    if refusal is None:
        return provider_error(status, headers, b"", now_s=now_s, secrets=secrets)
    details = _details(refusal)
    if status == 400 and _has_reason(details, "API_KEY_INVALID", "API_KEY_EXPIRED"):
        # Gemini answers a bad key with 400. As a 401 it makes the gateway try another key.
        return ProviderAuthFailed("The provider refused the gateway's credentials.", upstream_status=401)
    if status == 400 and refusal.status == "FAILED_PRECONDITION":
        # Gemini is not available at the gateway's location, or the project has no billing.
        return ProviderAuthFailed("The provider does not serve the gateway's account.", upstream_status=status)
    if status == 499:
        return ProviderServerError("The provider gave up on the request.", upstream_status=status)
    shown = orjson.dumps(
        {
            "error": {
                "message": refusal.message,
                "type": "invalid_request_error",
                "param": None,
                "code": refusal.status.lower() or None,
            }
        }
    )
    error = provider_error(status, headers, _KEY.sub(b"[redacted]", shown), now_s=now_s, secrets=secrets)
    if error.retry_after_s is None and isinstance(
        error, ProviderRateLimited | ProviderOverloaded | ProviderServerError
    ):
        return error.replaced(retry_after_s=_retry_delay_s(details))
    return error


def gemini_error_in_band(error: bytes) -> ProviderError:
    """The error inside an answer of status 200. Its text is not forwarded, for providers quote keys and prompts in it."""
    try:
        status = _STATUS.decode(error)
    except UNREADABLE:
        return ProviderServerError("The provider reported an error in its answer.", upstream_status=200)
    match status.status or str(status.code):
        case "RESOURCE_EXHAUSTED" | "429":
            return ProviderRateLimited(
                "The provider's rate limit was reached.",
                upstream_status=200,
                retry_after_s=_retry_delay_s(_details(status)),
            )
        case "UNAVAILABLE" | "503":
            return ProviderOverloaded("The provider is overloaded.", upstream_status=200)
        case "UNAUTHENTICATED" | "PERMISSION_DENIED" | "401" | "403":
            return ProviderAuthFailed("The provider refused the gateway's credentials.", upstream_status=200)
        case "INVALID_ARGUMENT" | "OUT_OF_RANGE" | "NOT_FOUND" | "400" | "404":
            return ProviderBadRequest("The provider refused the request.", upstream_status=400)
        case _:
            return ProviderServerError("The provider reported an error in its answer.", upstream_status=200)


def _refusal(body: bytes) -> _Status | None:
    """The error object. Gemini wraps the errors of its streaming method into a list."""
    if len(body) > MAX_ERROR_BYTES:
        return None
    try:
        if body.lstrip()[:1] == b"[":
            bodies = _BODIES.decode(body)
            return bodies[0].error if bodies else None
        return _BODY.decode(body).error
    except UNREADABLE:
        return None


def _details(status: _Status) -> list[_Detail]:
    try:
        return _DETAILS.decode(bytes(status.details))
    except UNREADABLE:
        return []


def _has_reason(details: list[_Detail], *reasons: str) -> bool:
    return any(detail.reason in reasons for detail in details)


def _retry_delay_s(details: list[_Detail]) -> float | None:
    """Seconds until the next try, from google.rpc.RetryInfo: Gemini says it in the body, not in a header."""
    for detail in details:
        if detail.retry_delay and (delay := _DELAY.fullmatch(detail.retry_delay)) is not None:
            return min(float(delay.group(1)), MAX_RETRY_AFTER_S)
    return None
