"""Chat answers as Responses: the official SDK must accumulate from the stream what the whole answer says."""

from __future__ import annotations

from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import APIError, APIStatusError
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from gatewayz.errors import Overloaded, ProviderStreamCut
from gatewayz.records import Call
from gatewayz.wires.base import AnswerInfo
from gatewayz.wires.openai_responses.wire import ResponsesCaller
from gatewayz.wires.translate import AnswerTranslation
from tests.unit.wires.responses.played import (
    USAGE,
    call_delta,
    call_of,
    chat_reply,
    chat_stream,
    chunk,
    playing_reply,
    playing_stream,
    told,
    translated,
)
from tests.unit.wires.ways import answer_from_chat, error_body

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
TOOL: dict[str, Any] = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
TOKEN = {"token": "hi", "logprob": -0.5, "bytes": [104, 105], "top_logprobs": []}
CITATION = {"url": "https://x.org", "title": "X", "start_index": 0, "end_index": 2}
SIGNED = {"type": "reasoning.text", "text": "hm, so", "signature": "s1g"}


def call_for(**members: Any) -> Call:
    return ResponsesCaller().parse(orjson.dumps({"model": "m", "input": "hi", **members}))


def translation(*, stream: bool, **members: Any) -> AnswerTranslation:
    return answer_from_chat(ResponsesCaller(), call_for(**members), AnswerInfo("req_12", "m", 1_700_000_000, stream))


def streamed(events: list[bytes], **members: Any) -> bytes:
    return translated(translation(stream=True, **members), events)


def whole(body: bytes, **members: Any) -> Any:
    return orjson.loads(translation(stream=False, **members).reply(body))


def without_parsed(value: Any) -> Any:
    """Without what the SDK's accumulator adds of its own."""
    match value:
        case dict():
            members = cast("dict[str, Any]", value)
            return {k: without_parsed(v) for k, v in members.items() if k not in ("parsed", "parsed_arguments")}
        case list():
            return [without_parsed(v) for v in cast("list[Any]", value)]
        case _:
            return value


