"""Gemini's answers become chat answers: streamed and whole they say the same."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gatewayz.errors import ProviderError, ProviderMalformedResponse, ProviderOverloaded, ProviderRateLimited
from gatewayz.records import Usage
from gatewayz.wires.base import AnswerInfo, Fold, Translation
from gatewayz.wires.gemini.wire import GeminiWire
from gatewayz.wires.sse import EventSplitter, data_of, event_of
from tests.unit.wires.gemini.answers import (
    BLOCKED,
    LOGPROBS,
    PICTURE,
    PLAIN,
    SHAPE,
    STREAMS,
    THINKING,
    TOOLS,
    TWO,
    USAGE,
    Json,
    answer,
    call,
    candidate,
    event,
    joined,
    text,
    whole,
)
from tests.unit.wires.ways import answer_to_chat

STREAMED = AnswerInfo("chatcmpl-abc123", "gemini/gemini-2.5-flash", 1_760_000_000, stream=True, include_usage=True)


def translated(made: Json, shape: AnswerInfo = SHAPE) -> Json:
    return orjson.loads(answer_to_chat(GeminiWire(), shape).reply(whole(made)))


def streamed(stream: list[Json], shape: AnswerInfo = STREAMED) -> list[Json]:
    """The chunks that a caller gets, without the last word, which is checked here."""
    translation: Translation = answer_to_chat(GeminiWire(), shape)
    sent = b"".join([translation.event(event(one)) for one in stream]) + translation.end()
    datas = [data_of(one) for one in EventSplitter().feed(sent)]
    assert datas.pop() == b"[DONE]"
    return [orjson.loads(data) for data in datas]


def accumulated(chunks: list[Json]) -> dict[int, Json]:
    """Each choice as a client puts it together: message, finish reason, probabilities."""
    choices: dict[int, Json] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            so_far = choices.setdefault(choice["index"], {"message": {}, "finish_reason": None, "logprobs": None})
            message: Json = so_far["message"]
            for name, value in choice["delta"].items():
                if name == "tool_calls":
                    calls: list[Json] = message.setdefault(name, [])
                    for one in value:
                        assert one["index"] == len(calls)
                        calls.append({key: item for key, item in one.items() if key != "index"})
                elif isinstance(value, str) and name != "role":
                    message[name] = message.get(name, "") + value
                elif isinstance(value, list):
                    message.setdefault(name, []).extend(value)
                else:
                    assert name != "role" or name not in message
                    message[name] = value
            so_far["finish_reason"] = choice["finish_reason"] or so_far["finish_reason"]
            so_far["logprobs"] = choice["logprobs"] or so_far["logprobs"]
    return choices


def without_nothing(message: Json) -> Json:
    return {name: value for name, value in message.items() if value not in (None, "")}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_and_a_whole_answer_say_the_same(name: str) -> None:
    stream = STREAMS[name]
    unary = translated(joined(stream))
    chunks = streamed(stream)
    choices = accumulated(chunks)
    assert len(choices) == len(unary["choices"])
    for choice in unary["choices"]:
        from_stream = choices[choice["index"]]
        assert without_nothing(from_stream["message"]) == without_nothing(choice["message"])
        assert from_stream["finish_reason"] == choice["finish_reason"]
        assert from_stream["logprobs"] == choice["logprobs"]
    assert chunks[-1]["usage"] == unary["usage"]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_and_a_whole_answer_fold_to_the_same(name: str) -> None:
    one_by_one: Fold = GeminiWire().fold()
    at_once: Fold = GeminiWire().fold()
    for made in STREAMS[name]:
        assert one_by_one.event(event(made)) != "error"
    at_once.reply(whole(joined(STREAMS[name])))
    for fold in (one_by_one, at_once):
        assert fold.complete
        assert not fold.done
        assert (fold.response_id, fold.response_model) == ("r-1", "gemini-2.5-flash-001")
    assert one_by_one.finish_reasons == at_once.finish_reasons
    assert one_by_one.usage == at_once.usage
    assert at_once.usage.source == "provider"


@pytest.mark.parametrize("name", STREAMS)
def test_openais_client_reads_both(name: str) -> None:
    ChatCompletion.model_validate(translated(joined(STREAMS[name])), strict=True)
    for chunk in streamed(STREAMS[name]):
        ChatCompletionChunk.model_validate(chunk, strict=True)


@pytest.mark.parametrize("name", STREAMS)
@given(cut=st.integers(1, 40))
def test_where_the_providers_bytes_are_cut_makes_no_difference(name: str, cut: int) -> None:
    sent = b"".join(event(one) for one in STREAMS[name])

    def run(size: int) -> tuple[bytes, tuple[str, ...], Usage]:
        splitter, fold, translation = EventSplitter(), GeminiWire().fold(), answer_to_chat(GeminiWire(), STREAMED)
        made = b""
        for start in range(0, len(sent), size):
            for one in splitter.feed(sent[start : start + size]):
                fold.event(one)
                made += translation.event(one)
        return made + translation.end(), fold.finish_reasons, fold.usage

    assert run(cut) == run(len(sent))


class TestMessages:
    def test_the_answer_bears_what_it_was_told_to(self) -> None:
        made = translated(joined(PLAIN))
        assert (made["id"], made["model"], made["created"]) == (SHAPE.response_id, SHAPE.model, SHAPE.created_s)
        assert made["object"] == "chat.completion"
        assert made["choices"][0]["message"]["content"] == "Grüß dich 🌍"
        assert all(chunk["object"] == "chat.completion.chunk" for chunk in streamed(PLAIN))

    def test_thoughts_are_kept_apart_from_the_answer(self) -> None:
        message = translated(joined(THINKING))["choices"][0]["message"]
        assert message["reasoning_content"] == "Hm, yes."
        assert message["content"] == "It is so."
        assert message["extra_content"] == {"google": {"thought_signature": "c2ln"}}

    def test_tool_calls_keep_their_ids_and_signatures_and_get_ids_where_there_are_none(self) -> None:
        choice = translated(joined(TOOLS))["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        first, second, third = choice["message"]["tool_calls"]
        assert first == {
            "id": "fc-1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city":"Köln"}'},
            "extra_content": {"google": {"thought_signature": "c2ln"}},
        }
        assert second["function"]["arguments"] == '{"zone":"CET","exact":1.0}'
        assert "extra_content" not in second
        assert third["id"] == "call_abc123_2"
        assert third["function"]["arguments"] == "{}"

    def test_ids_that_are_made_fit_every_provider(self) -> None:
        shape = AnswerInfo("chatcmpl-" + "f" * 60, "m", 0, stream=False)
        made = translated(answer(candidate(*[call("f")] * 12, reason="STOP")), shape)
        ids = [one["id"] for one in made["choices"][0]["message"]["tool_calls"]]
        assert len(set(ids)) == 12
        assert max(map(len, ids)) <= 40

    def test_a_call_that_was_cut_off_is_not_one_to_make(self) -> None:
        made = translated(answer(candidate(call("f"), reason="MAX_TOKENS")))
        assert made["choices"][0]["finish_reason"] == "length"

    def test_a_picture_comes_as_a_data_url(self) -> None:
        message = translated(joined(PICTURE))["choices"][0]["message"]
        assert message["images"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]

    def test_probabilities_of_tokens(self) -> None:
        (token,) = translated(joined(LOGPROBS))["choices"][0]["logprobs"]["content"]
        assert (token["token"], token["logprob"], token["bytes"]) == ("Hi", -0.25, [72, 105])
        assert [other["token"] for other in token["top_logprobs"]] == ["Hi", "Hé"]

    def test_a_prompt_that_was_blocked_is_an_answer_withheld(self) -> None:
        (choice,) = translated(joined(BLOCKED))["choices"]
        assert choice["finish_reason"] == "content_filter"
        assert choice["message"]["content"] is None
        assert "PROHIBITED_CONTENT" in choice["message"]["refusal"]

    def test_each_candidate_is_a_choice(self) -> None:
        first, second = translated(joined(TWO))["choices"]
        assert (first["message"]["content"], first["finish_reason"]) == ("aA", "stop")
        assert (second["message"]["content"], second["finish_reason"]) == ("bB", "length")

    def test_server_side_tools_leave_the_text_alone(self) -> None:
        parts: list[Json] = [{"executableCode": {"code": "1"}}, {"codeExecutionResult": {"output": "1"}}, text("One.")]
        made = translated(answer(candidate(*parts, reason="STOP", groundingMetadata={"x": []})))
        assert made["choices"][0]["message"]["content"] == "One."


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("LANGUAGE", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("OTHER", "content_filter"),
        ("SOMETHING_NEW", "content_filter"),
    ],
)
def test_reasons_for_stopping(reason: str, expected: str) -> None:
    made = answer(candidate(text("x"), reason=reason))
    assert translated(made)["choices"][0]["finish_reason"] == expected
    assert streamed([made])[-2]["choices"][0]["finish_reason"] == expected
    fold = GeminiWire().fold()
    fold.reply(whole(made))
    assert fold.finish_reasons == (reason.lower(),)


@pytest.mark.parametrize(
    "reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE"]
)
def test_what_the_model_did_not_bring_off_is_never_taken_for_an_answer(reason: str) -> None:
    made = answer(candidate(reason=reason))
    fold = GeminiWire().fold()
    with pytest.raises(ProviderMalformedResponse, match=reason):
        fold.reply(whole(made))
    assert fold.usage.input_tokens == 10
    with pytest.raises(ProviderMalformedResponse):
        translated(made)
    stream = GeminiWire().fold()
    assert stream.event(event(made)) == "error"
    assert isinstance(stream.error, ProviderMalformedResponse)


class TestStreams:
    def test_a_reason_that_comes_with_every_event_is_told_once_and_last(self) -> None:
        chunks = streamed([answer(candidate(text(one), reason="STOP")) for one in "abc"])
        assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None, None, None, "stop"]
        fold = GeminiWire().fold()
        for one in "abc":
            fold.event(event(answer(candidate(text(one), reason="STOP"))))
        assert fold.finish_reasons == ("stop",)

    def test_usage_is_told_only_to_who_asked(self) -> None:
        quiet = AnswerInfo("chatcmpl-1", "m", 0, stream=True)
        assert all("usage" not in chunk for chunk in streamed(PLAIN, quiet))
        assert streamed(PLAIN)[-1]["choices"] == []

    def test_a_stream_that_was_cut_is_not_complete(self) -> None:
        fold = GeminiWire().fold()
        kinds = [fold.event(event(one)) for one in PLAIN[:-1]]
        assert kinds == ["content", "content"]
        assert not fold.complete
        assert fold.event(event(PLAIN[-1])) == "other"
        assert fold.complete
        assert fold.content_events == 2

    def test_one_candidate_that_goes_on_keeps_the_stream_going(self) -> None:
        fold = GeminiWire().fold()
        fold.event(event(TWO[0]))
        fold.event(event(TWO[1]))
        assert not fold.complete
        fold.event(event(TWO[2]))
        assert fold.complete

    def test_an_event_with_nothing_but_usage_is_for_the_meter(self) -> None:
        fold = GeminiWire().fold()
        assert fold.event(event({"usageMetadata": USAGE})) == "usage"
        assert fold.usage.output_tokens == 4

    def test_a_count_that_a_later_event_leaves_out_is_kept(self) -> None:
        fold = GeminiWire().fold()
        fold.event(event({"usageMetadata": {"promptTokenCount": 9, "thoughtsTokenCount": 5}}))
        fold.event(event({"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 2}}))
        assert fold.usage == Usage(9, 7, reasoning_tokens=5, source="provider")

    @pytest.mark.parametrize("said", [b": keep-alive\n\n", b"\n\n", b"event: ping\n\n"])
    def test_what_says_nothing_becomes_nothing(self, said: bytes) -> None:
        assert GeminiWire().fold().event(said) == "other"
        assert answer_to_chat(GeminiWire(), STREAMED).event(said) == b""

    @pytest.mark.parametrize("data", [b'{"candidates":[', b"hello", b"<html>", b'{"candidates":5}', b"[1]"])
    def test_what_is_no_answer_is_malformed(self, data: bytes) -> None:
        with pytest.raises(ProviderMalformedResponse):
            GeminiWire().fold().event(event_of(data))
        with pytest.raises(ProviderMalformedResponse):
            answer_to_chat(GeminiWire(), STREAMED).event(event_of(data))

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            ({"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "key AIzaSecret"}, ProviderRateLimited),
            ({"code": 503, "status": "UNAVAILABLE"}, ProviderOverloaded),
            ({"code": 500, "status": "INTERNAL"}, ProviderError),
            ({"code": "what"}, ProviderError),
            ("boom", ProviderError),
        ],
    )
    def test_an_error_in_a_200_is_an_error(self, error: Any, kind: type[ProviderError]) -> None:
        made = {"error": error}
        fold = GeminiWire().fold()
        assert fold.event(event(made)) == "error"
        assert isinstance(fold.error, kind)
        assert "AIza" not in fold.error.message
        for whole_answer in (GeminiWire().fold(), answer_to_chat(GeminiWire(), SHAPE)):
            with pytest.raises(kind):
                whole_answer.reply(whole(made))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (USAGE, Usage(10, 4, source="provider")),
        ({**USAGE, "thoughtsTokenCount": 6}, Usage(10, 10, reasoning_tokens=6, source="provider")),
        ({**USAGE, "cachedContentTokenCount": 8}, Usage(10, 4, cache_read_tokens=8, source="provider")),
        ({**USAGE, "toolUsePromptTokenCount": 5}, Usage(15, 4, source="provider")),
        ({"promptTokenCount": 10}, Usage(10, 0, source="provider")),
        ({**USAGE, "promptTokenCount": -1}, Usage(0, 4, source="provider")),
        (None, Usage()),
    ],
)
def test_usage_in_our_terms(usage: Json | None, expected: Usage) -> None:
    made = answer(candidate(text("x"), reason="STOP"), usage=usage)
    fold = GeminiWire().fold()
    fold.reply(whole(made))
    assert fold.usage == expected
    told = translated(made).get("usage")
    if told is None:
        assert usage is None
    else:
        assert told["total_tokens"] == expected.input_tokens + expected.output_tokens
        assert told["completion_tokens_details"]["reasoning_tokens"] == expected.reasoning_tokens
        assert told["prompt_tokens_details"]["cached_tokens"] == expected.cache_read_tokens


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"candidates":[]}', b'{"candidates":[{"index":0}]}'])
def test_a_whole_answer_that_is_none_is_malformed(body: bytes) -> None:
    with pytest.raises(ProviderMalformedResponse):
        GeminiWire().fold().reply(body)


JSON_ANSWER = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["candidates", "content", "parts", "text", "functionCall", "args", "name", "index", "error", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


BYTES = st.sampled_from([b"\xff", b"\\ud800", b"NaN", b'"', b"{", b"\x00"])


@given(
    made=JSON_ANSWER | st.sampled_from([joined(one) for one in STREAMS.values()]), place=st.integers(0), garbage=BYTES
)
def test_no_answer_breaks_anything(made: Any, place: int, garbage: bytes) -> None:
    body = json.dumps(made).encode()
    for damaged in (body, body[: place % len(body)] + garbage + body[place % len(body) :]):
        _survives(damaged)


@pytest.mark.parametrize("args", [b'{"a":"\xff"}', b'{"a":"\\ud800"}', b'{"a":NaN}'])
def test_arguments_that_nobody_could_read_are_no_answer(args: bytes) -> None:
    call_of = b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":%b}}]},"finishReason":"STOP"}]}'
    with pytest.raises(ProviderMalformedResponse):
        answer_to_chat(GeminiWire(), SHAPE).reply(call_of % args)


def _survives(body: bytes) -> None:
    for read in (GeminiWire().fold().reply, answer_to_chat(GeminiWire(), SHAPE).reply):
        try:
            read(body)
        except ProviderError:
            continue
    for step in (GeminiWire().fold().event, answer_to_chat(GeminiWire(), STREAMED).event):
        try:
            step(event_of(body))
        except ProviderError:
            continue
