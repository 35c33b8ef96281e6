"""Tools of the Responses API that chat does not know: what they become there, and that their calls come back as what they are."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gatewayz.errors import InvalidRequest
from gatewayz.records import Call
from gatewayz.wires.base import AnswerInfo
from gatewayz.wires.openai_responses.wire import ResponsesCaller
from tests.unit.wires.responses.played import call_delta, call_of, chat_reply, chat_stream, told, translated
from tests.unit.wires.ways import answer_from_chat

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
CALLER = ResponsesCaller()

PATCH: dict[str, Any] = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch"'},
}
SEARCH: dict[str, Any] = {"type": "function", "name": "search", "parameters": {"type": "object", "properties": {}}}
DOCS: dict[str, Any] = {
    "type": "namespace",
    "name": "mcp__docs",
    "description": "The docs.",
    "tools": [SEARCH, {**PATCH, "format": None}],
}
OWN: dict[str, Any] = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
WEB: dict[str, Any] = {"type": "web_search", "external_web_access": False}


def call_for(**members: Any) -> Call:
    return CALLER.parse(orjson.dumps({"model": "m", "input": "hi", **members}))


def in_chat(*tools: dict[str, Any], **members: Any) -> Any:
    return CALLER.as_chat(call_for(tools=list(tools), **members))


def refused(**members: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        CALLER.as_chat(call_for(**members))
    return caught.value


def streamed(events: list[bytes], *tools: dict[str, Any]) -> list[Any]:
    translation = answer_from_chat(
        ResponsesCaller(), call_for(tools=list(tools)), AnswerInfo("req_1", "m", 1, stream=True)
    )
    said = told(translated(translation, events))
    for event in said:
        EVENT.validate_python(event)
    return said


def answered(body: bytes, *tools: dict[str, Any]) -> list[Any]:
    translation = answer_from_chat(
        ResponsesCaller(), call_for(tools=list(tools)), AnswerInfo("req_1", "m", 1, stream=False)
    )
    response = orjson.loads(translation.reply(body))
    Response.model_validate(response)
    return response["output"]


def both_ways(name: str, arguments: list[str], *tools: dict[str, Any]) -> Any:
    """The item of one call, which has to be the same whole and streamed."""
    call = call_of("c1", name, "".join(arguments))
    whole = answered(chat_reply({"content": None, "tool_calls": [call]}, "tool_calls"), *tools)[-1]
    deltas = [call_delta(0, id="c1", name=name, arguments=""), *[call_delta(0, arguments=part) for part in arguments]]
    events = streamed(chat_stream(*deltas, reason="tool_calls"), *tools)
    assert events[-1]["response"]["output"] == [whole]
    return whole


class TestCustom:
    def test_it_is_a_function_with_one_text_whose_grammar_is_told(self) -> None:
        function = in_chat(PATCH)["tools"][0]["function"]
        assert (function["name"], function["description"]) == ("apply_patch", "Edits files.")
        schema = function["parameters"]
        assert (schema["required"], schema["additionalProperties"]) == (["input"], False)
        assert schema["properties"]["input"]["type"] == "string"
        assert 'start: "*** Begin Patch"' in schema["properties"]["input"]["description"]

    @pytest.mark.parametrize("pieces", [1, 3, 1000])
    def test_its_call_comes_back_as_text(self, pieces: int) -> None:
        patch = '*** Begin Patch\n+ "ü"\n*** End Patch'
        arguments = orjson.dumps({"input": patch}).decode()
        size = max(1, len(arguments) // pieces)
        parts = [arguments[i : i + size] for i in range(0, len(arguments), size)]
        item = both_ways("apply_patch", parts, PATCH)
        assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "apply_patch", patch)

    def test_its_stream_says_the_input_once_and_whole(self) -> None:
        deltas = [call_delta(0, id="c1", name="apply_patch", arguments='{"in'), call_delta(0, arguments='put":"x"}')]
        events = streamed(chat_stream(*deltas, reason="tool_calls"), PATCH)
        told_of = [event for event in events if event["type"].startswith("response.custom_tool_call_input")]
        assert [(event["type"].rsplit(".", 1)[1], event.get("delta", event.get("input"))) for event in told_of] == [
            ("delta", "x"),
            ("done", "x"),
        ]
        begun = next(event for event in events if event["type"] == "response.output_item.added")
        assert begun["item"]["input"] == ""

    @pytest.mark.parametrize("said", ["*** Begin Patch", '{"patch":"x"}', '{"input":5}', '{"input":"cut', "[1]"])
    def test_a_model_that_did_not_wrap_it_is_taken_at_its_word(self, said: str) -> None:
        assert both_ways("apply_patch", [said], PATCH)["input"] == said

    def test_an_earlier_call_is_wrapped_again(self) -> None:
        item = {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": 'a\n"b"'}
        messages = in_chat(PATCH, input=[item])["messages"]
        function = messages[0]["tool_calls"][0]["function"]
        assert orjson.loads(function["arguments"]) == {"input": 'a\n"b"'}

    def test_a_function_beside_it_stays_one(self) -> None:
        assert both_ways("f", ['{"input":"x"}'], PATCH, OWN)["arguments"] == '{"input":"x"}'


class TestNamespaces:
    def test_their_tools_are_functions_with_the_namespace_in_their_names(self) -> None:
        names = [tool["function"]["name"] for tool in in_chat(OWN, DOCS)["tools"]]
        assert names == ["f", "mcp__docs__search", "mcp__docs__apply_patch"]

    def test_calls_come_back_with_the_namespace_apart(self) -> None:
        item = both_ways("mcp__docs__search", ["{}"], OWN, DOCS)
        assert (item["type"], item["namespace"], item["name"]) == ("function_call", "mcp__docs", "search")
        item = both_ways("mcp__docs__apply_patch", ['{"input":"x"}'], OWN, DOCS)
        assert (item["type"], item["namespace"], item["input"]) == ("custom_tool_call", "mcp__docs", "x")
        assert "namespace" not in both_ways("f", ["{}"], OWN, DOCS)

    def test_an_earlier_call_has_the_same_name_as_the_tool(self) -> None:
        item = {"type": "function_call", "call_id": "c", "namespace": "mcp__docs", "name": "search", "arguments": "{}"}
        messages = in_chat(DOCS, input=[item])["messages"]
        assert messages[0]["tool_calls"][0]["function"]["name"] == "mcp__docs__search"

    def test_what_is_wrong_in_them_is_named(self) -> None:
        assert refused(tools=[{**DOCS, "tools": [WEB]}]).param == "tools[0].tools[0].type"
        assert refused(tools=[{**DOCS, "tools": [DOCS]}]).param == "tools[0].tools[0].type"
        assert refused(tools=[{"type": "namespace", "tools": []}]).param == "tools[0].name"

    def test_names_that_chat_has_no_room_for_are_cut_and_restored(self) -> None:
        long, other = "x" * 70, "x" * 69 + "y"
        tools = [{**OWN, "name": long}, {**OWN, "name": other}]
        names = [tool["function"]["name"] for tool in in_chat(*tools)["tools"]]
        assert len({*names}) == 2
        assert [len(name) for name in names] == [64, 64]
        assert both_ways(names[1], ["{}"], *tools)["name"] == other


class TestHosted:
    """Coding agents offer some with every request; the model can do without where it has tools of the caller's."""

    @pytest.mark.parametrize("kind", ["web_search", "web_search_preview_2025_03_11", "image_generation", "tool_search"])
    def test_offered_beside_others_it_is_left_out_and_the_answer_says_so(self, kind: str) -> None:
        tools = [OWN, {"type": kind}]
        assert [tool["function"]["name"] for tool in in_chat(*tools)["tools"]] == ["f"]
        translation = answer_from_chat(ResponsesCaller(), call_for(tools=tools), AnswerInfo("r", "m", 1, stream=False))
        response = orjson.loads(translation.reply(chat_reply({"content": "x"})))
        assert [tool["type"] for tool in response["tools"]] == ["function"]

    @pytest.mark.parametrize("kind", ["file_search", "mcp", "code_interpreter", "computer_use_preview", "local_shell"])
    def test_others_are_refused(self, kind: str) -> None:
        assert refused(tools=[OWN, {"type": kind}]).param == "tools[1].type"

    def test_alone_or_chosen_it_is_refused(self) -> None:
        alone = refused(tools=[WEB])
        assert alone.param == "tools[0].type"
        assert 'web_search = "disabled"' in alone.message
        assert refused(tools=[OWN, WEB], tool_choice={"type": "web_search"}).param == "tool_choice"

    def test_among_the_allowed_it_is_left_out(self) -> None:
        tools = [{"type": "function", "name": "f"}, {"type": "web_search"}]
        allowed = in_chat(OWN, WEB, tool_choice={"type": "allowed_tools", "mode": "auto", "tools": tools})
        assert len(allowed["tool_choice"]["allowed_tools"]["tools"]) == 1

    def test_deferred_tools_are_shown_where_nothing_searches_for_them(self) -> None:
        assert len(in_chat({**OWN, "defer_loading": True}, {"type": "tool_search"})["tools"]) == 1


