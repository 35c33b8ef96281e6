"""Tools of other APIs in the form that OpenAI's chat accepts: short enough names, and schemas that list their properties.

Pure: no I/O, no clock.
"""

from __future__ import annotations

from hashlib import sha256

import orjson

from gatewayz.wires.json_values import Object, list_of, object_of, text_of

MAX_CHARACTERS = 64
"""Characters of a function's name in chat. Anthropic allows 128, and names that clients build of a server's and a tool's name
can be that long."""

_DIGEST = 8


def chat_name(name: str) -> str:
    """The name. A name that is too long is replaced by a short one, which is deterministic and for practical purposes
    unique."""
    if len(name) <= MAX_CHARACTERS:
        return name
    digest = sha256(name.encode(errors="surrogatepass")).hexdigest()[:_DIGEST]
    return f"{name[: MAX_CHARACTERS - _DIGEST - 1]}_{digest}"


def whole_name(name: str, tools: bytes | None) -> str:
    """The original name, among a request's ``tools`` (raw JSON), of a tool named ``name`` in chat. The tools are parsed only
    if the name may be a shortened one."""
    if len(name) != MAX_CHARACTERS:
        return name
    given = [text_of(object_of(tool).get("name")) for tool in list_of(orjson.loads(tools or b"[]"))]
    return next((long for long in given if chat_name(long) == name), name)


def chat_parameters(schema: Object) -> Object:
    """The schema with a ``properties`` member, even where it is empty: OpenAI refuses an object schema without one."""
    if schema.get("type") == "object" and schema.get("properties") is None:
        return {**schema, "properties": {}}
    return schema
