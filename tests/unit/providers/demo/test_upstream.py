"""The demo provider behaves as a real provider does, and in the same way every time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gatewayz.errors import (
    ProviderError,
    ProviderFirstChunkTimeout,
    ProviderIdleTimeout,
    ProviderMalformedResponse,
    ProviderStreamCut,
)
from gatewayz.providers.demo.answer import compose
from gatewayz.providers.demo.json_schema import instance_of
from gatewayz.providers.demo.request import Refusal, read_request
from gatewayz.providers.demo.tokens import count_tokens, tokens_of
from gatewayz.providers.demo.upstream import DemoUpstream
from gatewayz.upstream import Timeouts, UpstreamRequest
from gatewayz.wires.openai_chat.fold import ChatFold
from gatewayz.wires.sse import EventSplitter, data_of

PATIENT = Timeouts(connect_s=1, first_byte_s=5, idle_s=5, total_s=10)
SHORT = Timeouts(connect_s=1, first_byte_s=0.05, idle_s=0.05, total_s=10)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"enum": ["celsius", "kelvin"]},
                "days": {"type": "integer", "minimum": 3, "maximum": 9},
            },
            "required": ["city"],
        },
    },
}

WORDS = [
    "type", "properties", "items", "enum", "anyOf", "allOf", "$ref", "required", "minItems", "minimum", "maximum",
    "multipleOf", "minLength", "maxLength", "format", "object", "array",
]  # fmt: skip
SCHEMAS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


class Reply:
    """One answer of the demo, folded; ``events`` when it was streamed."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.json: Any = None
        self.chunks: list[Any] = []
        self.fold = ChatFold()

    @property
    def message(self) -> Any:
        return self.json["choices"][0]["message"]

    @property
    def text(self) -> str:
        if self.json is not None:
            return self.message["content"]
        return "".join(choice["delta"].get("content") or "" for chunk in self.chunks for choice in chunk["choices"])


async def ask(
    model: str = "fast",
    prompt: str = "Tell me about ducks",
    *,
    demo: DemoUpstream | None = None,
    timeouts: Timeouts = PATIENT,
    **members: Any,
) -> Reply:
    messages = members.pop("messages", [{"role": "user", "content": prompt}])
    body = orjson.dumps({"model": model, "messages": messages, **members})
    stream = bool(members.get("stream"))
    upstream = demo or DemoUpstream(pace_s=0)
    response = await upstream.send(
        UpstreamRequest("http://demo.invalid/v1/chat/completions", (), body, timeouts, stream)
    )
    reply = Reply()
    reply.status, reply.headers = response.status, dict(response.headers)
    if not stream or response.status != 200:
        raw = await response.read(1_000_000)
        reply.json = orjson.loads(raw)
        if response.status == 200:
            reply.fold.reply(raw)
        return reply
    splitter = EventSplitter()
    async for chunk in response.chunks():
        for event in splitter.feed(chunk):
            if reply.fold.event(event) != "done":
                reply.chunks.append(orjson.loads(data_of(event)))
    return reply


class TestAnswers:
    async def test_openai_sdk_validates_whole_and_streamed_answers(self) -> None:
        whole = await ask("thinker", n=2)
        ChatCompletion.model_validate(whole.json, strict=True)
        streamed = await ask("thinker", n=2, stream=True, stream_options={"include_usage": True})
        for chunk in streamed.chunks:
            ChatCompletionChunk.model_validate(chunk, strict=True)
        assert streamed.fold.done

    async def test_same_request_gets_the_same_answer(self) -> None:
        first, second, other = await ask(), await ask(), await ask(prompt="Tell me about geese")
        assert first.json["choices"] == second.json["choices"]
        assert first.json["choices"] != other.json["choices"]

    async def test_streamed_answer_equals_the_whole_one(self) -> None:
        whole, streamed = await ask(), await ask(stream=True, stream_options={"include_usage": True})
        assert whole.text == streamed.text
        assert whole.fold.usage == streamed.fold.usage
        assert whole.fold.finish_reasons == streamed.fold.finish_reasons == ("stop",)

    async def test_each_answer_has_its_own_id(self) -> None:
        demo = DemoUpstream(pace_s=0)
        assert (await ask(demo=demo)).fold.response_id != (await ask(demo=demo)).fold.response_id

    async def test_text_is_about_the_request(self) -> None:
        reply = await ask(prompt="Tell me about ducks and about nothing else, please")
        assert "demo/fast" in reply.text
        assert "9 words" in reply.text
        assert "Tell me about ducks" in reply.text

    async def test_answers_differ_in_length(self) -> None:
        lengths = {(await ask(prompt=f"Question {number}")).fold.usage.output_tokens for number in range(30)}
        assert len(lengths) > 15

    async def test_braces_in_a_prompt_are_only_text(self) -> None:
        assert "{model} {0} {}" in (await ask(prompt="{model} {0} {}")).text

    async def test_choices_differ_from_each_other(self) -> None:
        reply = await ask(n=3)
        assert len({choice["message"]["content"] for choice in reply.json["choices"]}) > 1