class TestOddCalls:
    def test_an_object_without_properties_names_none(self) -> None:
        function = in_chat({"type": "function", "name": "f", "parameters": {"type": "object"}})["tools"][0]["function"]
        assert function["parameters"] == {"type": "object", "properties": {}}

    @pytest.mark.parametrize("nothing", ["", None])
    def test_no_arguments_are_an_empty_object(self, nothing: Any) -> None:
        call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": nothing}}
        items = answered(chat_reply({"content": None, "tool_calls": [call]}, "tool_calls"), OWN)
        assert items[0]["arguments"] == "{}"
        events = streamed(chat_stream(call_delta(0, id="c1", name="f", arguments=nothing), reason="tool_calls"), OWN)
        said = [event for event in events if event["type"].startswith("response.function_call_arguments")]
        assert [event.get("delta", event.get("arguments")) for event in said] == ["{}", "{}"]
        assert events[-1]["response"]["output"] == items

    def test_a_name_may_come_behind_the_id(self) -> None:
        first = {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"arguments": '{"a":'}}]}
        events = streamed(chat_stream(first, call_delta(0, name="f", arguments="1}"), reason="tool_calls"), OWN)
        (item,) = events[-1]["response"]["output"]
        assert (item["call_id"], item["name"], item["arguments"]) == ("c1", "f", '{"a":1}')

    def test_the_deprecated_call_of_a_function_is_a_call(self) -> None:
        function = {"name": "f", "arguments": '{"a":1}'}
        items = answered(chat_reply({"content": None, "function_call": function}, "function_call"), OWN)
        parts = [{"name": "f", "arguments": ""}, {"arguments": '{"a":'}, {"arguments": "1}"}]
        events = streamed(chat_stream(*[{"function_call": part} for part in parts], reason="function_call"), OWN)
        assert events[-1]["response"]["output"] == items
        assert (items[0]["name"], items[0]["arguments"]) == ("f", '{"a":1}')

    def test_arguments_that_were_cut_stay_as_they_are(self) -> None:
        call = call_of("c1", "f", "")
        items = answered(chat_reply({"content": None, "tool_calls": [call]}, "length"), OWN)
        assert items[0]["arguments"] == ""

    def test_whole_calls_without_a_number_or_an_id_are_told_apart_by_their_names(self) -> None:
        calls = [{"function": {"name": "f", "arguments": f'{{"a":{n}}}'}} for n in (1, 2)]
        events = streamed(chat_stream(*[{"tool_calls": [call]} for call in calls], reason="tool_calls"), OWN)
        assert [item["arguments"] for item in events[-1]["response"]["output"]] == ['{"a":1}', '{"a":2}']


@pytest.mark.parametrize(
    "said", [{"previous_response_id": "resp_1"}, {"input": [{"type": "item_reference", "id": "msg_1"}]}]
)
def test_who_counts_on_state_is_told_what_to_set(said: dict[str, Any]) -> None:
    message = refused(**said).message
    assert "providerOptions.openai.store = false" in message
    assert "openai.chat" in message
