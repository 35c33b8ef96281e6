"""What the two APIs ask of a JSON schema that an answer must keep to.

Anthropic wants ``additionalProperties: false`` said of every object; OpenAI, where the schema is strict, that and every
property required.
"""

from __future__ import annotations

from typing import Any

from gatewayz.wires.json_values import Object, list_of, object_of

_NAMED = ("properties", "$defs", "definitions")
_LISTED = ("anyOf", "allOf", "oneOf")


def closed(schema: Object) -> Object:
    """The schema with every object closed that does not say whether it is: narrower, so what fits it fits the original."""
    result = dict(schema)
    if _is_object(schema) and "additionalProperties" not in schema:
        result["additionalProperties"] = False
    for name in _NAMED:
        if members := object_of(schema.get(name)):
            result[name] = {key: _closed_value(value) for key, value in members.items()}
    for name in _LISTED:
        if values := list_of(schema.get(name)):
            result[name] = [_closed_value(value) for value in values]
    if "items" in schema:
        result["items"] = _closed_value(schema["items"])
    return result


def is_strict(schema: Object) -> bool:
    """Whether OpenAI takes the schema as strict."""
    if _is_object(schema):
        if schema.get("additionalProperties") is not False:
            return False
        if set(object_of(schema.get("properties"))) != set(map(str, list_of(schema.get("required")))):
            return False
    return all(is_strict(part) for part in _parts(schema))


def _is_object(schema: Object) -> bool:
    kind = schema.get("type")
    return kind == "object" or "object" in list_of(kind)


def _closed_value(value: Any) -> Any:
    return closed(value) if isinstance(value, dict) else value  # pyright: ignore[reportUnknownArgumentType]


def _parts(schema: Object) -> list[Object]:
    parts = [object_of(schema.get("items"))]
    for name in _NAMED:
        parts.extend(object_of(value) for value in object_of(schema.get(name)).values())
    for name in _LISTED:
        parts.extend(object_of(value) for value in list_of(schema.get(name)))
    return [part for part in parts if part]
