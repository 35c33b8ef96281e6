"""Tools of other APIs as OpenAI's chat takes them: with names that are not too long, and schemas that name their properties.

Pure: no I/O, no clock.
"""

from __future__ import annotations

from hashlib import sha256

import orjson

from gatewayz.wires.json_values import Object, list_of, object_of, text_of

MAX_CHARACTERS = 64
"""Of a function's name in chat; Anthropic allows 128, and names that clients make of a server's and a tool's reach that."""

_DIGEST = 8


def chat_name(name: str) -> str:
    """The name, or if it is too long, a short one that is always the same and another's for no practical purpose."""
    if len(name) <= MAX_CHARACTERS:
        return name
    digest = sha256(name.encode(errors="surrogatepass")).hexdigest()[:_DIGEST]
    return f"{name[: MAX_CHARACTERS - _DIGEST - 1]}_{digest}"


def whole_name(name: str, tools: bytes | None) -> str:
    """What a tool named in chat is named among a request's ``tools`` (raw JSON), which are read only if
    the name may be a cut one."""
    if len(name) != MAX_CHARACTERS:
        return name
    given = [text_of(object_of(tool).get("name")) for tool in list_of(orjson.loads(tools or b"[]"))]
    return next((long for long in given if chat_name(long) == name), name)


def chat_parameters(schema: Object) -> Object:
    """The schema with its properties named even where there are none: OpenAI refuses an object that is silent about them."""
    if schema.get("type") == "object" and schema.get("properties") is None:
        return {**schema, "properties": {}}
    return schema
