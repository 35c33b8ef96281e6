"""Chat requests become Gemini's; what has no equal there is refused by name."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayz.errors import InvalidRequest, ProviderMalformedResponse
from gatewayz.wires.base import ProviderWire
from gatewayz.wires.gemini.contents_from_chat import UNSIGNED
from gatewayz.wires.gemini.wire import GeminiWire
from gatewayz.wires.openai_chat.request import parse_chat_request
from tests.unit.wires.gemini.answers import SHAPE, TOOLS, joined, whole
from tests.unit.wires.gemini.requests import ASKED, CASES, SIGNATURE, USER, WEATHER_TOOL, Json
from tests.unit.wires.ways import answer_to_chat

WIRE: ProviderWire = GeminiWire()


def translated(chat: Json, model: str = "gemini-2.5-flash") -> Json:
    body: Json = orjson.loads(WIRE.from_chat(chat, model, stream=False))
    return body


def refusal(chat: Json) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        WIRE.from_chat(chat, "gemini-2.5-flash", stream=False)
    return caught.value


@pytest.mark.parametrize("name", CASES)
def test_what_a_chat_request_becomes(name: str) -> None:
    case = CASES[name]
    assert translated(case.chat, case.model) == case.body


def test_the_caller_keeps_the_request_as_it_was() -> None:
    for case in CASES.values():
        before = orjson.dumps(case.chat)
        translated(case.chat, case.model)
        assert orjson.dumps(case.chat) == before


def user(*parts: Json) -> list[Json]:
    return [{"role": "user", "content": list(parts)}]


def image(url: Any) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def calling(arguments: str) -> list[Json]:
    function = {"name": "f", "arguments": arguments}
    return [USER, {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": function}]}]


OTHER_TOOL: Json = {"type": "function", "function": {"name": "other"}}
REFUSED: list[tuple[Json, str]] = [
    ({"logit_bias": {"50256": -100}}, "logit_bias"),
    ({"audio": {"voice": "alloy"}}, "audio"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"functions": [{"name": "f"}]}, "functions"),
    ({"web_search_options": {}}, "web_search_options"),
    ({"verbosity": "low"}, "verbosity"),
    ({"something_new": 1}, "something_new"),
    ({"service_tier": "scale"}, "service_tier"),
    ({"tools": [WEATHER_TOOL, OTHER_TOOL], "parallel_tool_calls": False}, "parallel_tool_calls"),
    ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": "x"}}]}, "tools[0].function.parameters"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ({"tools": [WEATHER_TOOL], "tool_choice": "perhaps"}, "tool_choice"),
    ({"tools": [WEATHER_TOOL], "tool_choice": {"type": "function"}}, "tool_choice.function"),
    ({"response_format": {"type": "grammar"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
    ({"reasoning_effort": "enormous"}, "reasoning_effort"),
    ({"temperature": "hot"}, "temperature"),
    ({"stop": 5}, "stop"),
    ({"messages": user({"type": "video_url", "video_url": {}})}, "messages[0].content[0].type"),
    ({"messages": user(image("http://example.com/a.png"))}, "messages[0].content[0].image_url.url"),
    ({"messages": user(image("data:image/png,raw"))}, "messages[0].content[0].image_url.url"),
    ({"messages": user(image("file:///etc/passwd"))}, "messages[0].content[0].image_url.url"),
    ({"messages": user(image(5))}, "messages[0].content[0].image_url.url"),
    ({"messages": user({"type": "file", "file": {"file_id": "f"}})}, "messages[0].content[0].file.file_id"),
    ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "system", "content": ""}]}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": calling("{")}, "messages[1].tool_calls[0].function.arguments"),
    ({"messages": calling("[1]")}, "messages[1].tool_calls[0].function.arguments"),
    ({"messages": [USER, {"role": "assistant", "function_call": {"name": "f"}}]}, "messages[1].function_call"),
    ({"messages": [USER, {"role": "assistant", "audio": {"id": "a"}}]}, "messages[1].audio"),
    ({"messages": [USER, {"role": "tool", "tool_call_id": "?", "content": "x"}]}, "messages[1].tool_call_id"),
]


@pytest.mark.parametrize(("chat", "param"), REFUSED)
def test_what_has_no_equal_is_refused_by_name(chat: Json, param: str) -> None:
    error = refusal({"messages": [USER], **chat})
    assert error.param == param
    assert f"'{param}'" in error.message
    assert error.status == 400


@pytest.mark.parametrize(
    ("address", "media_type"),
    [
        ("https://goo.gle/instrument-img", "image/jpeg"),
        ("https://example.com/a.png?sig=x.y", "image/png"),
        ("https://example.com/a?format=webp&s=1", "image/webp"),
        ("https://example.com/a?response-content-type=image%2Fpng", "image/png"),
        ("https://example.com/v1.2/picture", "image/jpeg"),
    ],
)
def test_an_address_without_a_suffix_is_taken_for_what_it_likely_is(address: str, media_type: str) -> None:
    parts = translated({"messages": user(image(address))})["contents"][0]["parts"]
    assert parts == [{"fileData": {"mimeType": media_type, "fileUri": address}}]
    bare = {"type": "image_url", "image_url": address}
    assert translated({"messages": user(bare)})["contents"][0]["parts"] == parts


def test_one_tool_may_be_called_one_by_one() -> None:
    assert "tools" in translated({"messages": [USER], "tools": [WEATHER_TOOL], "parallel_tool_calls": False})


def test_a_system_prompt_that_nothing_follows_is_the_users_turn() -> None:
    body = translated({"messages": [{"role": "system", "content": "Tell a joke."}]})
    assert body == {"contents": [{"role": "user", "parts": [{"text": "Tell a joke."}]}]}


@pytest.mark.parametrize("arguments", [{"x": 1}, '{"x":1}', None, "null", ""])
def test_calls_tools_and_choices_may_come_in_every_customary_form(arguments: Any) -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": arguments}}
    messages = [
        USER,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": None},
    ]
    tool = {"function": {"name": "f"}}
    body = translated({"messages": messages, "tools": [tool], "tool_choice": "any", "prompt_cache_options": {"a": 1}})
    given = {"x": 1} if arguments and arguments != "null" else {}
    assert body["contents"][1]["parts"] == [{"functionCall": {"id": "c", "name": "f", "args": given}}]
    assert body["contents"][2]["parts"][0]["functionResponse"]["response"] == {"output": ""}
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
    named = translated({"messages": [USER], "tools": [tool], "tool_choice": {"function": {"name": "f"}}})
    assert named["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == ["f"]


@pytest.mark.parametrize(
    ("model", "members", "expected"),
    [
        ("gemini-2.5-pro", {"reasoning_effort": "none"}, {"thinkingBudget": 128}),
        ("gemini-2.5-flash", {"reasoning_effort": "none"}, {"thinkingBudget": 0}),
        (
            "gemini-2.5-flash",
            {"reasoning": {"max_tokens": 31_999}},
            {"thinkingBudget": 24_576, "includeThoughts": True},
        ),
        ("gemini-2.5-pro", {"reasoning": {"max_tokens": 31_999}}, {"thinkingBudget": 31_999, "includeThoughts": True}),
        ("gemini-2.5-flash-lite", {"reasoning": {"max_tokens": 9}}, {"thinkingBudget": 512, "includeThoughts": True}),
        ("gemini-2.0-flash", {"reasoning_effort": "high"}, None),
        ("gemini-2.0-flash", {"thinking": {"type": "enabled"}}, None),
        ("gemini-2.5-flash-image", {"reasoning_effort": "high"}, None),
        ("gemini-1.5-pro", {"reasoning": {"enabled": True}}, None),
        ("gemma-3-27b-it", {"reasoning_effort": "low"}, None),
        ("gemini-4-pro", {"reasoning_effort": "none"}, {"thinkingLevel": "LOW"}),
    ],
)
def test_each_model_is_asked_to_think_within_its_limits(model: str, members: Json, expected: Json | None) -> None:
    body = translated({"messages": [USER], **members}, model)
    assert body.get("generationConfig", {}).get("thinkingConfig") == expected


@pytest.mark.parametrize("index", [10**30, -1])
def test_a_candidate_of_no_number_is_no_answer(index: int) -> None:
    answer = b'{"candidates":[{"index":%d,"content":{"parts":[{"text":"x"}]}}]}' % index
    with pytest.raises(ProviderMalformedResponse):
        answer_to_chat(GeminiWire(), SHAPE).reply(answer)


class TestSignatures:
    """Gemini 3 refuses a conversation in which the first of the calls made together bears no signature."""

    @staticmethod
    def signatures(model: str, *known: str | None) -> list[str | None]:
        calls: list[Json] = [
            {
                "id": f"c{index}",
                "function": {"name": "f", "arguments": "{}"},
                **({} if signature is None else {"extra_content": {"google": {"thought_signature": signature}}}),
            }
            for index, signature in enumerate(known)
        ]
        body = translated({"messages": [USER, {"role": "assistant", "tool_calls": calls}]}, model)
        return [part.get("thoughtSignature") for part in body["contents"][1]["parts"]]

    def test_one_that_is_known_goes_back(self) -> None:
        assert self.signatures("gemini-3-pro-preview", SIGNATURE, None) == [SIGNATURE, None]
        assert self.signatures("gemini-2.5-flash", SIGNATURE, None) == [SIGNATURE, None]

    @pytest.mark.parametrize(
        "model", ["gemini-3-pro-preview", "gemini-3.5-flash", "models/gemini-3.1-pro", "gemini-flash-latest"]
    )
    def test_one_that_was_lost_is_replaced_by_the_documented_stand_in(self, model: str) -> None:
        assert self.signatures(model, None, None) == [UNSIGNED, None]

    @pytest.mark.parametrize(
        "model", ["gemini-2.5-flash", "gemini-2.0-flash-lite", "gemma-3-27b-it", "tunedModels/mine"]
    )
    def test_older_models_need_none(self, model: str) -> None:
        assert self.signatures(model, None, None) == [None, None]

    def test_a_conversation_goes_back_as_it_came(self) -> None:
        """What Gemini answered, through chat and back: the same parts, signatures and ids."""
        message = orjson.loads(answer_to_chat(GeminiWire(), SHAPE).reply(whole(joined(TOOLS))))["choices"][0]["message"]
        results = [{"role": "tool", "tool_call_id": one["id"], "content": "{}"} for one in message["tool_calls"]]
        contents = translated({"messages": [USER, message, *results]}, "gemini-3-pro-preview")["contents"]
        given = joined(TOOLS)["candidates"][0]["content"]
        given["parts"][-1]["functionCall"]["id"] = "call_abc123_2"
        assert contents[1] == given
        assert [part["functionResponse"]["name"] for part in contents[2]["parts"]] == ["weather", "time", "empty"]


class TestThinking:
    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({"reasoning_effort": "minimal"}, {"thinkingLevel": "MINIMAL", "includeThoughts": True}),
            ({"reasoning_effort": "none"}, {"thinkingLevel": "MINIMAL"}),
            ({"reasoning": {"effort": "high", "exclude": True}}, {"thinkingLevel": "HIGH"}),
            ({"reasoning": {"max_tokens": 99}}, {"thinkingBudget": 99, "includeThoughts": True}),
            ({"reasoning": {"enabled": True}}, {"includeThoughts": True}),
            ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, {"thinkingBudget": 2048, "includeThoughts": True}),
            ({"thinking": {"type": "adaptive"}}, {"includeThoughts": True}),
            ({"thinking": {"type": "disabled"}}, {"thinkingLevel": "MINIMAL"}),
            ({"extra_body": {"google": {"thinking_config": {"thinking_budget": 5}}}}, {"thinkingBudget": 5}),
        ],
    )  # fmt: skip
    def test_in_whose_words_ever_it_is_asked_for(self, asked: Json, expected: Json) -> None:
        body = translated({"messages": [USER], **asked}, "gemini-3-flash-preview")
        assert body["generationConfig"]["thinkingConfig"] == expected

    def test_a_pro_model_cannot_think_less_than_a_little(self) -> None:
        body = translated({"messages": [USER], "reasoning_effort": "none"}, "gemini-3-pro-preview")
        assert body["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "LOW"}

    def test_who_says_nothing_gets_the_models_own_measure(self) -> None:
        assert "generationConfig" not in translated({"messages": [USER]})


def test_images_in_the_result_of_a_tool_go_with_it() -> None:
    result = {"role": "tool", "tool_call_id": "c", "content": [image("data:image/png;base64,AAAA")]}
    part = translated({"messages": [*calling("{}"), result]})["contents"][2]["parts"][0]["functionResponse"]
    assert part["response"] == {"output": ""}
    assert part["parts"] == [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]


def test_files_that_lie_with_google_need_no_media_type() -> None:
    own = "https://generativelanguage.googleapis.com/v1beta/files/abc-1"
    assert translated({"messages": user(image(own))})["contents"][0]["parts"] == [{"fileData": {"fileUri": own}}]


def test_cached_content_and_service_tier_are_kept() -> None:
    extra = {"extra_body": {"google": {"cached_content": "cachedContents/x"}}, "service_tier": "flex"}
    body = translated({"messages": [USER], **extra})
    assert body == {"contents": [ASKED], "cachedContent": "cachedContents/x", "serviceTier": "flex"}


def test_an_empty_turn_is_left_out() -> None:
    body = translated({"messages": [USER, {"role": "assistant", "content": ""}, USER]})
    assert body["contents"] == [ASKED, ASKED]


def test_what_the_model_said_in_two_messages_is_one_turn() -> None:
    """Gemini refuses calls that follow anything but a turn of the user's."""
    body = translated({"messages": [USER, {"role": "assistant", "content": "Let me look."}, *calling("{}")[1:]]})
    assert [content["role"] for content in body["contents"]] == ["user", "model"]
    assert [next(iter(part)) for part in body["contents"][1]["parts"]] == ["text", "functionCall"]


