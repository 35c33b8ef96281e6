"""Answers: streamed or whole, they fold to the same outcome."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayz.errors import (
    ProviderError,
    ProviderMalformedResponse,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderServerError,
)
from gatewayz.records import Usage
from gatewayz.wires.openai_chat.fold import ChatFold
from gatewayz.wires.sse import event_of

USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}


def chunk(content: str | None = None, reason: str | None = None, **more: Any) -> bytes:
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return event_of(orjson.dumps({"id": "c-1", "model": "gpt-4o-2024", "choices": [choice], **more}))


def usage_event(usage: Any) -> bytes:
    return event_of(orjson.dumps({"id": "c-1", "model": "gpt-4o-2024", "choices": [], "usage": usage}))


def reply(**more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    return orjson.dumps({"id": "c-1", "model": "gpt-4o-2024", "choices": [choice], "usage": USAGE, **more})


def test_a_whole_answer_and_a_stream_fold_to_the_same() -> None:
    whole, stream = ChatFold(), ChatFold()
    whole.reply(reply())
    kinds = [
        stream.event(event)
        for event in (chunk(""), chunk("hi"), chunk(reason="stop"), usage_event(USAGE), b"data: [DONE]\n\n")
    ]
    assert kinds == ["other", "content", "other", "usage", "done"]
    for fold in (whole, stream):
        assert (fold.response_id, fold.response_model, fold.finish_reasons) == ("c-1", "gpt-4o-2024", ("stop",))
        assert fold.usage == Usage(input_tokens=10, output_tokens=4, source="provider")
        assert fold.complete
    assert stream.done
    assert stream.content_events == 1


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (USAGE, Usage(10, 4, source="provider")),
        ({**USAGE, "prompt_tokens_details": {"cached_tokens": 6}}, Usage(10, 4, cache_read_tokens=6, source="provider")),
        ({**USAGE, "prompt_tokens_details": {"cache_write_tokens": 5}}, Usage(10, 4, cache_write_tokens=5, source="provider")),
        ({**USAGE, "prompt_tokens_details": None}, Usage(10, 4, source="provider")),
        ({**USAGE, "prompt_cache_hit_tokens": 6}, Usage(10, 4, cache_read_tokens=6, source="provider")),
        ({**USAGE, "completion_tokens_details": {"reasoning_tokens": 3}}, Usage(10, 4, reasoning_tokens=3, source="provider")),
        ({"prompt_tokens": 8}, Usage(8, 0, source="provider")),
        ({**USAGE, "prompt_tokens": -5}, Usage(0, 4, source="provider")),
        (None, Usage()),
        ({}, Usage()),
        ({"prompt_tokens": "many"}, Usage()),
        ([1], Usage()),
        ("lots", Usage()),
    ],
)  # fmt: skip
def test_usage_in_all_the_ways_it_is_reported(usage: Any, expected: Usage) -> None:
    whole, stream = ChatFold(), ChatFold()
    whole.reply(reply(usage=usage))
    stream.event(usage_event(usage))
    assert whole.usage == stream.usage == expected


def test_groq_reports_usage_under_its_own_name() -> None:
    fold = ChatFold()
    assert fold.event(chunk(reason="stop", x_groq={"id": "r", "usage": USAGE})) == "other"
    assert fold.usage.output_tokens == 4


def test_usage_that_comes_with_content_is_not_to_be_withheld() -> None:
    fold = ChatFold()
    assert fold.event(chunk("hi", usage=USAGE)) == "content"
    assert fold.usage.source == "provider"


def test_a_null_usage_in_every_chunk_is_no_usage() -> None:
    fold = ChatFold()
    fold.event(chunk("hi", usage=None))
    assert fold.usage.source == "none"


def test_an_empty_list_of_choices_without_usage_is_passed_on() -> None:
    """Azure begins so, with the verdict of its filter."""
    assert ChatFold().event(event_of(b'{"choices":[],"prompt_filter_results":[{}]}')) == "other"


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "x"},
        {"content": [{"type": "text", "text": "x"}]},
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"refusal": "no"},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
        {"function_call": {"arguments": "{"}},
    ],
)
def test_all_that_a_model_may_say_counts_as_content(delta: dict[str, Any]) -> None:
    event = event_of(orjson.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}))
    assert ChatFold().event(event) == "content"


@pytest.mark.parametrize(
    "event", [b": keep-alive\n\n", b"\n\n", b"event: ping\n\n", b"data: 5\n\n", b'data: {"x":1}\n\n']
)
def test_what_says_nothing_is_passed_on(event: bytes) -> None:
    fold = ChatFold()
    assert fold.event(event) == "other"
    assert not fold.complete


def test_an_event_of_an_unknown_shape_is_passed_on() -> None:
    assert ChatFold().event(event_of(b'{"choices":"none"}')) == "other"


@pytest.mark.parametrize("data", [b'{"choices":[', b"hello", b"<html>", b"{}}", b'{"id":"\xff"}'])
def test_an_event_that_is_not_json_is_malformed(data: bytes) -> None:
    with pytest.raises(ProviderMalformedResponse):
        ChatFold().event(event_of(data))


def test_every_choice_gives_its_reason() -> None:
    fold = ChatFold()
    choices: list[dict[str, Any]] = [{"message": {}, "finish_reason": reason} for reason in ("stop", "length", None)]
    fold.reply(reply(choices=choices))
    assert fold.finish_reasons == ("stop", "length")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "x", "type": "requests", "code": "rate_limit_exceeded"}, ProviderRateLimited),
        ({"message": "x", "code": 429}, ProviderRateLimited),
        ({"message": "x", "type": "insufficient_quota", "code": "insufficient_quota"}, ProviderRateLimited),
        ({"message": "x", "type": "overloaded_error"}, ProviderOverloaded),
        ({"message": "x", "code": 503}, ProviderOverloaded),
        ({"message": "x", "code": 500}, ProviderServerError),
        ({"message": "429 is in the text"}, ProviderServerError),
        ("it broke", ProviderServerError),
        ({"code": {"nested": True}}, ProviderServerError),
    ],
)
def test_an_error_under_200_is_an_error(error: Any, kind: type[ProviderError]) -> None:
    data = orjson.dumps({"error": error})
    stream = ChatFold()
    assert stream.event(event_of(data)) == "error"
    assert type(stream.error) is kind
    with pytest.raises(kind):
        ChatFold().reply(data)


def test_an_error_of_groq_in_the_middle_is_an_error() -> None:
    fold = ChatFold()
    assert fold.event(chunk(x_groq={"error": {"message": "over capacity"}})) == "error"


def test_a_null_error_is_none() -> None:
    fold = ChatFold()
    fold.reply(reply(error=None))
    assert fold.response_id == "c-1"


def test_what_a_provider_says_about_its_error_is_not_repeated() -> None:
    fold = ChatFold()
    fold.event(event_of(b'{"error":{"message":"bad key sk-123456789 in: my secret prompt"}}'))
    assert fold.error is not None
    assert "secret" not in fold.error.message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"<html>", "web page"),
        (b"\n<!DOCTYPE html>", "web page"),
        (b'{"id":"x","choices":[{', "not the JSON"),
        (b"[]", "not the JSON"),
        (b"{}", "no choices"),
        (b'{"choices":null}', "no choices"),
        (b'{"choices":[]}', "no choices"),
        (b'{"choices":[{}]}', "without a message"),
        (b'{"choices":[null]}', "not the JSON"),
        (b"null", "not the JSON"),
        (b'{"choices":7}', "not the JSON"),
        (b"[" * 100_000, "not the JSON"),
        (b'{"id":"\xff","choices":[]}', "not the JSON"),
    ],
)
def test_an_answer_that_is_none_is_malformed(body: bytes, says: str) -> None:
    with pytest.raises(ProviderMalformedResponse, match=says):
        ChatFold().reply(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_folded_or_malformed(body: bytes) -> None:
    with contextlib.suppress(ProviderError):
        ChatFold().reply(body)
    with contextlib.suppress(ProviderError):
        ChatFold().event(body)
