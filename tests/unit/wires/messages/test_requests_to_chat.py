"""Anthropic's requests as chat requests."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import completion_create_params
from pydantic import TypeAdapter

from gatewayz.errors import InvalidRequest
from gatewayz.wires.anthropic_messages.wire import MessagesCaller, MessagesProvider
from gatewayz.wires.base import Wire
from gatewayz.wires.translate import PROVIDER_WIRES
from tests.unit.wires.messages.played import ASKED, call

USER = {"role": "user", "content": "hi"}
ADAPTER: TypeAdapter[Any] = TypeAdapter(completion_create_params.CompletionCreateParamsNonStreaming)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
OPTIONAL = {**SCHEMA, "required": []}
DEFINED = {"name": "f", "description": "does", "input_schema": SCHEMA}
TOOL = {"type": "function", "function": {"name": "f", "description": "does", "parameters": SCHEMA}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
SHOWN = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}


def chat(**members: Any) -> dict[str, Any]:
    return MessagesCaller().as_chat(call(**members))


def turns(*messages: dict[str, Any]) -> list[Any]:
    return chat(messages=list(messages))["messages"]


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def answer_format(schema: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": strict}}


THOUGHTS: Any = {"reasoning": {"summary": "auto"}}
MEMBERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"temperature": 0.5, "top_p": 0.5}, {"temperature": 0.5, "top_p": 0.5}),
    ({"stop_sequences": ["END"]}, {"stop": ["END"]}),
    ({"stop_sequences": []}, {}),
    ({"metadata": {"user_id": "u-1"}}, {"user": "u-1"}),
    ({"service_tier": "auto", "cache_control": {"type": "ephemeral"}, "container": None, "speed": "standard"}, {}),
    ({"tools": [DEFINED]}, {"tools": [TOOL]}),
    ({"tools": [{**DEFINED, "type": "custom", "cache_control": {"type": "ephemeral"}}]}, {"tools": [TOOL]}),
    ({"tools": [DEFINED], "tool_choice": {"type": "auto"}}, {"tools": [TOOL], "tool_choice": "auto"}),
    ({"tools": [DEFINED], "tool_choice": {"type": "any"}}, {"tools": [TOOL], "tool_choice": "required"}),
    ({"tools": [DEFINED], "tool_choice": {"type": "none"}}, {"tools": [TOOL], "tool_choice": "none"}),
    (
        {"tools": [DEFINED], "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
        {
            "tools": [TOOL],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "parallel_tool_calls": False,
        },
    ),
    ({"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
    ({"mcp_servers": []}, {}),
    ({"thinking": {"type": "adaptive"}}, {}),
    ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}, {"reasoning_effort": "high", **THOUGHTS}),
    ({"thinking": {"type": "enabled", "budget_tokens": 1_024}}, {"reasoning_effort": "low", **THOUGHTS}),
    ({"thinking": {"type": "enabled", "budget_tokens": 10_000}}, {"reasoning_effort": "medium", **THOUGHTS}),
    ({"thinking": {"type": "enabled", "budget_tokens": 32_000}}, {"reasoning_effort": "high", **THOUGHTS}),
    (
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {"response_format": answer_format(SCHEMA, strict=True)},
    ),
    (
        {"output_format": {"type": "json_schema", "schema": OPTIONAL}},
        {"response_format": answer_format(OPTIONAL, strict=False)},
    ),
]


@pytest.mark.parametrize(("members", "expected"), MEMBERS)
def test_members_find_their_equals(members: dict[str, Any], expected: dict[str, Any]) -> None:
    made = chat(**members)
    assert made == {"model": ASKED["model"], "max_completion_tokens": 100, "messages": [USER], **expected}
    ADAPTER.validate_python(made)


def test_top_k_and_the_wish_for_a_stream_are_kept() -> None:
    made = chat(top_k=5, stream=True)
    assert (made["top_k"], made["stream"]) == (5, True)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"container": "c"}, "container"),
    ({"mcp_servers": [{}]}, "mcp_servers"),
    ({"speed": "fast"}, "speed"),
    ({"inference_geo": "us"}, "inference_geo"),
    ({"brand_new": 1}, "brand_new"),
    ({"thread": {"type": "create"}}, "thread"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
    ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
    ({"tool_choice": {"type": "maybe"}}, "tool_choice.type"),
    ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
    ({"output_config": {"task_budget": {}}}, "output_config.task_budget"),
    ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
    ({"system": [{"type": "image"}]}, "system[0].type"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "search_result"}]}]}, "messages[0].content[0]"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]},
        "messages[0].content[0].source",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "url"}}]}]},
        "messages[0].content[0].source",
    ),
    (
        {"messages": [{"role": "assistant", "content": [{"type": "container_upload"}]}, USER]},
        "messages[0].content[0]",
    ),
    ({"messages": [USER, {"role": "assistant", "content": "The answer is"}]}, "messages[1]"),
]


@pytest.mark.parametrize(("members", "param"), REFUSED)
def test_what_has_no_equal_is_refused_by_name(members: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        chat(**members)
    assert refused.value.param == param


def test_a_block_without_a_type_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        turns({"role": "user", "content": [{"text": "x"}]})


def test_the_system_prompt_leads_the_conversation() -> None:
    assert chat(system="Be brief.")["messages"] == [{"role": "system", "content": "Be brief."}, USER]
    one = [{**text("Be brief."), "cache_control": {"type": "ephemeral"}}]
    assert chat(system=one)["messages"][0] == {"role": "system", "content": "Be brief."}
    two = [text("Be brief."), text("And kind.")]
    assert chat(system=two)["messages"][0] == {"role": "system", "content": "Be brief.\n\nAnd kind."}
    assert turns(USER, {"role": "system", "content": "Now in French."}, USER)[1]["role"] == "system"


def test_results_of_tools_become_messages_ahead_of_what_else_is_said() -> None:
    asked: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        text("Let me see."),
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1.5}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}},
    ]
    results = [
        {"type": "tool_result", "tool_use_id": "a", "content": "one", "is_error": True},
        {"type": "tool_result", "tool_use_id": "b", "content": [text("two"), text("three"), IMAGE]},
        text("And?"),
    ]
    assert turns(USER, {"role": "assistant", "content": asked}, {"role": "user", "content": results}) == [
        USER,
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1.5}'}},
                {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ],
            "reasoning_details": [
                {
                    "type": "reasoning.text",
                    "text": "Hm.",
                    "signature": "c2ln",
                    "format": "anthropic-claude-v1",
                    "index": 0,
                }
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "one", "is_error": True},
        {"role": "tool", "tool_call_id": "b", "content": "two\nthree"},
        {"role": "user", "content": [SHOWN, text("And?")]},
    ]


def test_thinking_goes_back_to_who_sealed_it() -> None:
    blocks = [
        {"type": "redacted_thinking", "data": "openai:rs_1:b3Bh"},
        {"type": "redacted_thinking", "data": "b3Bh"},
        {"type": "thinking", "thinking": "nobody's", "signature": ""},
        text("Yes."),
    ]
    details = turns(USER, {"role": "assistant", "content": blocks}, USER)[1]["reasoning_details"]
    assert [detail["format"] for detail in details] == ["openai-responses-v1", "anthropic-claude-v1"]


def test_a_result_of_nothing_is_an_empty_one() -> None:
    results = [{"type": "tool_result", "tool_use_id": "a"}]
    assert turns({"role": "user", "content": results}) == [{"role": "tool", "tool_call_id": "a", "content": ""}]


def test_images_and_documents_are_shown() -> None:
    blocks = [
        text("What is this?"),
        IMAGE,
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {
            "type": "document",
            "title": "a.pdf",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
    ]
    assert turns({"role": "user", "content": blocks})[0]["content"] == [
        text("What is this?"),
        SHOWN,
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
        text("plain"),
    ]


def test_texts_without_anything_else_are_one_string() -> None:
    """Many chat providers take no lists; DeepSeek says "invalid type: sequence, expected a string"."""
    reminded = [text("Remember the tests."), {**text("Fix it."), "cache_control": {"type": "ephemeral"}}]
    assert turns({"role": "user", "content": reminded}) == [
        {"role": "user", "content": "Remember the tests.\n\nFix it."}
    ]


def test_the_system_messages_at_the_beginning_are_one() -> None:
    """The templates of Qwen's models refuse a second one."""
    later = {"role": "system", "content": "Now in French."}
    said = chat(system="Be brief.", messages=[{"role": "system", "content": [text("And kind.")]}, USER, later, USER])
    assert said["messages"] == [{"role": "system", "content": "Be brief.\n\nAnd kind."}, USER, later, USER]


