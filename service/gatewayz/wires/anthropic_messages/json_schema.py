"""What Anthropic and OpenAI require of the JSON schema for an answer.

Anthropic supports a part of JSON Schema and requires ``additionalProperties: false`` on every object (its page "Structured
outputs"). For a strict schema OpenAI requires that too, and every property listed in ``required``.
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
_WITHOUT_EQUAL = frozenset(
    ("not", "if", "then", "else", "patternProperties", "prefixItems", "dependentSchemas", "unevaluatedProperties")
)
"""Keywords that shape an answer and that Anthropic does not know."""


class _NoEqual(Exception):
    """The schema asks for something that Anthropic's part of JSON Schema cannot express."""


def narrowed(schema: Object) -> Object | None:
    """The schema in Anthropic's part of JSON Schema. Objects are closed; unsupported limits (``minimum``, ``maxLength``, …)
    move into the description, where the model reads them. None where the schema cannot be expressed: free members, values of
    any type, recursion."""
    try:
        if _recurses(schema):
            return None
        return _narrowed(schema)
    except _NoEqual:
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
    """Raises _NoEqual."""
    node = object_of(schema)
    if not node:  # an empty schema allows any value
        raise _NoEqual
    made: Object = {}
    for name in ("$defs", "definitions"):
        if name in node:
            made[name] = {key: _narrowed(value) for key, value in object_of(node[name]).items()}
    if isinstance(reference := node.get("$ref"), str):
        if not reference.startswith("#"):
            raise _NoEqual
        return {**made, "$ref": reference}
    merged = list_of(node.get("allOf"))
    if len(merged) == 1:  # older generators wrap a reference in this, to give it a description
        return {**made, **_narrowed({**object_of(merged[0]), **_without_definitions(node)})}
    if not any(name in node for name in ("type", "enum", "const", *_LISTED)):
        raise _NoEqual
    limits = _add_keywords(node, made)
    if any(isinstance(value, dict | list) for value in list_of(node.get("enum"))):
        raise _NoEqual
    if _is_object(node):
        if node.get("additionalProperties", False) is not False or "properties" not in node:
            raise _NoEqual
        made["additionalProperties"] = False
    if limits:
        described = node.get("description")
        note = "(" + ", ".join(limits) + ")"
        made["description"] = f"{described} {note}" if isinstance(described, str) and described else note
    return made


def _add_keywords(node: Object, made: Object) -> list[str]:
    """Put into ``made`` the keywords of ``node`` that Anthropic knows; return the others as text for the description.

    Raises _NoEqual for a keyword that shapes the answer and has no equal.
    """
    limits: list[str] = []
    for name, value in node.items():
        if name in _KEPT:
            made[name] = value
        elif name in ("anyOf", "oneOf"):
            made["anyOf"] = [_narrowed(part) for part in list_of(value)]
        elif name == "allOf":
            made["allOf"] = [_narrowed(part) for part in list_of(value)]
        elif name == "properties":
            made[name] = {key: _narrowed(part) for key, part in object_of(value).items()}
        elif name == "items":
            made[name] = _narrowed(value)
        elif (name == "format" and value in _FORMATS) or (name == "minItems" and value in (0, 1)):
            made[name] = value
        elif name in _WITHOUT_EQUAL:
            raise _NoEqual
        elif name not in _NEEDLESS and name not in ("$defs", "definitions", "additionalProperties"):
            limits.append(f"{name}: {orjson.dumps(value).decode()}")
    return limits


def _without_definitions(node: Object) -> Object:
    return {name: value for name, value in node.items() if name not in ("allOf", "$defs", "definitions")}


def _recurses(schema: Object) -> bool:
    """Whether a definition refers to itself, directly or not, or anything refers to the whole schema."""
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