# name: (deltas, the same as a whole message, why it ended)
ANSWERS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "text": ([{"content": "Grüße, "}, {"content": "🌍"}], {"content": "Grüße, 🌍"}, "stop"),
    "text cut by the limit": ([{"content": "one two"}], {"content": "one two"}, "length"),
    "text stopped by the filter": ([{"content": "one"}], {"content": "one"}, "content_filter"),
    "nothing": ([], {"content": ""}, "stop"),
    "nothing but reasoning": ([{"reasoning_content": "hm"}], {"content": None, "reasoning_content": "hm"}, "length"),
    "a refusal": ([{"refusal": "I "}, {"refusal": "won't"}], {"content": None, "refusal": "I won't"}, "stop"),
    "reasoning and text": (
        [{"reasoning_content": "hm, "}, {"reasoning_content": "so"}, {"content": "yes"}],
        {"reasoning_content": "hm, so", "content": "yes"},
        "stop",
    ),
    "reasoning under another name": (
        [{"reasoning": "hm"}, {"content": "yes"}],
        {"reasoning": "hm", "content": "yes"},
        "stop",
    ),
    "reasoning in parts of the content": (
        [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}, {"content": "yes"}],
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]},
        "stop",
    ),
    "signed reasoning": (
        [{"reasoning_content": "hm, "}, {"reasoning_content": "so"}, {"reasoning_details": [SIGNED]}, {"content": "yes"}],
        {"reasoning_content": "hm, so", "reasoning_details": [SIGNED], "content": "yes"},
        "stop",
    ),
    "a call": (
        [
            call_delta(0, id="c1", name="weather", arguments=""),
            call_delta(0, arguments='{"at"'),
            call_delta(0, arguments=':"Rome"}'),
        ],
        {"content": None, "tool_calls": [call_of("c1", "weather", '{"at":"Rome"}')]},
        "tool_calls",
    ),
    "text and parallel calls, their parts mixed": (
        [
            {"content": "Let me look."},
            call_delta(0, id="c1", name="weather", arguments=""),
            call_delta(1, id="c2", name="weather", arguments=""),
            call_delta(0, arguments="{}"),
            call_delta(1, arguments='{"at":1}'),
        ],
        {"content": "Let me look.", "tool_calls": [call_of("c1", "weather", "{}"), call_of("c2", "weather", '{"at":1}')]},
        "tool_calls",
    ),
    "calls that all claim to be the first": (
        [call_delta(0, id="c1", name="a", arguments="{}"), call_delta(0, id="c2", name="b", arguments="{}")],
        {"content": None, "tool_calls": [call_of("c1", "a", "{}"), call_of("c2", "b", "{}")]},
        "tool_calls",
    ),
    "a call of a custom tool": (
        [{"tool_calls": [{"index": 0, "id": "c1", "type": "custom", "custom": {"name": "sh", "input": "ls"}}]}],
        {"content": None, "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "sh", "input": "ls"}}]},
        "tool_calls",
    ),
    "a citation": (
        [{"content": "hi"}, {"annotations": [{"type": "url_citation", "url_citation": CITATION}]}],
        {"content": "hi", "annotations": [{"type": "url_citation", "url_citation": CITATION}]},
        "stop",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
class TestEveryAnswer:
    async def test_the_sdk_accumulates_what_the_whole_answer_says(self, name: str) -> None:
        deltas, message, reason = ANSWERS[name]
        expected = Response.model_validate(whole(chat_reply(message, reason)))
        events = streamed(chat_stream(*deltas, reason=reason))
        async with (
            playing_stream(events, slice_bytes=7) as client,
            client.responses.stream(model="m", input="hi") as stream,
        ):
            heard = [event async for event in stream]
            last: Any = heard[-1]
            assert [event.sequence_number for event in heard] == list(range(len(heard)))
            assert without_parsed(last.response.to_dict(mode="json")) == expected.to_dict(mode="json")
            if expected.status == "completed":
                response = await stream.get_final_response()
                assert response.output_text == expected.output_text
            else:
                assert last.type == "response.incomplete"

    async def test_the_sdk_reads_the_whole_answer(self, name: str) -> None:
        _, message, reason = ANSWERS[name]
        body = translation(stream=False).reply(chat_reply(message, reason))
        async with playing_reply(body) as client:
            response = await client.responses.create(model="m", input="hi")
        assert response.id == "resp_12"
        assert response.usage is not None
        assert response.usage.input_tokens_details.cached_tokens == 8
        assert response.usage.output_tokens_details.reasoning_tokens == 4

    def test_every_event_is_as_the_reference_has_it(self, name: str) -> None:
        deltas, _, reason = ANSWERS[name]
        for event in told(streamed(chat_stream(*deltas, reason=reason))):
            EVENT.validate_python(event)

    def test_what_is_added_is_done_and_what_is_done_was_added(self, name: str) -> None:
        deltas, _, reason = ANSWERS[name]
        events = told(streamed(chat_stream(*deltas, reason=reason)))
        added = [event["item"]["id"] for event in events if event["type"] == "response.output_item.added"]
        done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
        assert sorted(added) == sorted([item["id"] for item in done])
        output = events[-1]["response"]["output"]
        assert sorted(done, key=lambda item: item["id"]) == sorted(output, key=lambda item: item["id"])
        assert [item["id"] for item in output] == added


def test_the_order_of_events_is_openais() -> None:
    events = told(
        streamed(chat_stream(*ANSWERS["reasoning and text"][0], call_delta(0, id="c", name="f", arguments="{}")))
    )
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip


def test_text_after_a_call_is_another_message() -> None:
    deltas = [{"content": "a"}, call_delta(0, id="c", name="f", arguments="{}"), {"content": "b"}]
    response = told(streamed(chat_stream(*deltas)))[-1]["response"]
    assert [item["type"] for item in response["output"]] == ["message", "function_call", "message"]


def test_what_the_request_said_is_repeated() -> None:
    said: dict[str, Any] = {
        "instructions": "Be brief.",
        "tools": [TOOL],
        "tool_choice": "required",
        "metadata": {"a": "b"},
        "temperature": 0.5,
        "max_output_tokens": 99,
        "text": {"format": {"type": "json_object"}},
        "reasoning": {"effort": "low"},
        "parallel_tool_calls": False,
        "user": "u",
    }
    response = whole(chat_reply({"content": "x"}), **said)
    in_full = {"tools": [{**TOOL, "description": None}], "reasoning": {"effort": "low", "summary": None}}
    assert {name: response[name] for name in said} == {**said, **in_full}
    assert response["store"] is False
    Response.model_validate(response)


def test_a_request_over_several_lines_does_not_break_the_events() -> None:
    body = b'{"model": "m", "input": "hi", "metadata": {\r\n "a": "b"\n}}'
    translation = answer_from_chat(
        ResponsesCaller(), ResponsesCaller().parse(body), AnswerInfo("r", "m", 1, stream=True)
    )
    first = told(translated(translation, chat_stream({"content": "x"})))[0]
    assert first["response"]["metadata"] == {"a": "b"}


def test_log_probabilities_come_with_the_text() -> None:
    chosen: dict[str, Any] = {"logprobs": {"content": [TOKEN], "refusal": None}}
    events = told(streamed([chunk({"content": "hi"}, None, **chosen), chunk({}, "stop")]))
    assert next(event for event in events if event["type"] == "response.output_text.delta")["logprobs"] == [TOKEN]
    assert events[-1]["response"]["output"][0]["content"][0]["logprobs"] == [TOKEN]
    response = whole(chat_reply({"content": "hi"}, **chosen))
    assert response["output"][0]["content"][0]["logprobs"] == [TOKEN]


@pytest.mark.parametrize("stream", [True, False])
def test_usage_that_nobody_gave_is_none(stream: bool) -> None:
    if stream:
        response = told(streamed([chunk({"content": "hi"}), chunk({}, "stop")]))[-1]["response"]
    else:
        response = whole(chat_reply({"content": "hi"}, usage=None))
    assert response["usage"] is None


def test_a_stream_without_the_usual_last_word_ends_all_the_same() -> None:
    translation_ = translation(stream=True)
    events = b"".join([translation_.event(event) for event in chat_stream({"content": "hi"})[:-1]])
    assert told(events)[-1]["type"] != "response.completed"
    ended = told(translation_.end())
    assert ended[-1]["type"] == "response.completed"
    assert ended[-1]["response"]["usage"]["total_tokens"] == USAGE["total_tokens"]
    assert translation_.end() == b""


def test_comments_and_what_comes_after_the_end_are_nothing() -> None:
    translation_ = translation(stream=True)
    assert translation_.event(b": keep-alive\n\n") == b""
    translated(translation_, chat_stream({"content": "hi"}))
    assert translation_.event(chunk({"content": "late"})) == b""


def test_the_signature_of_a_call_goes_with_its_item() -> None:
    call = {**call_of("c", "f", "{}"), "extra_content": {"google": {"thought_signature": "s"}}}
    item = whole(chat_reply({"content": None, "tool_calls": [call]}))["output"][0]
    assert item["extra_content"] == call["extra_content"]


def test_a_signature_without_its_text_is_of_what_was_shown() -> None:
    parts = [{"reasoning_content": "hm"}, {"reasoning_details": [{"type": "reasoning.text", "signature": "s"}]}]
    item = told(streamed(chat_stream(*parts, {"content": "x"})))[-1]["response"]["output"][0]
    back = ResponsesCaller().as_chat(call_for(input=[item, {"role": "assistant", "content": "x"}]))
    assert back["messages"] == [
        {
            "role": "assistant",
            "content": "x",
            "reasoning_details": [{"type": "reasoning.text", "signature": "s", "text": "hm"}],
        }
    ]


class Weather(BaseModel):
    place: str
    degrees: float


async def test_the_sdk_parses_structured_answers() -> None:
    deltas = [{"content": '{"place":'}, {"content": '"Rome","degrees":21.5}'}]
    async with (
        playing_stream(streamed(chat_stream(*deltas))) as client,
        client.responses.stream(model="m", input="hi", text_format=Weather) as stream,
    ):
        response = await stream.get_final_response()
    assert response.output_parsed == Weather(place="Rome", degrees=21.5)


class TestErrors:
    async def test_in_the_midst_of_a_stream_the_sdk_raises(self) -> None:
        events = chat_stream({"content": "hi"})[:2]
        translation_ = translation(stream=True)
        begun = b"".join([translation_.event(event) for event in events])
        failure = ResponsesCaller().error_event(ProviderStreamCut("It was cut."))
        async with playing_stream(begun + failure) as client:
            with pytest.raises(APIError, match="It was cut"):
                async with client.responses.stream(model="m", input="hi") as stream:
                    await stream.get_final_response()

    def test_the_event_is_as_the_reference_has_it(self) -> None:
        event = told(ResponsesCaller().error_event(Overloaded("Too much."), 7))[0]
        EVENT.validate_python(event)
        assert (event["type"], event["sequence_number"], event["code"]) == ("error", 7, "gateway_overloaded")

    async def test_instead_of_an_answer_the_sdk_raises(self) -> None:
        async with playing_reply(error_body("openai_responses", Overloaded("Too much.")), 503) as client:
            with pytest.raises(APIStatusError, match="Too much"):
                await client.responses.create(model="m", input="hi")


PIECES = st.lists(st.text(min_size=1, max_size=5), max_size=4)


@given(reasoning=PIECES, text=PIECES, calls=st.lists(PIECES, max_size=3), limit=st.booleans())
def test_streamed_and_whole_are_the_same(
    reasoning: list[str], text: list[str], calls: list[list[str]], limit: bool
) -> None:
    reason = "length" if limit else "stop"
    deltas: list[dict[str, Any]] = [{"reasoning_content": piece} for piece in reasoning]
    deltas += [{"content": piece} for piece in text]
    for i, pieces in enumerate(calls):
        deltas.append(call_delta(i, id=f"c{i}", name="f", arguments=""))
        deltas += [call_delta(i, arguments=piece) for piece in pieces]
    message = {
        "reasoning_content": "".join(reasoning),
        "content": "".join(text),
        "tool_calls": [call_of(f"c{i}", "f", "".join(pieces)) for i, pieces in enumerate(calls)],
    }
    last = told(streamed(chat_stream(*deltas, reason=reason)))[-1]
    assert last["response"] == whole(chat_reply(message, reason))