def test_a_user_whose_name_is_longer_than_openai_takes_is_told_by_its_digest() -> None:
    name = f"user_{'a' * 64}_account__session_0f5c"
    first, again, other = (chat(metadata={"user_id": said})["user"] for said in (name, name, f"{name}1"))
    assert first == again != other
    assert len(first) == len(other) == 64
    assert chat(metadata={"user_id": "u" * 64})["user"] == "u" * 64


def test_a_tool_without_properties_says_so() -> None:
    """OpenAI: "object schema missing properties"."""
    said = chat(tools=[{"name": "f", "input_schema": {"type": "object"}}])["tools"][0]["function"]
    assert said["parameters"] == {"type": "object", "properties": {}}


def test_names_of_tools_that_openai_has_no_room_for_are_cut_the_same_everywhere() -> None:
    long = "mcp__" + "x" * 70
    called: dict[str, Any] = {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "a", "name": long, "input": {}}],
    }
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "one"}]}
    tools = [{**DEFINED, "name": long}, {**DEFINED, "name": f"{long}y"}, {**DEFINED, "name": "x" * 64}]
    said = chat(tools=tools, tool_choice={"type": "tool", "name": long}, messages=[USER, called, result])
    names = [tool["function"]["name"] for tool in said["tools"]]
    assert [len(name) for name in names] == [64, 64, 64]
    assert len({*names}) == 3
    assert names[2] == "x" * 64
    assert said["tool_choice"]["function"]["name"] == names[0]
    assert said["messages"][1]["tool_calls"][0]["function"]["name"] == names[0]


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda word: bool(word.strip())
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
images = st.sampled_from([IMAGE, {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}])
said = st.lists(st.builds(text, words) | images, min_size=1, max_size=4)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Conversations in the form to which both APIs' freedoms come down: texts are one string, results come first."""
    made: list[dict[str, Any]] = [{"role": "user", "content": lone(one(draw(said)))}]
    for turn in range(draw(st.integers(0, 3))):
        asked = draw(st.lists(st.dictionaries(words, values, max_size=3), max_size=3))
        spoken = [text(draw(words))] if not asked or draw(st.booleans()) else []
        ids = [f"call_{turn}_{number}" for number in range(len(asked))]
        calls = [
            {"type": "tool_use", "id": call_id, "name": "f", "input": arguments}
            for call_id, arguments in zip(ids, asked, strict=True)
        ]
        made.append({"role": "assistant", "content": lone([*spoken, *calls])})
        results = [{"type": "tool_result", "tool_use_id": call_id, "content": draw(words)} for call_id in ids]
        made.append(
            {"role": "user", "content": lone([*results, *(one(draw(said)) if not ids or draw(st.booleans()) else [])])}
        )
    return made