class TestPaths:
    @pytest.mark.parametrize(
        ("model", "expected"),
        [
            ("gemini-2.5-flash", "/models/gemini-2.5-flash"),
            ("models/gemini-2.5-flash", "/models/gemini-2.5-flash"),
            ("tunedModels/mine-1", "/tunedModels/mine-1"),
            ("../files/x", "/models/..%2Ffiles%2Fx"),
            ("models/../../x", "/models/..%2F..%2Fx"),
            ("x?key=y#z", "/models/x%3Fkey%3Dy%23z"),
            ("a:countTokens", "/models/a%3AcountTokens"),
        ],
    )
    def test_no_models_name_leads_elsewhere(self, model: str, expected: str) -> None:
        assert WIRE.path(model, False) == f"{expected}:generateContent"
        assert WIRE.path(model, True) == f"{expected}:streamGenerateContent?alt=sse"


def test_a_request_in_this_very_wire_is_forwarded_as_it_is() -> None:
    call = parse_chat_request(b'{"model":"m","messages":[{"role":"user","content":"x"}]}')
    assert WIRE.request(call, "other", usage_option=True) == call.body


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = sorted({name for case in CASES.values() for name in case.chat} | {"thinking", "reasoning", "modalities"})


@given(chat=st.dictionaries(st.sampled_from(MEMBERS), ANY, max_size=6))
def test_no_request_breaks_anything(chat: Json) -> None:
    with contextlib.suppress(InvalidRequest):
        body = WIRE.from_chat({"messages": [USER], **chat}, "gemini-3-pro", stream=False)
        assert orjson.loads(body)["contents"]


def test_tools_of_one_name_are_told_apart_by_their_parameters() -> None:
    def asked(*parameters: Json) -> list[Json]:
        tools = [{"type": "function", "function": {"name": "f", "parameters": one}} for one in parameters]
        said = translated({"messages": [{"role": "user", "content": "hi"}], "tools": tools})
        return [one["parametersJsonSchema"] for one in said["tools"][0]["functionDeclarations"]]

    text, number = {"type": "string"}, {"type": "object", "properties": {"n": {"const": 1}}}
    large = {"type": "string", "description": "d" * 10_000}
    for _ in range(2):
        assert asked(text, number, large) == [
            text,
            {"type": "object", "properties": {"n": {"enum": [1], "type": "integer"}}},
            large,
        ]
        assert asked(number)[0]["type"] == "object"


def test_parameters_that_are_nested_too_deeply_are_refused_each_time() -> None:
    for levels in (100, 400):
        schema: Json = {"type": "string"}
        for _ in range(levels):
            schema = {"type": "array", "items": schema}
        tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
        for _ in range(2):
            assert refusal({"messages": [{"role": "user", "content": "hi"}], "tools": tools}).param == (
                "tools[0].function.parameters"
            )
