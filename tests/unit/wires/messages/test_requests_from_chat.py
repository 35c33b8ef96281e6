"""Chat requests as Anthropic's."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from anthropic.types import message_create_params
from pydantic import TypeAdapter

from gatewayz.errors import InvalidRequest
from gatewayz.wires.anthropic_messages.wire import MessagesProvider

PROVIDER = MessagesProvider()
USER = {"role": "user", "content": "hi"}
ADAPTER: TypeAdapter[Any] = TypeAdapter(message_create_params.MessageCreateParamsNonStreaming)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "object", "properties": {}}},
    "required": ["a"],
}
CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "object", "properties": {}, "additionalProperties": False}},
    "required": ["a"],
    "additionalProperties": False,
}
FREE: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}
FUNCTION: dict[str, Any] = {"name": "f", "description": "does", "parameters": {"type": "object", "properties": {}}}
TOOL: dict[str, Any] = {"type": "function", "function": FUNCTION}
OTHER: dict[str, Any] = {"type": "function", "function": {**FUNCTION, "name": "g"}}
DEFINED: dict[str, Any] = {"name": "f", "description": "does", "input_schema": {"type": "object", "properties": {}}}


PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}


def sent(chat: dict[str, Any], model: str = "claude-sonnet-5", *, stream: bool = False) -> dict[str, Any]:
    request: dict[str, Any] = orjson.loads(PROVIDER.from_chat(chat, model, stream=stream))
    return request


def turns(*messages: dict[str, Any]) -> list[Any]:
    return sent({"messages": list(messages)})["messages"]


def allowed(mode: str) -> dict[str, Any]:
    return {
        "type": "allowed_tools",
        "allowed_tools": {"mode": mode, "tools": [{"type": "function", "function": {"name": "f"}}]},
    }


def tool_call(call_id: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}}


MEMBERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"max_tokens": 7}, {"max_tokens": 7}),
    ({"max_tokens": 7, "max_completion_tokens": 8}, {"max_tokens": 8}),
    ({"seed": 4, "temperature": 0, "top_p": 0.5, "top_k": 4}, {}),  # this model takes no sampling, none takes a seed
    ({"stop": "END"}, {"stop_sequences": ["END"]}),
    ({"stop": ["A", "B"]}, {"stop_sequences": ["A", "B"]}),
    ({"stop": ["\n", "B"]}, {"stop_sequences": ["B"]}),
    ({"stop": "\n\n"}, {}),
    ({"user": "u-1"}, {"metadata": {"user_id": "u-1"}}),
    ({"user": "u-1", "safety_identifier": "s-1"}, {"metadata": {"user_id": "s-1"}}),
    ({"n": 1, "logprobs": False, "frequency_penalty": 0.0, "logit_bias": {}, "seed": None}, {}),
    ({"store": True, "metadata": {"a": "b"}, "prompt_cache_key": "k", "service_tier": "auto"}, {}),
    ({"tools": [TOOL]}, {"tools": [DEFINED]}),
    ({"tools": [TOOL], "tool_choice": "auto"}, {"tools": [DEFINED], "tool_choice": {"type": "auto"}}),
    ({"tools": [TOOL], "tool_choice": "none"}, {"tools": [DEFINED], "tool_choice": {"type": "none"}}),
    ({"tools": [TOOL], "tool_choice": "required"}, {"tools": [DEFINED], "tool_choice": {"type": "any"}}),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"tools": [DEFINED], "tool_choice": {"type": "tool", "name": "f"}},
    ),
    (
        {"tools": [TOOL], "parallel_tool_calls": False},
        {"tools": [DEFINED], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    ),
    ({"tools": [TOOL], "parallel_tool_calls": True}, {"tools": [DEFINED]}),
    (
        {"tools": [{"type": "function", "function": {"name": "g", "strict": True, "parameters": SCHEMA}}]},
        {"tools": [{"name": "g", "input_schema": CLOSED, "strict": True}]},
    ),
    (  # of what strictness cannot promise, nothing is said
        {"tools": [{"type": "function", "function": {"name": "g", "strict": True, "parameters": FREE}}]},
        {"tools": [{"name": "g", "input_schema": FREE}]},
    ),
    ({"tools": [{"function": FUNCTION}]}, {"tools": [DEFINED]}),
    (
        {"tools": [TOOL], "tool_choice": "any"},
        {"tools": [DEFINED], "tool_choice": {"type": "any"}},
    ),
    (
        {"tools": [TOOL], "tool_choice": {"function": {"name": "f"}}},
        {"tools": [DEFINED], "tool_choice": {"type": "tool", "name": "f"}},
    ),
    (
        {"tools": [TOOL, OTHER], "tool_choice": allowed("auto")},
        {"tools": [DEFINED], "tool_choice": {"type": "auto"}},
    ),
    (
        {"tools": [OTHER, TOOL], "tool_choice": allowed("required")},
        {"tools": [DEFINED], "tool_choice": {"type": "any"}},
    ),
    ({"response_format": {"type": "text"}}, {}),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": True}}},
        {"output_config": {"format": {"type": "json_schema", "schema": CLOSED}}},
    ),
    (
        {"response_format": {"type": "json_object"}},
        {"system": "Answer with one valid JSON object and nothing else."},
    ),
    (
        {"reasoning_effort": "medium"},
        {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "medium"}},
    ),
    (
        {"reasoning_effort": "low", "tools": [TOOL], "tool_choice": "required"},
        {"tools": [DEFINED], "tool_choice": {"type": "any"}, "output_config": {"effort": "low"}},
    ),
    ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
]


@pytest.mark.parametrize(("members", "expected"), MEMBERS)
def test_members_find_their_equals(members: dict[str, Any], expected: dict[str, Any]) -> None:
    request = sent({"messages": [USER], **members})
    assert request == {"model": "claude-sonnet-5", "max_tokens": 32_000, "messages": [USER], **expected}
    ADAPTER.validate_python(request)


def test_a_stream_is_asked_for() -> None:
    chat = {"messages": [USER], "stream": True, "stream_options": {"include_usage": True}}
    assert sent(chat, stream=True)["stream"] is True
    assert "stream" not in sent(chat)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"temperature": "x"}, "temperature"),
    ({"n": 2}, "n"),
    ({"logprobs": True}, "logprobs"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"frequency_penalty": 0.5}, "frequency_penalty"),
    ({"presence_penalty": -0.5}, "presence_penalty"),
    ({"logit_bias": {"5": 1}}, "logit_bias"),
    ({"thinking": {"type": "sometimes"}}, "thinking.type"),
    ({"thinking": {"type": "enabled", "budget_tokens": "x"}}, "thinking.budget_tokens"),
    ({"reasoning": {"effort": "extreme"}}, "reasoning.effort"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"audio": {"voice": "x"}}, "audio"),
    ({"web_search_options": {}}, "web_search_options"),
    ({"functions": [{"name": "f"}]}, "functions"),
    ({"brand_new": 1}, "brand_new"),
    ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools"),
    ({"tools": [OTHER], "tool_choice": allowed("auto")}, "tool_choice.allowed_tools.tools"),
    ({"tools": [TOOL], "tool_choice": {"type": "custom", "custom": {"name": "x"}}}, "tool_choice.type"),
    ({"tools": [TOOL], "tool_choice": "maybe"}, "tool_choice"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"reasoning_effort": "extreme"}, "reasoning_effort"),
    ({"max_tokens": "many"}, "max_completion_tokens"),
    ({"stop": 5}, "stop"),
    ({"messages": "hi"}, "messages"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages"),
    ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0].type"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}]},
        "messages[0].content[0].image_url.url",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
        "messages[0].content[0].file",
    ),
    (
        {"messages": [USER, {"role": "assistant", "tool_calls": [tool_call("x", "{")]}]},
        "messages[1].tool_calls[0].function.arguments",
    ),
    (
        {"messages": [USER, {"role": "assistant", "tool_calls": [tool_call("x", "[]")]}]},
        "messages[1].tool_calls[0].function.arguments",
    ),
    (
        {"messages": [USER, {"role": "assistant", "function_call": {"name": "f"}}]},
        "messages[1].function_call",
    ),
]


@pytest.mark.parametrize(("members", "param"), REFUSED)
def test_what_has_no_equal_is_refused_by_name(members: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        sent({"messages": [USER], **members})
    assert refused.value.param == param
    assert param.split("[")[0] in refused.value.message


def test_the_system_prompt_is_gathered_from_where_it_stands() -> None:
    chat = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "developer",
                "content": [{"type": "text", "text": "And kind.", "cache_control": {"type": "ephemeral"}}],
            },
            USER,
        ]
    }
    request = sent(chat)
    assert request["messages"] == [USER]
    assert request["system"] == [
        {"type": "text", "text": "Be brief."},
        {"type": "text", "text": "And kind.", "cache_control": {"type": "ephemeral"}},
    ]
    assert sent({"messages": [{"role": "system", "content": "Be brief."}, USER]})["system"] == "Be brief."


def test_results_of_parallel_calls_stand_in_one_turn_with_what_follows() -> None:
    made = turns(
        USER,
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [tool_call("a", '{"x":1}'), tool_call("b", "")],
        },
        {"role": "tool", "tool_call_id": "a", "content": "one"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": "And?"},
    )
    assert made == [
        USER,
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "one"},
                {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "two"}]},
                {"type": "text", "text": "And?"},
            ],
        },
    ]


def test_images_and_files_are_shown() -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO", "detail": "high"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
    ]
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
    assert turns({"role": "user", "content": parts})[0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "document", "source": pdf, "title": "a.pdf"},
    ]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"type": "image_url", "image_url": {"url": "data:application/pdf;base64,JVBE"}},
            {"type": "document", "source": PDF},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://example.org/a.PDF?x=1"}},
            {"type": "document", "source": {"type": "url", "url": "https://example.org/a.PDF?x=1"}},
        ),
        (
            {"type": "image_url", "image_url": "https://example.org/a.png"},
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,/9j/"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/"}},
        ),
        (
            {
                "type": "file",
                "file": {"filename": "a.txt", "file_data": "data:text/plain;charset=utf-8;base64,R3LDvMOfZQ=="},
            },
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"},
                "title": "a.txt",
            },
        ),
        (
            {"type": "file", "file": {"file_data": "JVBERi0xLjcK"}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjcK"}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:image/png;base64,iVBO", "filename": "a.png"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
        ),
        (
            {"type": "file", "file": {"file_data": "https://example.org/report"}},
            {"type": "document", "source": {"type": "url", "url": "https://example.org/report"}},
        ),
    ],
)
def test_each_kind_of_file_is_shown_as_what_it_is(part: dict[str, Any], block: dict[str, Any]) -> None:
    assert turns({"role": "user", "content": [part]})[0]["content"] == [block]


@pytest.mark.parametrize("data", ["AAAA", "data:text/plain;base64,/w==", "data:audio/wav;base64,UklG"])
def test_a_file_that_cannot_be_read_is_refused_by_name(data: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        turns({"role": "user", "content": [{"type": "file", "file": {"file_data": data}}]})
    assert refused.value.param == "messages[0].content[0].file.file_data"


def test_a_mark_for_the_cache_on_a_whole_message_stands_on_its_last_block() -> None:
    mark = {"type": "ephemeral"}
    chat = {
        "messages": [
            {"role": "system", "content": "Be brief.", "cache_control": mark},
            {"role": "user", "content": "hi", "cache_control": mark},
            {"role": "assistant", "content": "ho", "tool_calls": [tool_call("a", "{}")], "cache_control": mark},
            {"role": "tool", "tool_call_id": "a", "content": "1"},
        ]
    }
    request = sent(chat)
    assert request["system"] == [{"type": "text", "text": "Be brief.", "cache_control": mark}]
    assert request["messages"][0]["content"] == [{"type": "text", "text": "hi", "cache_control": mark}]
    assert [block.get("cache_control") for block in request["messages"][1]["content"]] == [None, mark]


def test_a_system_prompt_that_nothing_follows_is_the_users_turn() -> None:
    request = sent({"messages": [{"role": "system", "content": "Tell a joke."}]})
    assert request["messages"] == [{"role": "user", "content": "Tell a joke."}]
    assert "system" not in request


def test_ids_of_other_providers_calls_are_rewritten_alike_in_calls_and_results() -> None:
    calls = [tool_call("functions.f:0", "{}"), tool_call("functions.f:1", "{}"), tool_call("", "{}")]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "1"} for call in calls]
    _, asked, answered = turns(USER, {"role": "assistant", "content": None, "tool_calls": calls}, *results)
    ids = [block["id"] for block in asked["content"]]
    assert all(re.fullmatch("[a-zA-Z0-9_-]+", name) for name in ids)
    assert len(set(ids)) == 3
    assert [block["tool_use_id"] for block in answered["content"]] == ids
    _, kept = turns(USER, {"role": "assistant", "tool_calls": [tool_call("toolu_0-A", "{}")]})
    assert kept["content"][0]["id"] == "toolu_0-A"


def test_results_stand_ahead_of_what_the_user_said_before_them() -> None:
    calls = {"role": "assistant", "content": None, "tool_calls": [tool_call("a", "{}")]}
    made = turns(
        USER, calls, {"role": "user", "content": "Hurry."}, {"role": "tool", "tool_call_id": "a", "content": "1"}
    )
    assert [block["type"] for block in made[2]["content"]] == ["tool_result", "text"]


@pytest.mark.parametrize(
    ("arguments", "expected"), [({"x": 1}, {"x": 1}), (None, {}), ("null", {}), (" ", {}), ('{"x":1}', {"x": 1})]
)
def test_a_calls_arguments_may_come_in_every_customary_form(arguments: Any, expected: dict[str, Any]) -> None:
    call = {"id": "a", "function": {"name": "f", "arguments": arguments}}
    made = turns(
        USER, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "a", "content": None}
    )
    assert made[1]["content"][0]["input"] == expected
    assert made[2]["content"] == [{"type": "tool_result", "tool_use_id": "a", "content": []}]


def test_white_space_of_an_earlier_answer_is_not_said() -> None:
    answer = {"role": "assistant", "content": "\n\n", "tool_calls": [tool_call("a", "{}")]}
    made = turns(USER, answer, {"role": "tool", "tool_call_id": "a", "content": "1"})
    assert [block["type"] for block in made[1]["content"]] == ["tool_use"]


def test_the_beginning_of_an_answer_does_not_end_in_white_space() -> None:
    assert turns(USER, {"role": "assistant", "content": "The answer is \n"})[-1]["content"] == "The answer is"
    assert turns(USER, {"role": "assistant", "content": "  "}) == [USER]
    assert turns(USER, {"role": "assistant", "content": None}) == [USER]


def test_thinking_that_anthropic_signed_comes_back_ahead_of_its_answer_and_no_other_does() -> None:
    details = [
        {"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "b3Bh", "format": "anthropic-claude-v1"},
        {"type": "reasoning.text", "text": "unsigned", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "openai:rs_1:b3Bh", "format": "openai-responses-v1"},
        {"type": "reasoning.text", "text": "another model's", "signature": "c2ln"},
    ]
    answer = {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm.", "reasoning_details": details}
    assert turns(USER, answer, USER)[1]["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "b3Bh"},
        {"type": "text", "text": "Yes."},
    ]


def test_a_model_with_a_budget_does_not_begin_to_think_amid_tool_calls() -> None:
    calls: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [tool_call("a", "{}")]}
    result = {"role": "tool", "tool_call_id": "a", "content": "one"}
    chat = {"messages": [USER, calls, result], "reasoning_effort": "low"}
    assert "thinking" not in sent(chat, "claude-sonnet-4-5")
    signed: dict[str, Any] = {
        **calls,
        "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "signature": "c2ln"}],
    }
    signed["reasoning_details"][0]["format"] = "anthropic-claude-v1"
    assert "thinking" in sent({**chat, "messages": [USER, signed, result]}, "claude-sonnet-4-5")


def test_a_schema_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(2_000):
        schema = {"type": "array", "items": schema}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    with pytest.raises(InvalidRequest):
        PROVIDER.from_chat({"messages": [USER], "response_format": form}, "claude-sonnet-5", stream=False)
