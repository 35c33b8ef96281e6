"""Responses as chat answers: the official SDK must accumulate from the stream what the whole answer says."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gatewayz.errors import (
    ProviderBadRequest,
    ProviderError,
    ProviderMalformedResponse,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderServerError,
)
from gatewayz.records import Usage
from gatewayz.wires.base import AnswerInfo
from gatewayz.wires.openai_responses.fold import ResponsesFold
from gatewayz.wires.openai_responses.wire import ResponsesCaller, ResponsesProvider
from gatewayz.wires.sse import EventSplitter, event_of
from gatewayz.wires.translate import AnswerTranslation
from tests.unit.wires.responses.played import (
    call_delta,
    call_of,
    chat_stream,
    playing_reply,
    playing_stream,
    told,
    translated,
)
from tests.unit.wires.ways import answer_from_chat, answer_to_chat

RESPONSES_USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 2},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 29,
}
CHAT_USAGE = {
    "prompt_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 2},
    "completion_tokens": 9,
    "completion_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 29,
}
CITATION = {"url": "https://x.org", "title": "X", "start_index": 0, "end_index": 2}
REASONING = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Then."}],
    "encrypted_content": "gAAA",
}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "c1",
    "name": "f",
    "arguments": '{"a":1}',
}
OTHER_CALL = {**CALL, "id": "fc_2", "call_id": "c2", "arguments": "{}"}
CUSTOM = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "c3", "name": "sh", "input": "ls"}


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": list(parts)}


def text(said: str, *annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": said, "annotations": list(annotations), **more}


def response(*items: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "id": "resp_up", "object": "response", "created_at": 1, "model": "gpt-up", "status": "completed", "error": None,
        "incomplete_details": None, "output": list(items), "usage": RESPONSES_USAGE, **members,
    }  # fmt: skip


def event(kind: str, **members: Any) -> bytes:
    return b"event: " + kind.encode() + b"\n" + event_of(orjson.dumps({"type": kind, **members}))


def stream_of(answer: dict[str, Any], cut: int = 3) -> list[bytes]:
    """The events in which OpenAI streams this response."""
    events = [event("response.created", response={**answer, "output": [], "status": "in_progress", "usage": None})]
    for i, item in enumerate(answer["output"]):
        place = {"item_id": item.get("id"), "output_index": i}
        empty = {
            **item,
            **{name: type(item[name])() for name in ("content", "summary", "arguments", "input") if name in item},
        }
        empty.pop("encrypted_content", None)
        events.append(event("response.output_item.added", output_index=i, item=empty))
        for name, kind in (("arguments", "function_call_arguments"), ("input", "custom_tool_call_input")):
            for piece in pieces(item.get(name, ""), cut):
                events.append(event(f"response.{kind}.delta", **place, delta=piece))
        for j, part in enumerate(item.get("summary", ())):
            at = {**place, "summary_index": j}
            events.append(event("response.reasoning_summary_part.added", **at, part={**part, "text": ""}))
            events += [event("response.reasoning_summary_text.delta", **at, delta=p) for p in pieces(part["text"], cut)]
        for j, part in enumerate(item.get("content", ())):
            at = {**place, "content_index": j}
            if part["type"] == "refusal":
                events += [event("response.refusal.delta", **at, delta=p) for p in pieces(part["refusal"], cut)]
                continue
            tokens = part.get("logprobs", [])
            for k, piece in enumerate(pieces(part["text"], cut)):
                events.append(event("response.output_text.delta", **at, delta=piece, logprobs=tokens if k == 0 else []))
            for k, annotation in enumerate(part["annotations"]):
                added = {"annotation_index": k, "annotation": annotation}
                events.append(event("response.output_text.annotation.added", **at, **added))
        events.append(event("response.output_item.done", output_index=i, item=item))
    return [*events, event(f"response.{answer['status']}", response=answer)]


def pieces(said: str, cut: int) -> list[str]:
    return [said[start : start + cut] for start in range(0, len(said), cut)]


def translation(*, stream: bool, include_usage: bool = True) -> AnswerTranslation:
    return answer_to_chat(ResponsesProvider(), AnswerInfo("req_7", "m", 1_700_000_000, stream, include_usage))


def whole(answer: dict[str, Any]) -> Any:
    return orjson.loads(translation(stream=False).reply(orjson.dumps(answer)))


ANSWERS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "text": (response(message(text("Grüße, 🌍"))), {"content": "Grüße, 🌍"}, "stop"),
    "two messages": (response(message(text("one ")), message(text("two"))), {"content": "one two"}, "stop"),
    "a refusal": (
        response(message({"type": "refusal", "refusal": "I won't"})),
        {"content": None, "refusal": "I won't"},
        "stop",
    ),
    "cut by the limit": (
        response(message(text("one")), status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
        {"content": "one"},
        "length",
    ),
    "stopped by the filter": (
        response(message(text("one")), status="incomplete", incomplete_details={"reason": "content_filter"}),
        {"content": "one"},
        "content_filter",
    ),
    "reasoning": (
        response(REASONING, message(text("yes"))),
        {
            "content": "yes",
            "reasoning_content": "First.\n\nThen.",
            "reasoning_details": [
                {"type": "reasoning.encrypted", "data": "openai:rs_1:gAAA", "format": "openai-responses-v1"}
            ],
        },
        "stop",
    ),
    "parallel calls": (
        response(message(text("Well.")), CALL, OTHER_CALL),
        {"content": "Well.", "tool_calls": [call_of("c1", "f", '{"a":1}'), call_of("c2", "f", "{}")]},
        "tool_calls",
    ),
    "a citation": (
        response(message(text("hi", {"type": "url_citation", **CITATION}, {"type": "file_path", "file_id": "f"}))),
        {"content": "hi", "annotations": [{"type": "url_citation", "url_citation": CITATION}]},
        "stop",
    ),
    "what hosted tools did": (
        response({"id": "ws_1", "type": "web_search_call", "status": "completed"}, message(text("hi"))),
        {"content": "hi"},
        "stop",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
class TestEveryAnswer:
    def test_whole(self, name: str) -> None:
        answer, expected, reason = ANSWERS[name]
        chat = whole(answer)
        assert chat["choices"][0]["message"] == {"role": "assistant", "refusal": None, **expected}
        assert chat["choices"][0]["finish_reason"] == reason
        assert chat["usage"] == CHAT_USAGE
        assert (chat["id"], chat["model"], chat["created"]) == ("chatcmpl-7", "m", 1_700_000_000)
        ChatCompletion.model_validate(chat)

    async def test_the_sdk_accumulates_what_the_whole_answer_says(self, name: str) -> None:
        answer, expected, reason = ANSWERS[name]
        events = translated(translation(stream=True), stream_of(answer))
        for said in told(events)[:-1]:
            ChatCompletionChunk.model_validate(said)
        assert told(events)[-1] == "[DONE]"
        async with playing_stream(events, slice_bytes=11) as client:
            stream = await client.chat.completions.create(
                model="m", messages=[], stream=True, stream_options={"include_usage": True}
            )
            message: dict[str, Any] = {"content": ""}
            calls: dict[int, Any] = {}
            reasons: list[str] = []
            usage: Any = None
            async for said in stream:
                usage = said.usage or usage
                for choice in said.choices:
                    delta: dict[str, Any] = choice.delta.to_dict(exclude_none=True)
                    add_calls(calls, delta.pop("tool_calls", []))
                    for name_of_list in ("reasoning_details", "annotations"):
                        for part in delta.get(name_of_list, []):
                            assert part.pop("index") == len(message.get(name_of_list, []))
                    add(message, delta)
                    reasons += [choice.finish_reason] if choice.finish_reason else []
        if calls:
            message["tool_calls"] = [calls[i] for i in sorted(calls)]
        if expected["content"] is None:
            expected = {**expected, "content": ""}
        assert message == {"role": "assistant", **expected}
        assert reasons == [reason]
        assert usage.to_dict() == CHAT_USAGE

    def test_the_fold_of_either_is_the_same(self, name: str) -> None:
        answer, _, reason = ANSWERS[name]
        one, many = ResponsesFold(), ResponsesFold()
        one.reply(orjson.dumps(answer))
        kinds = [many.event(said) for said in stream_of(answer)]
        assert kinds[-1] == "done"
        assert many.done
        assert many.complete
        assert many.content_events > 0
        for fold in (one, many):
            assert (fold.response_id, fold.response_model, fold.finish_reasons) == ("resp_up", "gpt-up", (reason,))
            assert fold.usage == Usage(20, 9, 8, 2, 4, source="provider")


def add(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        message[name] = message[name] + value if name in message and name != "role" else value


def add_calls(calls: dict[int, Any], parts: list[Any]) -> None:
    for part in parts:
        index = part.pop("index")
        if index not in calls:
            calls[index] = part
        else:
            calls[index]["function"]["arguments"] += part["function"]["arguments"]


async def test_the_sdk_reads_the_whole_answer() -> None:
    async with playing_reply(translation(stream=False).reply(orjson.dumps(response(CALL)))) as client:
        chat = await client.chat.completions.create(model="m", messages=[])
    call: Any = (chat.choices[0].message.tool_calls or [])[0]
    assert (call.id, call.function.name, call.function.arguments) == ("c1", "f", '{"a":1}')


def test_a_call_of_a_custom_tool() -> None:
    expected = {"id": "c3", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    assert whole(response(CUSTOM))["choices"][0]["message"]["tool_calls"] == [expected]
    deltas = [said["choices"][0]["delta"] for said in told(streamed(response(CUSTOM)))[:-2]]
    assert [delta["tool_calls"] for delta in deltas if "tool_calls" in delta] == [
        [{"index": 0, "id": "c3", "type": "custom", "custom": {"name": "sh", "input": ""}}],
        [{"index": 0, "custom": {"input": "ls"}}],
    ]


def streamed(answer: dict[str, Any], **shape: Any) -> bytes:
    return translated(translation(stream=True, **shape), stream_of(answer))


def test_log_probabilities_are_kept() -> None:
    token = {"token": "hi", "logprob": -0.5, "bytes": [104, 105], "top_logprobs": []}
    answer = response(message(text("hi", logprobs=[token])))
    assert whole(answer)["choices"][0]["logprobs"] == {"content": [token], "refusal": None}
    said = [chunk["choices"][0].get("logprobs") for chunk in told(streamed(answer))[:-2]]
    assert {"content": [token], "refusal": None} in said


def test_usage_is_kept_from_those_who_did_not_ask() -> None:
    events = told(streamed(response(message(text("hi"))), include_usage=False))
    assert all("usage" not in event for event in events[:-1])


def test_what_was_not_streamed_in_parts_is_said_when_it_is_done() -> None:
    answer = response(message(text("hello")), CALL)
    stream = [said for said in stream_of(answer) if b".delta" not in said]
    chunks = told(translated(translation(stream=True), stream))[:-2]
    assert "".join([chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]) == "hello"
    calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert "".join([call["function"]["arguments"] for call in calls]) == '{"a":1}'


@pytest.mark.parametrize("kept", [["response.created"], ["response.created", "response.output_item.added"]])
def test_what_was_not_streamed_at_all_is_said_at_the_end(kept: list[str]) -> None:
    answer = response(REASONING, message(text("hello")), CALL, OTHER_CALL)
    stream = [said for said in stream_of(answer)[:-1] if any(kind.encode() in said for kind in kept)]
    events = translated(translation(stream=True), [*stream, stream_of(answer)[-1]])
    state = ChatCompletionStreamState()
    for chunk in told(events)[:-1]:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    choice = state.current_completion_snapshot.choices[0]
    said = choice.message.to_dict(mode="json")
    assert (said["content"], said["reasoning_content"]) == ("hello", "First.\n\nThen.")
    calls: Any = said["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [("c1", '{"a":1}'), ("c2", "{}")]
    assert choice.finish_reason == "tool_calls"


def test_arguments_that_come_only_when_they_are_done_are_said_once() -> None:
    answer = response(CALL)
    done = event("response.function_call_arguments.done", item_id="fc_1", output_index=0, arguments='{"a":1}')
    streams = [
        [said for said in stream_of(answer) if b".delta" not in said and b"item.done" not in said],
        stream_of(answer),
    ]
    for stream in streams:
        chunks = told(translated(translation(stream=True), [*stream[:-1], done, stream[-1]]))[:-2]
        calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
        assert "".join([call["function"]["arguments"] for call in calls]) == '{"a":1}'


def test_the_parts_of_lists_are_numbered_so_that_the_sdk_can_put_them_together() -> None:
    cited = [{"type": "url_citation", **CITATION}, {"type": "url_citation", **CITATION, "start_index": 1}]
    second = {**REASONING, "id": "rs_2", "encrypted_content": "gBBB"}
    events = streamed(response(REASONING, second, message(text("hi", *cited))))
    state = ChatCompletionStreamState()
    for chunk in told(events)[:-1]:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    said = state.current_completion_snapshot.choices[0].message.to_dict(mode="json")
    lists: list[Any] = [said["reasoning_details"], said["annotations"]]
    assert [len(parts) for parts in lists] == [2, 2]


def test_nothing_follows_the_end() -> None:
    translation_ = translation(stream=True)
    translated(translation_, stream_of(response(message(text("hi")))))
    assert translation_.event(event("response.output_text.delta", output_index=0, delta="late")) == b""
    assert translation_.end() == b""


class TestFailures:
    FAILURES = (
        ({"code": "server_error", "message": "key sk-1 in prompt"}, ProviderServerError),
        ({"code": "rate_limit_exceeded", "message": "x"}, ProviderRateLimited),
        ({"code": "server_is_overloaded", "message": "x"}, ProviderOverloaded),
        ({"code": "invalid_prompt", "message": "x"}, ProviderBadRequest),
        ({"code": "image_too_large", "message": "x"}, ProviderBadRequest),
        ({"message": "x"}, ProviderServerError),
        (None, ProviderServerError),
    )

    @pytest.mark.parametrize(("error", "kind"), FAILURES)
    def test_a_failed_response_is_an_error(self, error: Any, kind: type[ProviderError]) -> None:
        failed = response(status="failed", error=error)
        fold = ResponsesFold()
        assert fold.event(event("response.failed", response=failed)) == "error"
        assert type(fold.error) is kind
        assert not fold.complete
        assert fold.usage.input_tokens == 20
        with pytest.raises(kind) as caught:
            ResponsesFold().reply(orjson.dumps(failed))
        assert "sk-1" not in caught.value.message

    @pytest.mark.parametrize(
        "data",
        [
            {"type": "error", "code": "rate_limit_exceeded", "message": "x", "param": None, "sequence_number": 3},
            {"type": "error", "error": {"type": "x", "code": "rate_limit_exceeded", "message": "x"}},
            {"error": {"code": "rate_limit_exceeded", "message": "x"}},
        ],
    )
    def test_an_error_event_in_any_shape_is_an_error(self, data: Any) -> None:
        fold = ResponsesFold()
        assert fold.event(event_of(orjson.dumps(data))) == "error"
        assert type(fold.error) is ProviderRateLimited

    def test_a_stream_has_not_begun_before_something_is_said(self) -> None:
        """So that one that fails at once can still be answered by another provider."""
        fold = ResponsesFold()
        start = stream_of(response(message(text("hi"))))
        assert fold.event(start[0]) == "other"
        assert fold.response_id is None
        fold.event(start[1])
        assert fold.response_id == "resp_up"

    def test_a_stream_that_was_cut_is_not_complete(self) -> None:
        fold = ResponsesFold()
        for said in stream_of(response(message(text("hi"))))[:-1]:
            fold.event(said)
        assert not fold.complete

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"output":7}', b"[" * 100_000])
    def test_an_answer_that_is_none_is_malformed(self, body: bytes) -> None:
        with pytest.raises(ProviderMalformedResponse):
            ResponsesFold().reply(body)

    @pytest.mark.parametrize("data", [b"{", b"hello"])
    def test_an_event_that_is_not_json_is_malformed(self, data: bytes) -> None:
        with pytest.raises(ProviderMalformedResponse):
            ResponsesFold().event(event_of(data))

    @pytest.mark.parametrize("said", [b": ping\n\n", b"data: [DONE]\n\n", b"data: 5\n\n", event("response.new_thing")])
    def test_what_says_nothing_is_passed_on(self, said: bytes) -> None:
        fold = ResponsesFold()
        assert fold.event(said) == "other"
        assert not fold.complete
        assert translation(stream=True).event(said) == b""


PIECES = st.lists(st.text(min_size=1, max_size=5), max_size=4)


@given(reasoning=PIECES, said=PIECES, calls=st.lists(PIECES, max_size=3), reason=st.sampled_from(["stop", "length"]))
def test_a_chat_that_became_a_response_becomes_the_same_chat(
    reasoning: list[str], said: list[str], calls: list[list[str]], reason: str
) -> None:
    deltas: list[dict[str, Any]] = [{"reasoning_content": piece} for piece in reasoning]
    deltas += [{"content": piece} for piece in said]
    for i, parts in enumerate(calls):
        deltas.append(call_delta(i, id=f"c{i}", name="f", arguments=""))
        deltas += [call_delta(i, arguments=part) for part in parts]
    if calls and reason == "stop":
        reason = "tool_calls"
    there = answer_from_chat(
        ResponsesCaller(), ResponsesCaller().parse(b'{"model":"m","input":"x"}'), AnswerInfo("r", "m", 1, stream=True)
    )
    events = translated(there, chat_stream(*deltas, reason=reason))
    back = told(translated(translation(stream=True), EventSplitter().feed(events)))
    message: dict[str, Any] = {}
    found: dict[int, Any] = {}
    for chunk in back[:-1]:
        for choice in chunk["choices"]:
            delta = dict(choice["delta"])
            add_calls(found, delta.pop("tool_calls", []))
            add(message, delta)
    assert message.get("content", "") == "".join(said)
    assert message.get("reasoning_content", "") == "".join(reasoning)
    arguments = ["".join(parts) for parts in calls]
    if reason != "length":  # a call without arguments has empty ones, unless it was cut
        arguments = [given if given.strip() else f"{given}{{}}" for given in arguments]
    assert [found[i] for i in sorted(found)] == [call_of(f"c{i}", "f", given) for i, given in enumerate(arguments)]
    assert [choice["finish_reason"] for chunk in back[:-1] for choice in chunk["choices"]][-1] == reason
    assert back[-2]["usage"]["completion_tokens"] == 9
