"""Why a provider refused a request, in OpenAI's shape, whatever shape the provider used.

Known shapes: ``{"error": {"message", …}}`` (OpenAI, Anthropic, vLLM), ``{"error": "text"}`` (Hugging Face, Ollama, and xAI
with a ``code``), ``{"object": "error", "message", …}`` (Mistral, older vLLM), ``{"message": "text"}`` (Cohere, Bedrock),
``{"detail": "text"}`` and ``{"detail": [{"loc", "msg"}]}`` (FastAPI, Mistral).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from gatewayz.wires.json_values import Object, list_of, object_of, text_of

MAX_ERROR_BYTES = 16_384  # an error object is shorter; anything larger is a page
MAX_REASON = 4_000
"""Characters of each text that are forwarded."""
MAX_FAULTS = 8
REDACTED = "[redacted]"
_KEY_SHAPES = re.compile(r"\b(?:sk|gsk|pk|key|xai|hf|nvapi|gz)[-_][A-Za-z0-9_\-*.]{8,}")
_EMPTY_PHRASE = "provider returned error"  # OpenRouter's; the actual reason is in its metadata


def presentable(body: bytes, secrets: Sequence[str] = ()) -> bytes | None:
    """The provider's error object as the caller may see it, or None where it holds no reason.

    ``secrets``, and anything that looks like a key, are removed from every text.
    """
    if len(body) > MAX_ERROR_BYTES:
        return None
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    try:
        error = _error_of(said)
    except RecursionError:
        return None
    if error is None:
        return None

    def shown(value: Any) -> str | int | None:
        if isinstance(value, int):
            return value if -(2**53) <= value <= 2**53 else None
        if not isinstance(value, str):
            return None
        for secret in secrets:
            value = value.replace(secret, REDACTED) if secret else value
        return _KEY_SHAPES.sub(REDACTED, value)[:MAX_REASON]

    members: Object = {name: shown(error.get(name)) for name in ("message", "type", "param", "code")}
    members.update(_more(error, shown))
    try:
        return orjson.dumps({"error": members})
    except orjson.JSONEncodeError:  # half of a surrogate pair
        return None


def _error_of(said: Any) -> Object | None:
    """OpenAI's four members and the error's other ones; None where there is no reason."""
    if (many := list_of(said)) and object_of(many[0]):  # Google wraps errors of streams into lists
        said = many[0]
    body = object_of(said)
    within = body.get("error")
    if isinstance(within, dict):
        error = object_of(within)
        message = _text_of(error.get("message")) or _text_of(error.get("detail"))
        raw = text_of(object_of(error.get("metadata")).get("raw"))
        if raw and message.lower() == _EMPTY_PHRASE:
            message = f"{message}: {_reason_in(raw)}"
        return {**error, "message": message} if message else None
    members = {name: body.get(name) for name in ("type", "param", "code")}
    if message := _text_of(within) or _text_of(body.get("message")) or _text_of(body.get("detail")):
        return {**members, "param": members["param"] or _first_place(body), "message": message}
    if message := _text_of(body.get("errors")):
        return {**members, "message": message}
    return None


def _text_of(value: Any) -> str:
    """A reason, given as text, as a list of faults, or one level deeper."""
    if isinstance(value, str):
        return value
    if faults := list_of(value):
        return "; ".join([text for fault in faults[:MAX_FAULTS] if (text := _fault(fault))])
    inner = object_of(value)
    for name in ("message", "msg", "detail", "error"):
        if (found := inner.get(name)) and found is not value:
            return _text_of(found)
    return ""


def _fault(fault: Any) -> str:
    """``{"loc": ["body", "top_k"], "msg": "Extra inputs are not permitted"}`` → ``top_k: Extra inputs are not permitted``."""
    place, text = _place(fault), _text_of(fault)
    return f"{place}: {text}" if place and text else text


def _place(fault: Any) -> str:
    steps = list_of(object_of(fault).get("loc"))
    return ".".join([str(step) for step in steps if isinstance(step, str | int)]).removeprefix("body.")


def _first_place(body: Object) -> str | None:
    detail = list_of(body.get("detail")) or list_of(object_of(body.get("message")).get("detail"))
    return _place(detail[0]) or None if detail else None


def _reason_in(raw: str) -> str:
    """The error of the provider behind this provider, as this one forwarded it."""
    try:
        error = _error_of(orjson.loads(raw))
    except orjson.JSONDecodeError:
        return raw
    return text_of(error.get("message")) if error else raw


def _more(error: Object, shown: Callable[[Any], str | int | None]) -> Object:
    """Other members that clients read: the text that a model produced instead of a tool call (Groq), and which provider
    behind OpenRouter refused, and how."""
    more: Object = {}
    if (failed := shown(error.get("failed_generation"))) is not None:
        more["failed_generation"] = failed
    metadata = object_of(error.get("metadata"))
    given = {name: shown(metadata.get(name)) for name in ("provider_name", "raw")}
    if given := {name: value for name, value in given.items() if value is not None}:
        more["metadata"] = given
    return more
