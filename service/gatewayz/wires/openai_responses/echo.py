"""The request members that a response repeats, in the form in which OpenAI repeats them.

Open Responses (openresponses.org) requires every one of these members in every response. Every member of an echoed tool must
be there, too, at least as null. Pure: no I/O, no clock.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from gatewayz.records import Call
from gatewayz.wires.json_values import Object, list_of, object_of
from gatewayz.wires.openai_responses.tools import kept_tools

_ECHOED: tuple[tuple[str, Any], ...] = (
    ("background", False),
    ("frequency_penalty", 0.0),
    ("instructions", None),
    ("max_output_tokens", None),
    ("max_tool_calls", None),
    ("metadata", {}),
    ("parallel_tool_calls", True),
    ("presence_penalty", 0.0),
    ("previous_response_id", None),
    ("prompt_cache_key", None),
    ("reasoning", {"effort": None, "summary": None}),
    ("safety_identifier", None),
    ("temperature", 1.0),
    ("text", {"format": {"type": "text"}}),
    ("tool_choice", "auto"),
    ("tools", []),
    ("top_logprobs", 0),
    ("top_p", 1.0),
    ("truncation", "disabled"),
    ("user", None),
)
"""The repeated members, and their values where the request has none."""

_FUNCTION: Object = {"description": None, "parameters": None, "strict": None}
_SCHEMA: Object = {"description": None, "schema": None, "strict": False}
_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")


def echo(call: Call) -> Object:
    """The members, as JSON values or as encoded JSON."""
    echoed: Object = {}
    for name, silence in _ECHOED:
        raw = call.fields.get(name)
        if raw in (None, b"null"):
            echoed[name] = silence
        elif name in _FILLED:
            echoed[name] = _remembered(name, raw) if len(raw) <= _REMEMBERED_BYTES else _filled(name, raw)
        else:
            # Line ends are white space in JSON but would end a line of the event.
            echoed[name] = orjson.Fragment(raw.translate(_LINE_ENDS))
    return echoed


_REMEMBERED_BYTES = 8192
"""Bytes of one cached member: larger ones would add up to megabytes."""


def _filled(name: str, raw: bytes) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(_FILLED[name](orjson.loads(raw))))


_remembered = lru_cache(maxsize=64)(_filled)
"""Cached, because an agent sends the same tools with each turn, and each answer repeats them."""


def _tools(tools: Any) -> Any:
    kept = kept_tools([object_of(tool) for tool in list_of(tools)])
    return [{**_FUNCTION, **tool} if tool.get("type") == "function" else tool for tool in kept]


def _reasoning(reasoning: Any) -> Any:
    return {"effort": None, "summary": None, **object_of(reasoning)}


def _text(text: Any) -> Any:
    said = object_of(text)
    form = object_of(said.get("format")) or {"type": "text"}
    return {**said, "format": {**_SCHEMA, **form} if form.get("type") == "json_schema" else form}


def _choice(choice: Any) -> Any:
    chosen = object_of(choice)
    return {"mode": "auto", **chosen} if chosen.get("type") == "allowed_tools" else choice


_FILLED = {"reasoning": _reasoning, "text": _text, "tool_choice": _choice, "tools": _tools}
