"""What an answer of the gateway may be, whatever was asked or whatever a provider said."""

from __future__ import annotations

import re
from typing import Any, cast

import orjson

from gatewayz.wires.sse import EventSplitter, data_of
from tests.fuzz.client import Answered

Json = dict[str, Any]

MAX_MESSAGE = 1_000
"""Characters of an error's message: it says what is wrong, and does not recite the request."""

_OURS = re.compile(
    r"Traceback|NoneType|\bNone\b|<class|object at 0x|msgspec|orjson|pydantic|[A-Za-z]+Error\b"
    r"|`(?:str|int|float|bool|dict|list)\b|\bdict\b|unhashable|not subscriptable|has no attribute|recursion|unexpected keyword",
)
"""Words of the language it is written in."""

_ENDS = {
    "/v1/responses": ("response.completed", "response.incomplete"),
    "/v1/messages": ("message_stop",),
}


class Wrong(AssertionError):
    """What the gateway did is not allowed."""


def check_error(path: str, answered: Answered) -> Json:
    """The error object, which must be of the endpoint's wire."""
    body = _json(answered.body)
    if path.startswith("/v1/messages"):
        _must(body.get("type") == "error", "no error of Anthropic's", answered)
        error = body.get("error")
        _must(isinstance(error, dict) and error.keys() >= {"type", "message"}, "no error of Anthropic's", answered)
    else:
        error = body.get("error")
        whole = isinstance(error, dict) and error.keys() >= {"message", "type", "param", "code"}
        _must(whole, "no error of OpenAI's", answered)
    told = cast("Json", error)
    _must(isinstance(told["type"], str) and told["type"], "an error without a type", answered)
    check_message(told["message"], answered)
    return told


def check_message(message: object, answered: Answered) -> None:
    if not isinstance(message, str) or not message:
        raise Wrong(f"an error without a message: {answered}")
    _must(len(message) <= MAX_MESSAGE, "a message without end", answered)
    _must(not _OURS.search(message), "a message in Python's words", answered)


def check_answer(path: str, answered: Answered) -> None:
    """A whole answer of the endpoint's wire."""
    body = _json(answered.body)
    match path:
        case "/v1/chat/completions" | "/v1/completions":
            fine = isinstance(body.get("choices"), list)
        case "/v1/embeddings":
            fine = isinstance(body.get("data"), list)
        case "/v1/responses":
            fine = isinstance(body.get("output"), list)
        case "/v1/messages":
            fine = isinstance(body.get("content"), list)
        case _:
            fine = isinstance(body.get("input_tokens"), int)
    _must(fine, "no answer of this endpoint's", answered)


def events_of(answered: Answered) -> list[bytes]:
    """The data of each event, comments left out."""
    splitter = EventSplitter()
    events = splitter.feed(answered.body)
    _must(not splitter.tail().strip(), "half an event at the end", answered)
    return [data for data in map(data_of, events) if data]


def error_event_of(path: str, events: list[bytes]) -> Json | None:
    """The error in which the stream ends; None where it ends otherwise."""
    last = _object(events[-1]) if events else {}
    error = last.get("error")
    return (
        cast("Json", error) if isinstance(error, dict) and (path not in _ENDS or last.get("type") == "error") else None
    )


def ends_well(path: str, events: list[bytes]) -> bool:
    """Somewhere in the stream its wire's last word is said."""
    if path not in _ENDS:
        return b"[DONE]" in events
    return any(_object(data).get("type") in _ENDS[path] for data in events)


def check_events(events: list[bytes]) -> None:
    """Each is an object, or the word with which some streams end."""
    for data in events:
        if data != b"[DONE]":
            _json(data)


def _object(data: bytes) -> Json:
    """Empty where it is something else."""
    try:
        value: object = orjson.loads(data)
    except ValueError:
        return {}
    return cast("Json", value) if isinstance(value, dict) else {}


def _json(data: bytes) -> Json:
    try:
        value: object = orjson.loads(data)
    except ValueError as error:
        raise Wrong(f"not JSON ({error}): {data[:500]!r}") from None
    if not isinstance(value, dict):
        raise Wrong(f"no object: {data[:500]!r}")
    return cast("Json", value)


def _must(fine: object, otherwise: str, answered: Answered) -> None:
    if not fine:
        raise Wrong(f"{otherwise}: {answered.status} {answered.body[:1500]!r}")
