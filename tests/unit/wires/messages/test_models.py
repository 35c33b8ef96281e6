"""What each generation of Claude is asked, and what it is spared because it would refuse it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gatewayz.wires.anthropic_messages.json_schema import narrowed
from gatewayz.wires.anthropic_messages.wire import MessagesProvider

PROVIDER = MessagesProvider()
USER = {"role": "user", "content": "hi"}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def sent(model: str, **members: Any) -> dict[str, Any]:
    request: dict[str, Any] = orjson.loads(PROVIDER.from_chat({"messages": [USER], **members}, model, stream=False))
    return request


@pytest.mark.parametrize(
    ("model", "max_tokens"),
    [
        ("claude-3-haiku-20240307", 4_096),
        ("claude-3-5-sonnet-20241022", 8_192),
        ("claude-3-7-sonnet-20250219", 32_000),
        ("claude-sonnet-4-20250514", 32_000),
        ("anthropic/claude-opus-4.1", 32_000),
        ("claude-next", 32_000),
    ],
)
def test_a_limit_that_the_model_can_take_stands_in_for_none(model: str, max_tokens: int) -> None:
    assert sent(model)["max_tokens"] == max_tokens


ADAPTIVE = {"type": "adaptive"}
SHOWN = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("model", "effort", "max_tokens", "thinking", "said"),
    [
        ("claude-3-haiku-20240307", "high", None, None, None),
        ("claude-3-5-haiku-20241022", "high", None, None, None),
        ("claude-3-7-sonnet-20250219", "low", None, {"type": "enabled", "budget_tokens": 2_048}, None),
        ("claude-sonnet-4-5-20250929", "low", None, {"type": "enabled", "budget_tokens": 2_048}, None),
        ("claude-haiku-4-5", "high", None, {"type": "enabled", "budget_tokens": 16_000}, None),
        ("claude-opus-4-20250514", "medium", 4_000, {"type": "enabled", "budget_tokens": 2_000}, None),
        ("claude-opus-4-1", "medium", 2_000, None, None),
        ("claude-opus-4-6", "high", 2_000, ADAPTIVE, "high"),
        # "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium."
        ("claude-opus-4-6", "xhigh", None, ADAPTIVE, "max"),
        ("claude-sonnet-4-6", "xhigh", None, ADAPTIVE, "max"),
        ("claude-opus-4-7", "xhigh", None, SHOWN, "xhigh"),
        ("claude-fable-5", "max", None, SHOWN, "max"),
        ("claude-opus-7", "minimal", None, SHOWN, "low"),
        ("MiniMax-M3", "high", None, ADAPTIVE, "high"),
    ],
)
def test_each_generation_is_asked_to_think_in_its_own_way(
    model: str, effort: str, max_tokens: int | None, thinking: dict[str, Any] | None, said: str | None
) -> None:
    request = sent(model, reasoning_effort=effort, max_tokens=max_tokens)
    assert request.get("thinking") == thinking
    assert request.get("output_config") == (None if said is None else {"effort": said})


@pytest.mark.parametrize(
    ("model", "thinking", "said"),
    [
        ("claude-3-5-haiku-20241022", None, None),
        ("claude-sonnet-4-5", None, None),
        ("claude-opus-4-8", None, None),
        ("claude-opus-5", {"type": "disabled"}, None),
        ("claude-sonnet-5", {"type": "disabled"}, None),
        ("claude-haiku-5-5", {"type": "disabled"}, None),
        ("claude-sonnet-5-5", {"type": "between_tools"}, None),
        ("claude-opus-5-5", None, {"effort": "low"}),
        ("claude-fable-5", None, {"effort": "low"}),
        ("claude-mythos-preview", None, {"effort": "low"}),
        ("claude-sonnet-6", None, {"effort": "low"}),
        ("MiniMax-M3", {"type": "disabled"}, None),
    ],
)
@pytest.mark.parametrize(
    "members", [{"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}, {"reasoning": {"enabled": False}}]
)
def test_each_is_told_not_to_think_in_a_way_that_it_takes(
    model: str, thinking: dict[str, Any] | None, said: dict[str, Any] | None, members: dict[str, Any]
) -> None:
    request = sent(model, **members)
    assert (request.get("thinking"), request.get("output_config")) == (thinking, said)


@pytest.mark.parametrize(
    ("members", "model", "thinking", "said"),
    [
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2_000}},
            "claude-sonnet-4-5",
            {"type": "enabled", "budget_tokens": 2_000},
            None,
        ),
        ({"thinking": {"type": "enabled", "budget_tokens": 2_000}}, "claude-opus-5", SHOWN, "low"),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 9_000}, "reasoning_effort": "max"},
            "claude-opus-5",
            SHOWN,
            "max",
        ),
        ({"thinking": {"type": "adaptive"}}, "claude-opus-5", SHOWN, None),
        ({"thinking": {"type": "adaptive"}}, "claude-sonnet-4-5", {"type": "enabled", "budget_tokens": 8_192}, None),
        (
            {"thinking": {"type": "adaptive", "display": "omitted"}},
            "claude-opus-5",
            {"type": "adaptive", "display": "omitted"},
            None,
        ),
        ({"reasoning": {"effort": "high"}}, "claude-opus-5", SHOWN, "high"),
        (
            {"reasoning": {"effort": "high", "exclude": True}},
            "claude-opus-5",
            {"type": "adaptive", "display": "omitted"},
            "high",
        ),
        ({"reasoning": {"max_tokens": 3_000}}, "claude-sonnet-4-5", {"type": "enabled", "budget_tokens": 3_000}, None),
        ({"reasoning": {"enabled": True}}, "claude-opus-5", SHOWN, None),
        ({"reasoning": {"exclude": True}}, "claude-opus-5", None, None),
        ({"reasoning": {}}, "claude-opus-5", None, None),
    ],
)
def test_thinking_may_be_asked_for_in_every_customary_way(
    members: dict[str, Any], model: str, thinking: dict[str, Any] | None, said: str | None
) -> None:
    request = sent(model, **members)
    assert request.get("thinking") == thinking
    assert request.get("output_config") == (None if said is None else {"effort": said})


def test_a_budget_leaves_room_for_the_answer() -> None:
    wide = sent("claude-sonnet-4-5", thinking={"type": "enabled", "budget_tokens": 40_000})
    assert (wide["max_tokens"], wide["thinking"]["budget_tokens"]) == (44_096, 40_000)
    narrow = sent("claude-sonnet-4-5", thinking={"type": "enabled", "budget_tokens": 40_000}, max_tokens=5_000)
    assert (narrow["max_tokens"], narrow["thinking"]["budget_tokens"]) == (5_000, 4_999)
    assert "thinking" not in sent(
        "claude-sonnet-4-5", thinking={"type": "enabled", "budget_tokens": 2_000}, max_tokens=9
    )


ALL = {"temperature": 0.2, "top_p": 0.9, "top_k": 5}
KEPT = {"temperature": 1, "top_p": 0.97}  # while a model thinks


@pytest.mark.parametrize(
    ("model", "members", "expected"),
    [
        ("claude-3-5-haiku-20241022", ALL, ALL),
        ("claude-sonnet-4-20250514", {"temperature": 1.2}, {"temperature": 1}),
        ("claude-sonnet-4-20250514", {**ALL, "reasoning_effort": "high"}, {}),
        ("claude-sonnet-4-20250514", {**KEPT, "reasoning_effort": "low"}, KEPT),
        # "`temperature` and `top_p` cannot both be specified for this model."
        ("claude-sonnet-4-5", ALL, {"temperature": 0.2, "top_k": 5}),
        ("claude-sonnet-4-5", {"temperature": 1, "top_p": 0.9}, {"top_p": 0.9}),
        ("claude-sonnet-4-5", {"top_p": 0.9}, {"top_p": 0.9}),
        ("claude-opus-4-6", {"temperature": 0.2, "reasoning_effort": "high"}, {}),
        ("claude-opus-4-6", {"temperature": 0.2}, {"temperature": 0.2}),
        ("claude-opus-4-7", {"temperature": 0}, {}),
        ("claude-sonnet-5", {"temperature": 1, "top_p": 0.99}, {}),
        ("claude-haiku-5-5", ALL, {}),
        ("claude-mythos-preview", ALL, {}),
        ("claude-of-tomorrow", ALL, {}),
        ("MiniMax-M3", ALL, ALL),
    ],
)  # fmt: skip
def test_sampling_that_a_model_refuses_is_left_out(
    model: str, members: dict[str, Any], expected: dict[str, Any]
) -> None:
    request = sent(model, **members)
    assert {name: request[name] for name in ALL if name in request} == expected


@pytest.mark.parametrize("model", ["claude-opus-4-6", "claude-sonnet-5", "claude-haiku-5-5", "MiniMax-M3"])
def test_a_model_that_can_be_made_to_call_is(model: str) -> None:
    assert sent(model, tools=[TOOL], tool_choice="required")["tool_choice"] == {"type": "any"}


@pytest.mark.parametrize(
    "model", ["claude-fable-5", "claude-mythos-preview", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-6"]
)
def test_a_model_that_cannot_be_made_to_call_is_asked_to(model: str) -> None:
    request = sent(model, tools=[TOOL], tool_choice="required", parallel_tool_calls=False)
    assert request["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert request["system"] == "Answer by calling at least one of the tools."
    named = sent(model, tools=[TOOL], tool_choice={"type": "function", "function": {"name": "f"}})
    assert (named["tool_choice"], named["system"]) == ({"type": "auto"}, "Answer by calling the tool f.")


CITY: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}


def form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}


@pytest.mark.parametrize("model", ["claude-3-5-haiku-20241022", "claude-sonnet-4-20250514"])
def test_a_model_that_knows_no_schemas_is_told_the_schema(model: str) -> None:
    request = sent(model, response_format=form(CITY))
    assert "output_config" not in request
    assert request["system"].endswith(orjson.dumps(CITY).decode())
    assert "strict" not in sent(model, tools=[{**TOOL, "function": {**TOOL["function"], "strict": True}}])["tools"][0]


@pytest.mark.parametrize("model", ["claude-opus-4-1", "claude-haiku-4-5", "claude-sonnet-5", "claude-opus-9"])
def test_a_model_that_knows_schemas_is_kept_to_it(model: str) -> None:
    request = sent(model, response_format=form(CITY))
    assert request["output_config"]["format"]["schema"] == {**CITY, "additionalProperties": False}
    assert "system" not in request


def test_a_schema_that_anthropic_cannot_say_is_told_to_the_model() -> None:
    free = {"type": "object", "additionalProperties": {"type": "integer"}}
    request = sent("claude-sonnet-5", response_format=form(free))
    assert "output_config" not in request
    assert request["system"].endswith(orjson.dumps(free).decode())


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (
            {"type": "integer", "minimum": 1, "maximum": 10, "description": "How many."},
            {"type": "integer", "description": "How many. (minimum: 1, maximum: 10)"},
        ),
        ({"type": "string", "minLength": 2}, {"type": "string", "description": "(minLength: 2)"}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "format": "byte"}, {"type": "string", "description": '(format: "byte")'}),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
        ),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 2},
            {"type": "array", "items": {"type": "string"}, "description": "(minItems: 2)"},
        ),
        ({"oneOf": [{"type": "null"}, {"const": 1}]}, {"anyOf": [{"type": "null"}, {"const": 1}]}),
        (
            {"$ref": "#/$defs/A", "description": "x", "$defs": {"A": {"type": "object", "properties": {}}}},
            {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {}, "additionalProperties": False}}},
        ),
        (
            {"allOf": [{"$ref": "#/$defs/A"}], "description": "x", "$defs": {"A": {"type": "string"}}},
            {"$ref": "#/$defs/A", "$defs": {"A": {"type": "string"}}},
        ),
        (
            {"type": "object", "properties": {"minimum": {"type": "number", "minimum": 0}}, "$schema": "x"},
            {
                "type": "object",
                "properties": {"minimum": {"type": "number", "description": "(minimum: 0)"}},
                "additionalProperties": False,
            },
        ),
        ({"type": "object"}, None),
        ({}, None),
        ({"type": "array", "items": True}, None),
        ({"type": "string", "enum": [{"a": 1}]}, None),
        ({"not": {"type": "string"}, "type": "string"}, None),
        ({"$ref": "https://example.org/schema"}, None),
        (
            {
                "$ref": "#/$defs/A",
                "$defs": {"A": {"type": "object", "properties": {"next": {"$ref": "#/$defs/A"}}}},
            },
            None,
        ),
        ({"type": "object", "properties": {"whole": {"$ref": "#"}}}, None),
    ],
)
def test_a_schema_is_brought_into_the_part_that_anthropic_knows(
    schema: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    assert narrowed(schema) == expected
