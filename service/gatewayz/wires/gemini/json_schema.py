"""JSON Schema as Gemini accepts it.

Gemini has two places for a schema. The older one is a protobuf message, which refuses the whole request on the first unknown
keyword. The newer one (``parametersJsonSchema``, ``responseJsonSchema``) accepts JSON Schema and documents which keywords it
supports. This module writes the newer one. Unsupported limits move into the description where possible, for the model reads
it. Unsupported keywords that shape whole objects are dropped: the schema becomes looser, never wrong.

Source: the field reference of GenerationConfig.responseJsonSchema; pydantic-ai#3357 and #3610 for the actual behaviour
(``enum`` without ``type`` is ignored, ``const`` is unknown, most formats are refused).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from gatewayz.errors import InvalidRequest

MAX_DEPTH = 64  # as deep as a request body may be nested at all

Schema = Mapping[str, Any]

_KEPT = frozenset(
    {
        "title",
        "description",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "required",
        "propertyOrdering",
        "$anchor",
    }
)
_LEAF = _KEPT | {"type", "enum"}
_ANY: list[Any] = []
_NOTED = (
    "pattern", "minLength", "maxLength", "multipleOf", "exclusiveMinimum", "exclusiveMaximum", "uniqueItems", "minProperties",
    "maxProperties", "default", "examples", "example",
)  # fmt: skip
_NOTEWORTHY = frozenset((*_NOTED, "format"))
_FORMATS = frozenset({"date-time", "date", "time", "int32", "int64", "float", "double", "enum"})
_MAX_NOTE_CHARACTERS = 200
_DEFINITIONS = "#/definitions/"


def json_schema_to_gemini(schema: Any, param: str) -> dict[str, Any]:
    """The schema with only the keywords that Gemini supports. Raises InvalidRequest naming ``param`` for an invalid
    schema."""
    return _Rewriter(param).schema(schema, 0)


class _Rewriter:
    __slots__ = ("_param",)

    def __init__(self, param: str) -> None:
        self._param = param

    def schema(self, given: Any, depth: int) -> dict[str, Any]:
        if given is True:
            return {}
        if not isinstance(given, dict):
            raise InvalidRequest(
                f"Invalid value for '{self._param}': a schema must be an object.",
                code="invalid_value",
                param=self._param,
            )
        if depth > MAX_DEPTH:
            raise InvalidRequest(
                f"Invalid value for '{self._param}': nested deeper than {MAX_DEPTH}.",
                code="invalid_value",
                param=self._param,
            )
        schema = cast("dict[str, Any]", given)
        if schema.keys() <= _LEAF and schema.get("type") and isinstance(schema.get("enum", _ANY), list):
            return schema.copy()  # the common case: a property in which nothing has to change
        if isinstance(reference := schema.get("$ref"), str):
            # Gemini accepts only definitions next to a reference.
            kept: dict[str, Any] = {"$ref": reference.replace(_DEFINITIONS, "#/$defs/", 1)}
            self._definitions(schema, kept, depth)
            return kept
        schema = _merged(schema)
        if isinstance(schema.get("$ref"), str):
            return self.schema(schema, depth)
        kept = {name: value for name, value in schema.items() if name in _KEPT}
        self._type(schema, kept)
        self._format(schema, kept)
        self._nested(schema, kept, depth)
        self._definitions(schema, kept, depth)
        _note(schema, kept)
        return kept

    def _type(self, schema: Schema, kept: dict[str, Any]) -> None:
        kind = schema.get("type")
        values: Any = schema.get("enum")
        if "const" in schema and not isinstance(values, list):
            values = [schema["const"]]
        if isinstance(values, list):
            kept["enum"] = values
            kind = kind or _type_of(cast("list[Any]", values))
        if schema.get("nullable") is True and isinstance(kind, str):
            kind = [kind, "null"]
        if kind is not None:
            kept["type"] = kind

    def _format(self, schema: Schema, kept: dict[str, Any]) -> None:
        name = schema.get("format")
        if isinstance(name, str) and name in _FORMATS:
            kept["format"] = name

    def _nested(self, schema: Schema, kept: dict[str, Any], depth: int) -> None:
        for name in ("anyOf", "oneOf", "prefixItems"):
            if isinstance(several := schema.get(name), list):
                kept[name] = [self.schema(one, depth + 1) for one in cast("list[Any]", several) if one is not False]
        if isinstance(properties := schema.get("properties"), Mapping):
            kept["properties"] = self._each(cast("Schema", properties), depth)
        items = schema.get("items")
        if isinstance(items, list):  # a tuple in the form of drafts before 2020-12
            kept.setdefault("prefixItems", [self.schema(one, depth + 1) for one in cast("list[Any]", items)])
        elif items is not None and items is not False:
            kept["items"] = self.schema(items, depth + 1)
        more = schema.get("additionalProperties")
        if isinstance(more, bool):
            kept["additionalProperties"] = more
        elif more is not None:
            kept["additionalProperties"] = self.schema(more, depth + 1)

    def _definitions(self, schema: Schema, kept: dict[str, Any], depth: int) -> None:
        for name in ("definitions", "$defs"):
            if isinstance(definitions := schema.get(name), Mapping):
                kept.setdefault("$defs", {}).update(self._each(cast("Schema", definitions), depth))

    def _each(self, schemas: Schema, depth: int) -> dict[str, Any]:
        return {name: self.schema(one, depth + 1) for name, one in schemas.items() if one is not False}


def _merged(schema: Schema) -> Schema:
    """``allOf``, which Gemini does not know, merged into its parent schema. Properties and requirements are united; of any
    other keyword the first value counts."""
    several = schema.get("allOf")
    if not isinstance(several, list):
        return schema
    parts = [cast("Schema", one) for one in cast("list[Any]", several) if isinstance(one, Mapping)]
    whole = {name: value for name, value in schema.items() if name != "allOf"}
    if len(parts) == 1 and "$ref" in parts[0]:
        return {**parts[0], **{name: whole[name] for name in ("$defs", "definitions") if name in whole}}
    for part in parts:
        for name, value in part.items():
            if name == "properties" and isinstance(value, Mapping) and isinstance(whole.get(name), Mapping):
                whole[name] = {**cast("Schema", value), **cast("Schema", whole[name])}
            elif name == "required" and isinstance(value, list) and isinstance(whole.get(name), list):
                known = cast("list[Any]", whole[name])
                whole[name] = [*known, *[one for one in cast("list[Any]", value) if one not in known]]
            elif name not in ("$ref", "allOf"):
                whole.setdefault(name, value)
    return whole


def _type_of(values: list[Any]) -> str | list[str] | None:
    """The type that an ``enum`` implies: Gemini ignores an ``enum`` without a type."""
    names = {_JSON_TYPES.get(type(value).__name__, "object") for value in values}
    if not names or "object" in names:
        return None
    return names.pop() if len(names) == 1 else sorted(names)


_JSON_TYPES = {"str": "string", "bool": "boolean", "int": "integer", "float": "number", "NoneType": "null"}


def _note(schema: Schema, kept: dict[str, Any]) -> None:
    """Put keywords that Gemini does not support into the description."""
    if _NOTEWORTHY.isdisjoint(schema):
        return
    notes = [f"{name}: {_short(schema[name])}" for name in _NOTED if schema.get(name) is not None]
    if "format" in schema and "format" not in kept:
        notes.append(f"format: {_short(schema['format'])}")
    if notes:
        description = kept.get("description")
        before = f"{description} " if isinstance(description, str) and description else ""
        kept["description"] = f"{before}({', '.join(notes)})"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _MAX_NOTE_CHARACTERS else text[:_MAX_NOTE_CHARACTERS] + "…"
