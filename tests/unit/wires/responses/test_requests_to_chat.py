"""Requests of callers of Responses: how they are parsed, what they become in chat, and what is refused by its name."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParams as ChatParams
from pydantic import TypeAdapter

from gatewayz.errors import InvalidRequest
from gatewayz.records import Call
from gatewayz.wires.openai_responses.wire import ResponsesCaller, ResponsesProvider

CALLER = ResponsesCaller()
PROVIDER = ResponsesProvider()
CHAT: TypeAdapter[Any] = TypeAdapter(ChatParams)

PIXEL = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def call_for(**members: Any) -> Call:
    return CALLER.parse(orjson.dumps({"model": "m", "input": "hi", **members}))


def as_chat(**members: Any) -> dict[str, Any]:
    chat = CALLER.as_chat(call_for(**members))
    CHAT.validate_python(chat)
    return chat


def messages_of(*items: Any, **members: Any) -> list[Any]:
    return as_chat(input=list(items), **members)["messages"]


def refused(**members: Any) -> str | None:
    with pytest.raises(InvalidRequest) as caught:
        CALLER.as_chat(call_for(**members))
    assert str(caught.value.param) in caught.value.message
    return caught.value.param


MEMBERS_WITHOUT_EQUAL: list[tuple[dict[str, Any], str]] = [
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"prompt": {"id": "p"}}, "prompt"),
    ({"background": True}, "background"),
    ({"context_management": [{"type": "compaction"}]}, "context_management"),
    ({"moderation": {"model": "m"}}, "moderation"),
    ({"messages": []}, "messages"),
    ({"input": None}, "input"),
    ({"instructions": 5}, "instructions"),
    ({"text": 5}, "text"),
    ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
    ({"text": {"format": {"type": "json_schema"}}}, "text.format.name"),
    ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
    ({"tools": {}}, "tools"),
    ({"tools": [5]}, "tools[0]"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"tools": [{"type": "mcp", "server_url": "x"}]}, "tools[0].type"),
    ({"tools": [{"type": "function"}]}, "tools[0].name"),
    ({"tools": [{}]}, "tools[0].type"),
    ({"tool_choice": {"type": "file_search"}}, "tool_choice"),
    ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
    (
        {"tool_choice": {"type": "allowed_tools", "tools": [{"type": "mcp"}]}},
        "tool_choice.tools[0].type",
    ),
]

ITEMS_WITHOUT_EQUAL: list[tuple[dict[str, Any], str]] = [
    ({"type": "item_reference", "id": "x"}, "input[1]"),
    ({"type": "web_search_call", "id": "x"}, "input[1].type"),
    ({"type": "computer_call_output", "call_id": "x"}, "input[1].type"),
    ({}, "input[1].type"),
    ({"role": "robot", "content": "x"}, "input[1].role"),
    ({"role": "user"}, "input[1].content"),
    ({"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}, "input[1].content[0].file_id"),
    ({"role": "user", "content": [{"type": "input_image"}]}, "input[1].content[0].image_url"),
    ({"role": "user", "content": [{"type": "input_file", "file_url": "f"}]}, "input[1].content[0].file_url"),
    ({"role": "user", "content": [{"type": "input_video"}]}, "input[1].content[0].type"),
    ({"role": "user", "content": [{"type": []}]}, "input[1].content[0].type"),
    ({"role": "user", "content": [5]}, "input[1].content[0]"),
    ({"role": "assistant", "content": [{"type": "input_image"}]}, "input[1].content[0].type"),
    ({"type": "function_call", "name": "f"}, "input[1].call_id"),
    ({"type": "function_call", "call_id": "c"}, "input[1].name"),
    ({"type": "function_call_output", "output": "x"}, "input[1].call_id"),
    ({"type": "function_call_output", "call_id": "c"}, "input[1].output"),
]


class TestParsing:
    def test_parameters_are_read(self) -> None:
        call = call_for(stream=True, max_output_tokens=9, temperature=0, top_p=0.5)
        assert (call.model, call.stream, call.operation) == ("m", True, "chat")
        parameters = call.parameters
        assert (parameters.max_tokens, parameters.temperature, parameters.top_p) == (9, 0, 0.5)

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            (b'{"input":"x"}', "model"),
            (b'{"model":"m","input":5}', "input"),
            (b'{"model":"m","input":[5]}', "input[0]"),
            (b'{"model":"m","stream":"yes"}', "stream"),
            (b'{"model":"m","model":"n"}', "model"),
            (b"[]", None),
            (b"{", None),
        ],
    )
    def test_what_is_wrong_is_named(self, body: bytes, param: str | None) -> None:
        with pytest.raises(InvalidRequest) as caught:
            CALLER.parse(body)
        assert caught.value.param == param


class TestSameWire:
    def test_the_callers_bytes_arrive_as_they_are(self) -> None:
        body = (
            b'{ "model":"m", "input":[], "previous_response_id":"resp_1", "tools":[{"type":"web_search"}], "x": 1.0 }'
        )
        assert PROVIDER.request(CALLER.parse(body), "m", usage_option=True) == body

    def test_only_the_model_changes(self) -> None:
        body = b'{"model":"openai/m","temperature":1.0,"background":true}'
        expected = b'{"model":"m","temperature":1.0,"background":true}'
        assert PROVIDER.request(CALLER.parse(body), "m", usage_option=True) == expected

    def test_the_path(self) -> None:
        assert PROVIDER.path("m", stream=True) == "/responses"


class TestToChat:
    def test_a_text(self) -> None:
        assert as_chat() == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}

    def test_instructions_come_first(self) -> None:
        chat = as_chat(instructions="Be brief.")
        assert chat["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]

    @pytest.mark.parametrize(
        ("said", "becomes"),
        [
            ({"temperature": 0.5, "top_p": 0.9, "user": "u"}, {"temperature": 0.5, "top_p": 0.9, "user": "u"}),
            ({"max_output_tokens": 7}, {"max_completion_tokens": 7}),
            ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
            ({"text": {"verbosity": "low"}}, {"verbosity": "low"}),
            ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
            (
                {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}}},
                {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}},
            ),
            ({"top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
            ({"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
            ({"service_tier": "flex"}, {"service_tier": "flex"}),
            ({"stream": True}, {"stream": True}),
        ],
    )  # fmt: skip
    def test_settings(self, said: Any, becomes: Any) -> None:
        assert as_chat(**said) == {"model": "m", "messages": [{"role": "user", "content": "hi"}], **becomes}

    @pytest.mark.parametrize(
        "said",
        [
            {"store": False},
            {"store": True},
            {"background": False},
            {"truncation": "disabled"},
            {"truncation": "auto"},
            {"previous_response_id": None},
            {"text": {"format": {"type": "text"}, "verbosity": "medium"}},
            {"reasoning": {"summary": "detailed"}},
            {"metadata": {"a": "b"}},
            {"include": ["reasoning.encrypted_content"]},
            {"prompt_cache_key": "k"},
            {"client_metadata": {"x-codex-installation-id": "i"}},
            {"reasoning": {"context": "all_turns"}},
            {"max_tool_calls": 3},
            {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True},
            {"service_tier": "auto"},
            {"stream_options": {"include_obfuscation": False}},
        ],
    )
    def test_what_asks_for_nothing_or_changes_no_answer_is_left_out(self, said: Any) -> None:
        assert as_chat(**said) == as_chat()

    def test_what_the_responses_api_does_not_know_goes_along(self) -> None:
        assert CALLER.as_chat(call_for(top_k=5, seed=1))["top_k"] == 5

    def test_tools(self) -> None:
        function = {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
        chat = as_chat(tools=[{"type": "function", **function}], parallel_tool_calls=False)
        assert chat["tools"] == [{"type": "function", "function": function}]
        assert chat["parallel_tool_calls"] is False

    @pytest.mark.parametrize(
        ("choice", "becomes"),
        [
            ("required", "required"),
            ({"type": "function", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
            ({"type": "custom", "name": "c"}, {"type": "function", "function": {"name": "c"}}),
            (
                {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
                {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
                },
            ),
        ],
    )
    def test_the_choice_of_a_tool(self, choice: Any, becomes: Any) -> None:
        tool = {"type": "function", "name": "f", "parameters": None, "strict": None}
        assert as_chat(tools=[tool], tool_choice=choice)["tool_choice"] == becomes

    def test_what_may_be_said_to_the_model(self) -> None:
        parts = [
            {"type": "input_text", "text": "look"},
            {"type": "input_image", "image_url": PIXEL, "detail": "low"},
            {"type": "input_image", "image_url": "https://x.org/y.png", "detail": "auto"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        ]
        assert messages_of({"role": "user", "content": parts}) == [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://x.org/y.png"}},
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}},
                    {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                ],
            }
        ]

    def test_who_says_it(self) -> None:
        text = [{"type": "input_text", "text": "t"}]
        items = [{"role": role, "content": text} for role in ("user", "system", "developer")]
        assert [message["role"] for message in messages_of(*items)] == ["user", "system", "system"]
        assert all(message["content"] == "t" for message in messages_of(*items))

    def test_a_turn_of_the_model_is_one_message(self) -> None:
        call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
        items: list[Any] = [
            {"role": "user", "content": "hi"},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [
                    {"type": "output_text", "text": "Let me ", "annotations": []},
                    {"type": "output_text", "text": "see.", "annotations": []},
                ],
            },
            call,
            {**call, "call_id": "c2"},
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "two"}]},
        ]  # fmt: skip
        function = {"name": "f", "arguments": "{}"}
        assert messages_of(*items) == [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": "Let me see.",
                "reasoning_content": "hm",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": function},
                    {"id": "c2", "type": "function", "function": function},
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {"role": "tool", "tool_call_id": "c2", "content": "two"},
        ]

    def test_calls_without_words(self) -> None:
        item = {"type": "custom_tool_call", "call_id": "c1", "name": "sh", "input": "ls"}
        output = {"type": "custom_tool_call_output", "call_id": "c1", "output": "x"}
        assert messages_of(item, output) == [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "sh", "arguments": '{"input":"ls"}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "x"},
        ]

    def test_an_earlier_refusal(self) -> None:
        item = {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
        assert CALLER.as_chat(call_for(input=[item]))["messages"] == [
            {"role": "assistant", "content": None, "refusal": "no"}
        ]

    @pytest.mark.parametrize("sealed", ["gAAAopenai", "gatewayz:%%%", "gatewayz:e30=", "gatewayz:aGk="])
    def test_reasoning_that_others_sealed_is_left_out(self, sealed: str) -> None:
        item: dict[str, Any] = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": sealed}
        assert messages_of(item, {"role": "user", "content": "hi"}) == [{"role": "user", "content": "hi"}]


class TestRefusedForChat:
    @pytest.mark.parametrize(("said", "param"), MEMBERS_WITHOUT_EQUAL)
    def test_members(self, said: Any, param: str) -> None:
        assert refused(**said) == param

    @pytest.mark.parametrize(("item", "param"), ITEMS_WITHOUT_EQUAL)
    def test_items(self, item: Any, param: str) -> None:
        assert refused(input=[{"role": "user", "content": "hi"}, item]) == param


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "text", "name", "output", "call_id"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    ["input", "instructions", "tools", "tool_choice", "text", "reasoning", "include", "store", "top_logprobs", "messages",
     "functions", "response_format", "stop", "n", "stream_options"]
)  # fmt: skip


@given(st.dictionaries(MEMBERS, JSON, max_size=3))
def test_whatever_is_said_is_translated_or_refused(members: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidRequest):
        CALLER.as_chat(CALLER.parse(orjson.dumps({"model": "m", "input": "x", **members})))
    with contextlib.suppress(InvalidRequest):
        PROVIDER.from_chat({"messages": [], **members}, "m", stream=True)
    with contextlib.suppress(InvalidRequest):
        PROVIDER.from_chat({"messages": [{"role": "assistant", **members}, members]}, "m", stream=False)