class TestTokens:
    @given(st.text())
    def test_tokens_join_to_the_text(self, text: str) -> None:
        assert "".join(tokens_of(text)) == text

    def test_tokens_can_be_counted_by_hand(self) -> None:
        assert tokens_of("Hello, dear international world!") == [
            "Hello",
            ",",
            " dear",
            " intern",
            "ationa",
            "l",
            " world",
            "!",
        ]

    async def test_output_tokens_are_those_of_the_text(self) -> None:
        reply = await ask(stream=True)
        assert reply.fold.content_events == count_tokens(reply.text)
        assert (await ask()).fold.usage.output_tokens == count_tokens(reply.text)

    async def test_input_tokens_count_every_message(self) -> None:
        system = {"role": "system", "content": "Be brief."}
        one = (await ask(prompt="Hi")).fold.usage
        two = (await ask(messages=[system, {"role": "user", "content": "Hi"}])).fold.usage
        assert one.input_tokens == 3 + 4 + 1
        assert two.input_tokens == one.input_tokens + 4 + 3
        assert (one.cache_read_tokens, two.cache_read_tokens) == (0, 7)

    async def test_reasoning_tokens_are_part_of_the_output_tokens(self) -> None:
        usage = (await ask("thinker")).fold.usage
        assert 0 < usage.reasoning_tokens < usage.output_tokens

    async def test_max_tokens_limits_the_answer(self) -> None:
        for stream in (False, True):
            reply = await ask(max_tokens=5, stream=stream, stream_options={"include_usage": True} if stream else None)
            assert reply.fold.usage.output_tokens == 5
            assert reply.fold.finish_reasons == ("length",)

    async def test_stop_sequence_ends_the_answer(self) -> None:
        whole = (await ask()).text
        stopped = await ask(stop=["."])
        assert stopped.text == whole[: whole.index(".")]
        assert stopped.fold.finish_reasons == ("stop",)


class TestTools:
    async def test_tool_is_called_when_the_last_message_is_the_users(self) -> None:
        reply = await ask(tools=[WEATHER])
        call = reply.message["tool_calls"][0]
        assert call["function"]["name"] == "get_weather"
        assert orjson.loads(call["function"]["arguments"]) == {"city": "Lisbon", "unit": "celsius", "days": 6}
        assert reply.fold.finish_reasons == ("tool_calls",)
        ChatCompletion.model_validate(reply.json, strict=True)

    async def test_tool_arguments_are_streamed_in_parts(self) -> None:
        reply = await ask(tools=[WEATHER], stream=True)
        deltas = [chunk["choices"][0]["delta"] for chunk in reply.chunks]
        parts = [delta["tool_calls"][0] for delta in deltas if delta.get("tool_calls")]
        assert parts[0]["id"].startswith("call_")
        assert parts[0]["function"]["name"] == "get_weather"
        assert orjson.loads("".join(part["function"]["arguments"] for part in parts))["city"] == "Lisbon"

    async def test_tool_result_is_answered_in_text(self) -> None:
        messages: list[dict[str, Any]] = [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": None, "tool_calls": []},
            {"role": "tool", "tool_call_id": "call_1", "content": "21 °C and sunny"},
        ]
        reply = await ask(messages=messages, tools=[WEATHER])
        assert "21 °C and sunny" in reply.text

    async def test_tool_choice_none_calls_no_tool(self) -> None:
        assert (await ask(tools=[WEATHER], tool_choice="none")).text

    async def test_tool_choice_names_the_tool(self) -> None:
        other = {"type": "function", "function": {"name": "other"}}
        choice = {"type": "function", "function": {"name": "other"}}
        reply = await ask(tools=[WEATHER, other], tool_choice=choice)
        assert reply.message["tool_calls"][0]["function"] == {"name": "other", "arguments": "{}"}

    async def test_unknown_tool_choice_is_an_error(self) -> None:
        choice = {"type": "function", "function": {"name": "none such"}}
        assert (await ask(tools=[WEATHER], tool_choice=choice)).status == 400


