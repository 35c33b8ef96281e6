"""OpenAI's older completions: passed on where a provider has them, said in chat elsewhere."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import APIError
from openai.types import Completion

from gatewayz.errors import InvalidRequest, ProviderError, ProviderStreamCut
from gatewayz.records import Call, Usage
from gatewayz.wires.base import AnswerInfo
from gatewayz.wires.openai_chat.fold import ChatFold
from gatewayz.wires.openai_completions.wire import CompletionsCaller, CompletionsProvider
from gatewayz.wires.sse import event_of
from tests.unit.wires.responses.played import (
    USAGE,
    chat_reply,
    chat_stream,
    chunk,
    playing_reply,
    playing_stream,
    told,
    translated,
    usage_event,
)
from tests.unit.wires.ways import answer_from_chat

CALLER = CompletionsCaller()
PROVIDER = CompletionsProvider()
TOKENS: list[dict[str, Any]] = [
    {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": [{"token": "Hi", "logprob": -0.1, "bytes": None}]},
    {"token": " you", "logprob": -0.2, "bytes": None, "top_logprobs": []},
]  # fmt: skip


def call_for(**members: Any) -> Call:
    return CALLER.parse(orjson.dumps({"model": "m", "prompt": "Say hi", **members}))


def translation(call: Call) -> Any:
    return answer_from_chat(CALLER, call, AnswerInfo("req_5", "m", 1_700_000_000, call.stream, call.include_usage))


def whole(body: bytes, **members: Any) -> Any:
    completion = orjson.loads(translation(call_for(**members)).reply(body))
    Completion.model_validate(completion)
    return completion


def streamed(events: list[bytes], **members: Any) -> bytes:
    return translated(translation(call_for(stream=True, **members)), events)


class TestRequests:
    def test_the_prompt_is_the_users_message(self) -> None:
        assert CALLER.as_chat(call_for()) == {
            "model": "m",
            "messages": [{"role": "user", "content": "Say hi"}],
            "max_completion_tokens": 16,  # the default of this endpoint
        }

    def test_settings_are_the_same_in_chat(self) -> None:
        said = {"temperature": 0, "top_p": 0.5, "n": 2, "stop": ["x"], "seed": 7, "presence_penalty": 1, "user": "u"}
        chat = CALLER.as_chat(call_for(max_tokens=5, **said))
        assert {name: chat[name] for name in said} == said
        assert chat["max_completion_tokens"] == 5
        assert "max_tokens" not in chat

    def test_a_list_of_one_prompt_is_a_prompt(self) -> None:
        assert CALLER.as_chat(call_for(prompt=["x"]))["messages"] == [{"role": "user", "content": "x"}]

    @pytest.mark.parametrize(("asked", "told"), [(0, 0), (5, 5)])
    def test_log_probabilities_are_asked_for(self, asked: int, told: int) -> None:
        chat = CALLER.as_chat(call_for(logprobs=asked))
        assert (chat["logprobs"], chat["top_logprobs"]) == (True, told)

    @pytest.mark.parametrize(
        "said", [{"suffix": ""}, {"suffix": None}, {"echo": False}, {"best_of": 1}, {"best_of": 3, "n": 3}]
    )
    def test_what_asks_for_nothing_is_left_out(self, said: dict[str, Any]) -> None:
        chat = CALLER.as_chat(call_for(**said))
        chat.pop("n", None)
        assert chat == CALLER.as_chat(call_for())

    @pytest.mark.parametrize(
        ("said", "param"),
        [
            ({"prompt": None}, "prompt"),
            ({"prompt": ["a", "b"]}, "prompt"),
            ({"prompt": [1, 2]}, "prompt"),
            ({"prompt": [[1, 2]]}, "prompt"),
            ({"prompt": []}, "prompt"),
            ({"suffix": "end"}, "suffix"),
            ({"best_of": 3}, "best_of"),
            ({"logprobs": 3, "echo": True}, "logprobs"),
            ({"logprobs": 99}, "logprobs"),
            ({"logprobs": True}, "logprobs"),
            ({"messages": [1]}, "messages"),
        ],
    )
    def test_what_has_no_equal_in_chat_is_refused_by_name(self, said: dict[str, Any], param: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            CALLER.as_chat(call_for(**said))
        assert caught.value.param == param
        assert param in caught.value.message

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            (b'{"prompt":"x"}', "model"),
            (b'{"model":"m","prompt":5}', "prompt"),
            (b'{"model":"m","n":0}', "n"),
            (b'{"model":"m","stream":1}', "stream"),
            (b"[]", None),
        ],
    )
    def test_what_is_wrong_is_named(self, body: bytes, param: str | None) -> None:
        with pytest.raises(InvalidRequest) as caught:
            CALLER.parse(body)
        assert caught.value.param == param

    def test_parameters_are_read(self) -> None:
        call = call_for(max_tokens=5, n=2, stop="x", stream=True, stream_options={"include_usage": True})
        assert (call.operation, call.stream, call.include_usage) == ("text_completion", True, True)
        assert (call.parameters.max_tokens, call.parameters.choice_count) == (5, 2)
        assert call.parameters.stop_sequences == ("x",)


class TestPassingOn:
    def test_everything_arrives_under_the_providers_name(self) -> None:
        body = b'{"model":"openai/m","prompt":["a","b"],"suffix":"s","echo":true,"logprobs":5}'
        expected = b'{"model":"m","prompt":["a","b"],"suffix":"s","echo":true,"logprobs":5}'
        assert PROVIDER.request(CALLER.parse(body), "m", usage_option=True) == expected
        assert PROVIDER.path("m", stream=True) == "/completions"

    def test_a_stream_asks_for_usage(self) -> None:
        sent = orjson.loads(PROVIDER.request(call_for(stream=True), "m", usage_option=True))
        assert sent["stream_options"] == {"include_usage": True}

    def test_a_chat_is_not_completed(self) -> None:
        with pytest.raises(InvalidRequest):
            PROVIDER.from_chat({"messages": []}, "m", stream=False)

    def test_a_whole_answer_and_a_stream_fold_to_the_same(self) -> None:
        def event(text: str, reason: str | None = None) -> bytes:
            choice = {"text": text, "index": 0, "finish_reason": reason}
            return event_of(orjson.dumps({"id": "cmpl-1", "model": "up", "choices": [choice]}))

        one, many = ChatFold(), ChatFold()
        choice = {"text": "hi", "index": 0, "finish_reason": "stop"}
        one.reply(orjson.dumps({"id": "cmpl-1", "model": "up", "choices": [choice], "usage": USAGE}))
        events = [event(""), event("hi"), event("", "stop"), usage_event(), b"data: [DONE]\n\n"]
        assert [many.event(said) for said in events] == ["other", "content", "other", "usage", "done"]
        assert many.content_events == 1
        for fold in (one, many):
            assert (fold.response_id, fold.response_model, fold.finish_reasons) == ("cmpl-1", "up", ("stop",))
            assert fold.usage == Usage(20, 9, 8, 0, 4, source="provider")

    @given(st.binary(max_size=100))
    def test_any_bytes_are_folded_or_malformed(self, data: bytes) -> None:
        with contextlib.suppress(ProviderError):
            ChatFold().event(data)


class TestAnswers:
    def test_whole(self) -> None:
        completion = whole(chat_reply({"content": "Hi you"}))
        assert completion == {
            "id": "cmpl-5",
            "object": "text_completion",
            "created": 1_700_000_000,
            "model": "m",
            "choices": [{"text": "Hi you", "index": 0, "logprobs": None, "finish_reason": "stop"}],
            "usage": USAGE,
        }

    @pytest.mark.parametrize(
        ("reason", "becomes"),
        [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("tool_calls", "stop")],
    )
    def test_why_it_ended(self, reason: str, becomes: str) -> None:
        assert whole(chat_reply({"content": "x"}, reason))["choices"][0]["finish_reason"] == becomes

    def test_a_refusal_is_all_that_was_said(self) -> None:
        assert whole(chat_reply({"content": None, "refusal": "no"}))["choices"][0]["text"] == "no"

    def test_the_prompt_is_repeated_where_that_was_asked(self) -> None:
        assert whole(chat_reply({"content": " you"}), echo=True)["choices"][0]["text"] == "Say hi you"
        texts = [choice["text"] for event in told(streamed(chat_stream({"content": " y"}, {"content": "ou"}), echo=True))[:-1]
                 for choice in event["choices"]]  # fmt: skip
        assert texts == ["Say hi", " y", "ou", ""]

    def test_log_probabilities_in_four_lists(self) -> None:
        completion = whole(chat_reply({"content": "Hi you"}, logprobs={"content": TOKENS}))
        assert completion["choices"][0]["logprobs"] == {
            "tokens": ["Hi", " you"],
            "token_logprobs": [-0.1, -0.2],
            "top_logprobs": [{"Hi": -0.1}, {}],
            "text_offset": [0, 2],
        }
        parts = [chunk({"content": token["token"]}, logprobs={"content": [token]}) for token in TOKENS]
        offsets = [event["choices"][0]["logprobs"]["text_offset"] for event in told(streamed(parts))[:-1]]
        assert offsets == [[0], [2]]

    @pytest.mark.parametrize("asked", [True, False])
    async def test_the_sdk_reads_the_stream(self, asked: bool) -> None:
        options: Any = {"stream_options": {"include_usage": True}} if asked else {}
        events = streamed(chat_stream({"content": "Grüße"}, {"content": " 🌍"}, reason="length"), **options)
        async with playing_stream(events, slice_bytes=5) as client:
            stream = await client.completions.create(model="m", prompt="x", stream=True)
            chunks = [said async for said in stream]
        assert "".join([choice.text for said in chunks for choice in said.choices]) == "Grüße 🌍"
        assert [choice.finish_reason for said in chunks for choice in said.choices][-1] == "length"
        assert [said.usage is not None for said in chunks] == [*[False] * (len(chunks) - 1), asked]
        assert {(said.id, said.object, said.model) for said in chunks} == {("cmpl-5", "text_completion", "m")}

    async def test_the_sdk_reads_the_whole(self) -> None:
        async with playing_reply(translation(call_for()).reply(chat_reply({"content": "Hi"}))) as client:
            completion = await client.completions.create(model="m", prompt="x")
        assert completion.choices[0].text == "Hi"
        assert completion.usage is not None
        assert completion.usage.total_tokens == 29

    async def test_the_sdk_raises_what_breaks_in_the_midst(self) -> None:
        begun = translation(call_for(stream=True)).event(chunk({"content": "Hi"}))
        async with playing_stream(begun + CALLER.error_event(ProviderStreamCut("It was cut."))) as client:
            stream = await client.completions.create(model="m", prompt="x", stream=True)
            with pytest.raises(APIError, match="It was cut"):
                async for _ in stream:
                    pass

    def test_the_end_is_said_once(self) -> None:
        translation_ = translation(call_for(stream=True))
        assert translated(translation_, chat_stream({"content": "Hi"})).count(b"[DONE]") == 1
        assert translation_.end() == b""

    def test_a_stream_without_the_usual_last_word_ends_all_the_same(self) -> None:
        assert streamed(chat_stream({"content": "Hi"})[:-1]).endswith(b"data: [DONE]\n\n")

    @given(st.lists(st.tuples(st.integers(0, 2), st.text(min_size=1, max_size=4)), max_size=8))
    def test_streamed_and_whole_are_the_same(self, pieces: list[tuple[int, str]]) -> None:
        texts = ["".join([text for index, text in pieces if index == i]) for i in range(3)]
        choices = [{"index": i, "message": {"content": text}, "finish_reason": "stop"} for i, text in enumerate(texts)]
        completion = whole(orjson.dumps({"choices": choices, "usage": USAGE}), n=3)
        deltas = [
            event_of(orjson.dumps({"choices": [{"index": index, "delta": {"content": text}}]}))
            for index, text in pieces
        ]
        found = ["", "", ""]
        for event in told(streamed([*deltas, b"data: [DONE]\n\n"], n=3))[:-1]:
            for choice in event["choices"]:
                found[choice["index"]] += choice["text"]
        assert found == [choice["text"] for choice in completion["choices"]]
