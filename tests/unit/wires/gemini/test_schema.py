"""JSON Schemas as Gemini takes them: looser where it knows no better, never wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gatewayz.errors import InvalidRequest
from gatewayz.wires.gemini.json_schema import MAX_DEPTH, json_schema_to_gemini


def rewritten(schema: Any) -> dict[str, Any]:
    return json_schema_to_gemini(schema, "tools[0].function.parameters")


KEYWORDS: list[tuple[Any, dict[str, Any]]] = [
    ({"type": "string", "title": "T", "description": "d"}, {"type": "string", "title": "T", "description": "d"}),
    ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
    ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
    ({"type": "string", "enum": ["a"], "description": "d"}, {"type": "string", "enum": ["a"], "description": "d"}),
    ({"type": "string", "enum": "a"}, {"type": "string"}),
    ({"type": None, "title": "T"}, {"title": "T"}),
    ({"type": None, "enum": ["a"]}, {"enum": ["a"], "type": "string"}),
    ({"const": "a"}, {"enum": ["a"], "type": "string"}),
    ({"const": 1, "type": "number"}, {"enum": [1], "type": "number"}),
    ({"enum": ["a", 1]}, {"enum": ["a", 1], "type": ["integer", "string"]}),
    ({"enum": [True, None]}, {"enum": [True, None], "type": ["boolean", "null"]}),
    ({"enum": [{}]}, {"enum": [{}]}),
    ({"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
    ({"type": "string", "format": "uuid"}, {"type": "string", "description": "(format: uuid)"}),
    ({"type": "string", "pattern": "^a$", "description": "d"}, {"type": "string", "description": "d (pattern: ^a$)"}),
    (
        {"type": "integer", "exclusiveMinimum": 0, "default": 5},
        {"type": "integer", "description": "(exclusiveMinimum: 0, default: 5)"},
    ),
    (
        {"minimum": 1, "maximum": 2, "minItems": 3, "maxItems": 4},
        {"minimum": 1, "maximum": 2, "minItems": 3, "maxItems": 4},
    ),
    ({"$schema": "x", "$id": "y", "$comment": "z", "not": {}, "if": {}, "patternProperties": {}}, {}),
    ({"type": "array", "items": {"const": 1}}, {"type": "array", "items": {"enum": [1], "type": "integer"}}),
    (
        {"type": "array", "items": [{"type": "string"}, True]},
        {"type": "array", "prefixItems": [{"type": "string"}, {}]},
    ),
    (
        {"anyOf": [{"type": "null"}, {"const": "a"}, False]},
        {"anyOf": [{"type": "null"}, {"enum": ["a"], "type": "string"}]},
    ),
    ({"oneOf": [{"type": "null"}]}, {"oneOf": [{"type": "null"}]}),
    ({"additionalProperties": False}, {"additionalProperties": False}),
    ({"additionalProperties": {"format": "uri"}}, {"additionalProperties": {"description": "(format: uri)"}}),
    ({"$ref": "#/$defs/A", "description": "d", "default": 1}, {"$ref": "#/$defs/A"}),
    (
        {"$ref": "#/definitions/A", "definitions": {"A": {"const": 1}}},
        {"$ref": "#/$defs/A", "$defs": {"A": {"enum": [1], "type": "integer"}}},
    ),
    ({"allOf": [{"$ref": "#/$defs/A"}], "description": "d"}, {"$ref": "#/$defs/A"}),
    (
        {
            "allOf": [
                {"properties": {"a": {"type": "string"}}, "required": ["a"]},
                {"properties": {"b": {}}, "required": ["a", "b"], "type": "object"},
            ]
        },
        {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a", "b"]},
    ),
    ({"properties": {"pattern": {"type": "string"}, "never": False}}, {"properties": {"pattern": {"type": "string"}}}),
    (True, {}),
]


@pytest.mark.parametrize(("schema", "expected"), KEYWORDS)
def test_keyword_by_keyword(schema: Any, expected: dict[str, Any]) -> None:
    assert rewritten(schema) == expected


@pytest.mark.parametrize("schema", [5, "x", [], None, False, {"properties": {"a": 5}}, {"items": "x"}])
def test_what_is_no_schema_is_refused_by_name(schema: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        rewritten(schema)
    assert caught.value.param == "tools[0].function.parameters"


def test_a_schema_may_not_be_deeper_than_a_request() -> None:
    schema: dict[str, Any] = {}
    for _ in range(MAX_DEPTH + 1):
        schema = {"items": schema}
    with pytest.raises(InvalidRequest, match="nested"):
        rewritten(schema)


def test_a_long_hint_is_cut() -> None:
    assert len(rewritten({"pattern": "a" * 5000})["description"]) < 300


@pytest.mark.parametrize("wrong", [["date"], {"a": 1}, 7, None])
def test_a_format_that_is_no_text_is_no_format(wrong: Any) -> None:
    assert "format" not in rewritten({"type": "string", "format": wrong})


SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.just({"type": "string"}) | st.just({"const": 1}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "items": inner,
            "anyOf": st.lists(inner, max_size=2),
            "allOf": st.lists(inner, max_size=2),
            "properties": st.dictionaries(st.text(max_size=3), inner, max_size=2),
            "$defs": st.dictionaries(st.text(max_size=3), inner, max_size=2),
            "$ref": st.just("#/$defs/a"),
            "format": st.text(max_size=4),
        },
    ),
    max_leaves=8,
)


@given(schema=SCHEMAS)
def test_rewriting_twice_changes_nothing_more(schema: Any) -> None:
    assume(schema is not False)
    once = rewritten(schema)
    assert rewritten(once) == once