def one(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    return [text("\n\n".join(texts))] if len(texts) == len(blocks) else blocks


def lone(blocks: list[dict[str, Any]]) -> Any:
    return blocks[0]["text"] if len(blocks) == 1 and blocks[0]["type"] == "text" else blocks


@given(conversations(), st.none() | words, st.sampled_from(MEMBERS[1:3]))
def test_a_request_comes_back_from_chat_as_it_was(
    messages: list[dict[str, Any]], system: str | None, more: tuple[dict[str, Any], Any]
) -> None:
    model = "claude-sonnet-4-0"  # of those that take both a temperature and top_p
    asked_for = {**ASKED, "model": model, "messages": messages}
    request = {**asked_for, **more[0], **({"system": system} if system is not None else {})}
    asked = MessagesCaller().parse(orjson.dumps(request))
    hub = MessagesCaller().as_chat(asked)
    back = orjson.loads(MessagesProvider().from_chat(hub, model, stream=False))
    assert back == request


def test_what_anthropics_own_tools_did_is_told_to_another_model_as_text() -> None:
    found = {"type": "web_search_result", "title": "Köln", "url": "https://example.org/k", "encrypted_content": "c2Vj"}
    blocks = [
        {"type": "text", "text": "I search."},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "Köln"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [found]},
        {"type": "text", "text": "It rains."},
    ]
    request = {**ASKED, "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": blocks},
                                     {"role": "user", "content": "And?"}]}  # fmt: skip
    said = MessagesCaller().as_chat(MessagesCaller().parse(orjson.dumps(request)))["messages"][1]["content"]
    assert said == ('I search.\n[web_search: {"query":"Köln"}]\n\n[result: Köln https://example.org/k]\nIt rains.')


def test_a_wish_not_to_think_goes_where_it_can_be_said() -> None:
    call = MessagesCaller().parse(orjson.dumps({**ASKED, "thinking": {"type": "disabled"}, "mcp_servers": []}))
    hub = MessagesCaller().as_chat(call)

    def sent(wire: Wire, model: str) -> dict[str, Any]:
        body: dict[str, Any] = orjson.loads(PROVIDER_WIRES[wire].from_chat(hub, model, stream=False))
        return body

    chat = sent("openai_chat", "gpt-4o")
    assert not {"thinking", "reasoning_effort"} & chat.keys()  # most would refuse either
    assert sent("openai_responses", "gpt-5.6")["reasoning"] == {"effort": "none"}
    assert not {"thinking", "reasoning"} & sent("openai_responses", "gpt-4o").keys()
    thinking = sent("gemini", "gemini-2.5-flash")["generationConfig"]["thinkingConfig"]
    assert thinking == {"thinkingBudget": 0}