class TestJson:
    async def test_json_mode_gives_an_object(self) -> None:
        assert isinstance(orjson.loads((await ask(response_format={"type": "json_object"})).text), dict)

    async def test_json_schema_gives_an_instance(self) -> None:
        schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        wanted = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": schema}}
        assert orjson.loads((await ask(response_format=wanted)).text) == {"name": "Ada"}

    @pytest.mark.parametrize(
        ("schema", "value"),
        [
            ({"type": "string"}, "value"),
            ({"type": "string", "format": "date"}, "2026-01-31"),
            ({"type": "string", "minLength": 12}, "value value value value"),
            ({"type": "string", "maxLength": 3}, "val"),
            ({"type": "integer", "minimum": 5}, 6),
            ({"type": "integer", "exclusiveMaximum": 0}, -1),
            ({"type": "number", "minimum": 0, "maximum": 1}, 0.5),
            ({"type": "integer", "multipleOf": 7}, 7),
            ({"type": ["null", "boolean"]}, True),
            ({"type": "null"}, None),
            ({"const": 5}, 5),
            ({"enum": ["a", "b"]}, "a"),
            ({"default": [1]}, [1]),
            ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
            ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}, [1, 2]),
            ({"type": "array", "maxItems": 0}, []),
            ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
            ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}, {"a": 1, "b": 2}),
            ({"$ref": "#/$defs/x", "$defs": {"x": {"const": "found"}}}, "found"),
            ({"required": ["must"], "type": "object"}, {"must": "must"}),
            ({"properties": {"a": {"properties": {"b": {"type": "boolean"}}}}}, {"a": {"b": True}}),
            ({}, "value"),
            (True, None),
        ],
    )
    def test_instance_of_schema(self, schema: Any, value: Any) -> None:
        assert instance_of(schema) == value

    def test_recursive_schema_has_a_finite_instance(self) -> None:
        node = {
            "type": "object",
            "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#"}}},
        }
        assert orjson.dumps(instance_of(node))
        assert orjson.dumps(instance_of({"$ref": "#"})) is not None

    @given(schema=SCHEMAS)
    def test_any_value_is_taken_for_a_schema(self, schema: Any) -> None:
        instance_of(schema)


@given(st.binary(max_size=200))
def test_any_bytes_are_answered_or_refused(body: bytes) -> None:
    read = read_request(body)
    if not isinstance(read, Refusal):
        compose(read)


class TestFaults:
    @pytest.mark.parametrize(
        ("model", "status"), [("rate-limited", 429), ("error", 500), ("overloaded", 503), ("nobody", 404)]
    )
    @pytest.mark.parametrize("stream", [False, True])
    async def test_fault_with_a_status_is_an_openai_error(self, model: str, status: int, stream: bool) -> None:
        reply = await ask(model, stream=stream)
        assert reply.status == status
        assert set(reply.json["error"]) == {"message", "type", "param", "code"}
        assert reply.headers.get("retry-after") == ("2" if status == 429 else None)

    @pytest.mark.parametrize(
        "members",
        [
            {"messages": []},
            {"messages": "x"},
            {"max_tokens": 0},
            {"n": 0},
            {"n": 17},
            {"stop": ["a"] * 5},
            {"prompt": "word " * 130_000},
        ],
    )
    async def test_invalid_request_is_a_400(self, members: dict[str, Any]) -> None:
        reply = await ask(**members)
        assert reply.status == 400
        assert reply.json["error"]["type"] == "invalid_request_error"

    @pytest.mark.parametrize(
        ("model", "error"),
        [("cut", ProviderStreamCut), ("stall", ProviderIdleTimeout), ("hang", ProviderFirstChunkTimeout)],
    )
    @pytest.mark.parametrize("stream", [False, True])
    async def test_fault_without_a_status_raises(self, model: str, error: type[ProviderError], stream: bool) -> None:
        with pytest.raises(error):
            await ask(model, stream=stream, timeouts=SHORT)

    async def test_slow_exceeds_a_short_first_byte_timeout(self) -> None:
        with pytest.raises(ProviderFirstChunkTimeout):
            await ask("slow", timeouts=SHORT)

    async def test_answer_beyond_the_read_limit_raises(self) -> None:
        body = orjson.dumps({"model": "fast", "messages": [{"role": "user", "content": "hi"}]})
        response = await DemoUpstream(0).send(UpstreamRequest("http://demo.invalid/", (), body, PATIENT, False))
        with pytest.raises(ProviderMalformedResponse):
            await response.read(100)

    async def test_flaky_fails_a_third_of_its_calls_in_a_fixed_order(self) -> None:
        async def round_of_calls() -> list[str]:
            demo, outcomes = DemoUpstream(0), list[str]()
            for _ in range(24):
                try:
                    outcomes.append(str((await ask("flaky", demo=demo, timeouts=SHORT, stream=True)).status))
                except ProviderError as error:
                    outcomes.append(error.error_type)
            return outcomes

        first, second = await asyncio.gather(round_of_calls(), round_of_calls())
        assert first == second
        assert 6 <= sum(outcome != "200" for outcome in first) <= 12
        assert {
            "429",
            "500",
            "503",
            "provider_stream_cut",
            "provider_idle_timeout",
            "provider_first_chunk_timeout",
        } <= set(first)


async def test_stream_keeps_its_pace() -> None:
    started = time.monotonic()
    reply = await ask(stream=True, max_tokens=10, demo=DemoUpstream(pace_s=0.01))
    assert time.monotonic() - started >= 0.01 * (len(reply.chunks) - 1)
