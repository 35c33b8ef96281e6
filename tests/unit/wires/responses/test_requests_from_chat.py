"""Chat requests for providers of Responses: what they become, what is refused by its name, and the way there and back."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses.response_create_params import ResponseCreateParams
from pydantic import TypeAdapter

from gatewayz.errors import InvalidRequest
from gatewayz.wires.openai_responses.request_from_chat import chat_request_to_responses
from gatewayz.wires.openai_responses.wire import ResponsesCaller, ResponsesProvider

CALLER = ResponsesCaller()
PROVIDER = ResponsesProvider()
RESPONSES: TypeAdapter[Any] = TypeAdapter(ResponseCreateParams)

PIXEL = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def as_responses(messages: Any = None, **members: Any) -> dict[str, Any]:
    chat = {"model": "x", "messages": messages or [{"role": "user", "content": "hi"}], **members}
    request = orjson.loads(PROVIDER.from_chat(chat, "m", stream=False))
    RESPONSES.validate_python(request)
    return request


def chat_refused(messages: Any = None, **members: Any) -> str | None:
    with pytest.raises(InvalidRequest) as caught:
        as_responses(messages, **members)
    return caught.value.param


CHAT_WITHOUT_EQUAL: list[tuple[dict[str, Any], str]] = [
    ({"n": 2}, "n"),
    ({"stop": "x"}, "stop"),
    ({"frequency_penalty": 1}, "frequency_penalty"),
    ({"presence_penalty": 0.1}, "presence_penalty"),
    ({"logit_bias": {"5": 1}}, "logit_bias"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"functions": [{"name": "f"}]}, "functions"),
    ({"prediction": {"type": "content"}}, "prediction"),
    ({"tools": [{"type": "magic"}]}, "tools[0].type"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"tool_choice": {"type": "magic"}}, "tool_choice.type"),
    ({"messages": "x"}, "messages"),
    ({"messages": [{"role": "robot"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
    ({"messages": [{"role": "assistant", "function_call": {"name": "f"}}]}, "messages[0].function_call"),
]


NO_INPUT: dict[str, Any] = {"type": "object", "properties": {}}
SHOWN = {"effort": "high", "summary": "auto"}
SEALED: dict[str, Any] = {"include": ["reasoning.encrypted_content"]}


class TestFromChat:
    @pytest.mark.parametrize(
        ("model", "effort"), [("gpt-5.6-sol", "none"), ("gpt-6", "none"), ("gpt-5", None), ("o4", None)]
    )
    def test_no_thinking_is_asked_of_models_that_can_do_without(self, model: str, effort: str | None) -> None:
        chat = {"messages": [{"role": "user", "content": "hi"}], "thinking": {"type": "disabled"}}
        request = chat_request_to_responses(chat, model, stream=False)
        assert request.get("reasoning") == (None if effort is None else {"effort": effort})
        assert "thinking" not in request

    def test_the_least(self) -> None:
        assert as_responses() == {"model": "m", "input": [{"role": "user", "content": "hi"}], "store": False}

    @pytest.mark.parametrize(
        ("said", "becomes"),
        [
            ({"temperature": 0.5, "top_p": 0.9, "user": "u"}, {"temperature": 0.5, "top_p": 0.9, "user": "u"}),
            ({"max_tokens": 20}, {"max_output_tokens": 20}),
            ({"max_tokens": 20, "max_completion_tokens": 30}, {"max_output_tokens": 30}),
            ({"store": True, "metadata": {"a": "b"}}, {"store": True, "metadata": {"a": "b"}}),
            ({"reasoning_effort": "none"}, {"reasoning": {"effort": "none"}}),
            (
                {"reasoning_effort": "low"},
                {"reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"]},
            ),
            ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
            ({"response_format": {"type": "json_object"}}, {"text": {"format": {"type": "json_object"}}}),
            (
                {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}},
                {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}}},
            ),
            ({"logprobs": True, "top_logprobs": 2}, {"include": ["message.output_text.logprobs"], "top_logprobs": 2}),
            ({"tool_choice": "none"}, {"tool_choice": "none"}),
            (
                {"tool_choice": {"type": "function", "function": {"name": "f"}}},
                {"tool_choice": {"type": "function", "name": "f"}},
            ),
            ({"n": 1, "stop": [], "frequency_penalty": 0, "logit_bias": {}, "stream": False}, {}),
            ({"seed": None, "stop": None}, {}),
            ({"seed": 1}, {}),  # best effort by OpenAI's own words
            ({"messages": [{"role": "user", "content": "hi", "name": "Ann"}]}, {}),
            ({"reasoning": {"effort": "high"}}, {"reasoning": {"effort": "high"}, **SEALED}),
            ({"reasoning": SHOWN}, {"reasoning": SHOWN, **SEALED}),
            ({"reasoning": {"max_tokens": 9_000}}, {"reasoning": {"effort": "medium"}, **SEALED}),
            ({"reasoning": {"enabled": True}}, SEALED),
            ({"reasoning": {"enabled": False}}, {}),
            ({"reasoning": {"exclude": True}}, {}),
            ({"thinking": {"type": "enabled", "budget_tokens": 2_000}}, {"reasoning": {"effort": "low"}, **SEALED}),
            (
                {"thinking": {"type": "enabled", "budget_tokens": 2_000}, "reasoning_effort": "high"},
                {"reasoning": {"effort": "high"}, **SEALED},
            ),
            (
                {"thinking": {"type": "adaptive", "display": "summarized"}, "reasoning_effort": "high"},
                {"reasoning": {"summary": "auto", "effort": "high"}, **SEALED},
            ),
            (
                {"tools": [{"function": {"name": "f"}}], "tool_choice": {"function": {"name": "f"}}},
                {
                    "tools": [{"type": "function", "name": "f", "parameters": NO_INPUT, "strict": False}],
                    "tool_choice": {"type": "function", "name": "f"},
                },
            ),
            ({"tool_choice": "any"}, {"tool_choice": "required"}),
        ],
    )  # fmt: skip
    def test_settings(self, said: Any, becomes: Any) -> None:
        assert as_responses(**said) == {**as_responses(), **becomes}

    def test_a_stream_is_asked_for(self) -> None:
        chat: dict[str, Any] = {"messages": [], "stream": True, "stream_options": {"include_usage": True}}
        assert chat_request_to_responses(chat, "m", stream=True) == {
            "model": "m",
            "input": [],
            "store": False,
            "stream": True,
        }

    def test_tools_are_not_made_strict_by_silence(self) -> None:
        tools = [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]
        assert as_responses(tools=tools)["tools"] == [
            {"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}
        ]

    def test_a_conversation(self) -> None:
        call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        custom = {"id": "c2", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
        request = as_responses(
            [
                {"role": "developer", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "look"},
                        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:x"}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": "Well.",
                    "tool_calls": [call, custom],
                    "reasoning_details": [
                        {"type": "reasoning.encrypted", "data": "openai:rs_1:gAAA"},
                        {"type": "reasoning.text", "text": "x", "signature": "another's"},
                    ],
                },
                {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "one"},
                {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "two"}]},
            ]
        )
        assert request["input"] == [
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "look"},
                    {"type": "input_image", "image_url": PIXEL, "detail": "low"},
                    {"type": "input_file", "filename": "a.pdf", "file_data": "data:x"},
                ],
            },
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"role": "assistant", "content": "Well."},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "sh", "input": "ls"},
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "two"}]},
        ]

    def test_an_earlier_refusal(self) -> None:
        chat: dict[str, Any] = {"messages": [{"role": "assistant", "content": None, "refusal": "no"}]}
        assert chat_request_to_responses(chat, "m", stream=False)["input"] == [
            {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
        ]

    @pytest.mark.parametrize(("said", "param"), CHAT_WITHOUT_EQUAL)
    def test_what_has_no_equal_is_refused_by_name(self, said: Any, param: str) -> None:
        assert chat_refused(said.pop("messages", None), **said) == param


TEXTS = st.text(max_size=8)
NAMES = st.text(alphabet="abc_", min_size=1, max_size=5)


def user_says(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def model_says(text: str, names: list[str]) -> dict[str, Any]:
    calls = [
        {"id": f"c{i}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        for i, name in enumerate(names)
    ]
    return {"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}


def tool_says(text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": "c0", "content": text}


TURNS = st.tuples(
    st.builds(user_says, TEXTS),
    st.builds(model_says, TEXTS, st.lists(NAMES, min_size=1, max_size=3)),
    st.builds(tool_says, TEXTS),
    st.builds(model_says, TEXTS.filter(bool), st.just([])),
)


@given(st.lists(TURNS, min_size=1, max_size=3), st.integers(16, 99), st.booleans())
def test_a_chat_that_became_a_responses_request_becomes_the_same_chat(
    turns: list[tuple[Any, ...]], limit: int, strict: bool
) -> None:
    chat: dict[str, Any] = {
        "model": "m",
        "messages": [message for turn in turns for message in turn],
        "max_completion_tokens": limit,
        "temperature": 0.5,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA, "strict": strict}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
    }
    assert CALLER.as_chat(CALLER.parse(PROVIDER.from_chat(chat, "m", stream=False))) == chat
