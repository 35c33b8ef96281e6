"""What the two APIs ask of a JSON schema that an answer must keep to.

Anthropic knows a part of JSON Schema, and wants ``additionalProperties: false`` said of every object (its page "Structured
outputs"); OpenAI, where the schema is strict, that and every property required.
"""

from __future__ import annotations

from typing import Any

import orjson

from gatewayz.wires.json_values import Object, list_of, object_of

_NAMED = ("properties", "$defs", "definitions")
_LISTED = ("anyOf", "allOf", "oneOf")

_KEPT = frozenset(("type", "enum", "const", "title", "description", "required", "default"))
_FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
)  # fmt: skip
_NEEDLESS = frozenset(("$schema", "$id", "$comment", "examples", "deprecated", "readOnly", "writeOnly"))
_OF_NO_KIND = frozenset(
    ("not", "if", "then", "else", "patternProperties", "prefixItems", "dependentSchemas", "unevaluatedProperties")
)
"""What shapes an answer and cannot be said."""


class _Unsayable(Exception):
    """The schema asks for what Anthropic's part of JSON Schema cannot say."""


def narrowed(schema: Object) -> Object | None:
    """The schema in Anthropic's part of JSON Schema: objects closed, and limits that it does not know (``minimum``,
    ``maxLength``, …) moved into the description, where the model reads them. None where what it asks for cannot be said:
    free members, values of any kind, recursion.
    """
    try:
        if _recurses(schema):
            return None
        return _narrowed(schema)
    except _Unsayable:
        return None


def is_strict(schema: Object) -> bool:
    """Whether OpenAI takes the schema as strict."""
    if _is_object(schema):
        if schema.get("additionalProperties") is not False:
            return False
        if set(object_of(schema.get("properties"))) != set(map(str, list_of(schema.get("required")))):
            return False
    return all(is_strict(part) for part in _parts(schema))


def _narrowed(schema: Any) -> Object:
    """Raises _Unsayable."""
    node = object_of(schema)
    if not node:  # anything fits it
        raise _Unsayable
    made: Object = {}
    for name in ("$defs", "definitions"):
        if name in node:
            made[name] = {key: _narrowed(value) for key, value in object_of(node[name]).items()}
    if isinstance(reference := node.get("$ref"), str):
        if not reference.startswith("#"):
            raise _Unsayable
        return {**made, "$ref": reference}
    merged = list_of(node.get("allOf"))
    if len(merged) == 1:  # what older generators put around a reference, to give it a description
        return {**made, **_narrowed({**object_of(merged[0]), **_without_definitions(node)})}
    if not any(name in node for name in ("type", "enum", "const", *_LISTED)):
        raise _Unsayable
    said: list[str] = []
    for name, value in node.items():
        if name in _KEPT:
            made[name] = value
        elif name in ("anyOf", "oneOf"):
            made["anyOf"] = [_narrowed(part) for part in list_of(value)]
        elif name == "allOf":
            made["allOf"] = [_narrowed(part) for part in merged]
        elif name == "properties":
            made[name] = {key: _narrowed(part) for key, part in object_of(value).items()}
        elif name == "items":
            made[name] = _narrowed(value)
        elif (name == "format" and value in _FORMATS) or (name == "minItems" and value in (0, 1)):
            made[name] = value
        elif name in _OF_NO_KIND:
            raise _Unsayable
        elif name not in _NEEDLESS and name not in ("$defs", "definitions", "additionalProperties"):
            said.append(f"{name}: {orjson.dumps(value).decode()}")
    if any(isinstance(value, dict | list) for value in list_of(node.get("enum"))):
        raise _Unsayable
    if _is_object(node):
        if node.get("additionalProperties", False) is not False or "properties" not in node:
            raise _Unsayable
        made["additionalProperties"] = False
    if said:
        described = node.get("description")
        limits = "(" + ", ".join(said) + ")"
        made["description"] = f"{described} {limits}" if isinstance(described, str) and described else limits
    return made


def _without_definitions(node: Object) -> Object:
    return {name: value for name, value in node.items() if name not in ("allOf", "$defs", "definitions")}


def _recurses(schema: Object) -> bool:
    """Whether a definition leads back to itself, or anything to the whole."""
    definitions = {**object_of(schema.get("definitions")), **object_of(schema.get("$defs"))}
    leads_to = {name: _references(value) for name, value in definitions.items()}
    if "#" in _references(schema):
        return True
    for start in leads_to:
        seen: set[str] = set()
        waiting = list(leads_to[start])
        while waiting:
            name = waiting.pop().rpartition("/")[2]
            if name == start:
                return True
            if name not in seen:
                seen.add(name)
                waiting.extend(leads_to.get(name, ()))
    return False


def _references(schema: Any) -> set[str]:
    found: set[str] = set()
    waiting: list[Any] = [schema]
    while waiting:
        value = waiting.pop()
        if members := object_of(value):
            if isinstance(reference := members.get("$ref"), str):
                found.add(reference)
            waiting.extend(members.values())
        else:
            waiting.extend(list_of(value))
    return found


def _is_object(schema: Object) -> bool:
    kind = schema.get("type")
    return kind == "object" or "object" in list_of(kind)


def _parts(schema: Object) -> list[Object]:
    parts = [object_of(schema.get("items"))]
    for name in _NAMED:
        parts.extend(object_of(value) for value in object_of(schema.get(name)).values())
    for name in _LISTED:
        parts.extend(object_of(value) for value in list_of(schema.get(name)))
    return [part for part in parts if part]
