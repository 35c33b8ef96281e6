"""Makes an instance of a JSON schema: what the demo provider gives as tool arguments and as structured output.

Covers what tool definitions and ``response_format`` hold in practice: types, properties, items, enum, const, defaults,
references within the document, anyOf/oneOf/allOf, bounds and common formats. A keyword it does not know is left out of
account.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

MAX_DEPTH = 12  # a schema may refer to itself
MAX_ITEMS = 20  # whatever minItems asks for
MAX_TEXT = 1_000

Json = Any  # JSON is what it is; its shape is looked at where it is used
Schema = Mapping[str, Json]

_FORMATS = {
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "PT1H",
    "email": "ada@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_TEXTS = {
    "location": "Lisbon",
    "city": "Lisbon",
    "country": "Portugal",
    "name": "Ada",
    "language": "en",
    "currency": "EUR",
    "unit": "celsius",
}


def instance_of(schema: Json) -> Json:
    """A plausible value that the schema accepts: every property that it names is there."""
    return _make(schema, _mapping(schema) or {}, "value", 0)


def _mapping(value: Json) -> Schema | None:
    return cast("Schema", value) if isinstance(value, dict) else None


def _items(value: Json) -> list[Json]:
    return cast("list[Json]", value) if isinstance(value, list) else []


def _make(schema: Json, root: Schema, name: str, depth: int) -> Json:
    mapping = _mapping(schema)
    if mapping is None or depth > MAX_DEPTH:
        return None
    node = _resolve(mapping, root)
    if "const" in node:
        return node["const"]
    if choices := _items(node.get("enum")):
        return choices[0]
    if "default" in node:
        return node["default"]
    if options := _items(node.get("anyOf")) or _items(node.get("oneOf")):
        return _make(_first_with_value(options), root, name, depth + 1)
    match _type_of(node):
        case "object":
            return _object(node, root, depth)
        case "array":
            return _array(node, root, name, depth)
        case "integer":
            return math.ceil(_number(node))
        case "number":
            return _number(node)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(node, name)


def _resolve(schema: Schema, root: Schema) -> Schema:
    """Follows ``$ref`` and lays the parts of ``allOf`` over each other."""
    node = _follow(schema, root)
    parts = _items(node.get("allOf"))
    if not parts:
        return node
    merged = {word: value for word, value in node.items() if word != "allOf"}
    properties = dict(_mapping(merged.get("properties")) or {})
    required = _items(merged.get("required"))
    for part in parts:
        other = _follow(_mapping(part) or {}, root)
        properties.update(_mapping(other.get("properties")) or {})
        required = required + _items(other.get("required"))
        merged.update({word: value for word, value in other.items() if word != "allOf"})
    if properties:
        merged.update(properties=properties, required=required)
    return merged


def _follow(schema: Schema, root: Schema) -> Schema:
    for _ in range(MAX_DEPTH):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            break
        target: Schema | None = root
        for step in reference[1:].strip("/").split("/") if reference != "#" else ():
            target = _mapping(target.get(step.replace("~1", "/").replace("~0", "~"))) if target is not None else None
        if target is None:
            break
        schema = target
    return schema


def _type_of(node: Schema) -> str:
    declared = node.get("type")
    if isinstance(declared, str):
        return declared
    if names := [str(item) for item in _items(declared)]:
        return next((item for item in names if item != "null"), "null")
    if "properties" in node:
        return "object"
    if "items" in node or "prefixItems" in node:
        return "array"
    if "minimum" in node or "maximum" in node:
        return "number"
    return "string"


def _array(node: Schema, root: Schema, name: str, depth: int) -> list[Json]:
    if prefix := _items(node.get("prefixItems")):
        return [_make(item, root, name, depth + 1) for item in prefix[:MAX_ITEMS]]
    if node.get("maxItems") == 0 or (depth >= MAX_DEPTH // 3 and "minItems" not in node):
        return []
    count = min(max(_integer(node.get("minItems"), 1), 1), MAX_ITEMS)
    return [_make(node.get("items", {"type": "string"}), root, name, depth + 1) for _ in range(count)]


def _object(node: Schema, root: Schema, depth: int) -> dict[str, Json]:
    named = _mapping(node.get("properties")) or {}
    required = {str(item) for item in _items(node.get("required"))}
    # Deep inside a schema that refers to itself only what is required is made, or it would never end.
    wanted = named if depth < MAX_DEPTH // 3 else [name for name in named if name in required]
    made = {name: _make(named[name], root, name, depth + 1) for name in wanted}
    for name in sorted(required - named.keys()):
        made[name] = _text({}, name)
    return made


def _first_with_value(options: list[Json]) -> Json:
    return next((option for option in options if (_mapping(option) or {}).get("type") != "null"), options[0])


def _integer(value: Json, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def _bound(node: Schema, *names: str) -> float | None:
    for name in names:
        value = node.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    return None


def _number(node: Schema) -> float:
    low, high = _bound(node, "minimum", "exclusiveMinimum"), _bound(node, "maximum", "exclusiveMaximum")
    step = _bound(node, "multipleOf")
    if low is not None and high is not None:
        value = low if low == high else (low + high) / 2
        value = float(math.floor(value)) if value >= low + 1 else value
    elif low is not None:
        value = low + 1
    elif high is not None:
        value = high - 1
    else:
        value = 1
    if step is not None and step > 0:
        value = math.ceil(value / step) * step
    return int(value) if value == int(value) else value


def _text(node: Schema, name: str) -> str:
    form = node.get("format")
    text = _FORMATS.get(form) if isinstance(form, str) else None
    if text is None:
        text = _TEXTS.get(name) or name.replace("_", " ")
    shortest = min(_integer(node.get("minLength"), 0), MAX_TEXT)
    longest = _integer(node.get("maxLength"), MAX_TEXT)
    while len(text) < shortest:
        text += " " + text
    return text[: max(longest, 0)]
