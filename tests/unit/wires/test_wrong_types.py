"""A wrong value in every place of a rich request: on every pair of wires it is translated, or refused by name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import orjson
import pytest

from gatewayz.errors import InvalidRequest, ProviderError
from gatewayz.wires.base import AnswerInfo, Wire
from gatewayz.wires.sse import event_of
from gatewayz.wires.translate import CALLER_WIRES, PROVIDER_WIRES, request_body, translation

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
PIXEL = "data:image/png;base64,iVBORw0KGgo="
FUNCTION = {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
SEALED = [{"type": "reasoning.encrypted", "data": "openai:rs_1:gAAA"}]
TOOL_SAYS = [{"type": "text", "text": "r"}]
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

RICH: dict[Wire, Any] = {
    "openai_chat": {
        "model": "m",
        "messages": [
            {"role": "system", "content": "s"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "t"},
                    {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                ],
            },
            {"role": "assistant", "content": "x", "refusal": None, "tool_calls": [CALL], "reasoning_details": SEALED},
            {"role": "tool", "tool_call_id": "c1", "content": "r"},
        ],
        "tools": [{"type": "function", "function": FUNCTION}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}},
        "max_completion_tokens": 50,
        "reasoning_effort": "low",
        "parallel_tool_calls": True,
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": "u",
        "metadata": {"a": "b"},
    },
    "openai_completions": {
        "model": "m", "prompt": ["p"], "suffix": None, "echo": True, "max_tokens": 5, "n": 1, "best_of": 1, "stop": ["x"],
        "stream": True, "stream_options": {"include_usage": True}, "user": "u", "logit_bias": {},
    },
    "openai_responses": {
        "model": "m",
        "instructions": "i",
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "t"},
                    {"type": "input_image", "image_url": PIXEL, "detail": "low"},
                    {"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "f.pdf"},
                ],
            },
            {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "gatewayz:W3siYSI6MX1d"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x", "annotations": []}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "extra_content": {"google": {}}},
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "r"}]},
        ],
        "tools": [{"type": "function", **FUNCTION, "allowed_callers": ["direct"], "defer_loading": False}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}, "verbosity": "medium"},
        "reasoning": {"effort": "low", "summary": "auto", "mode": "standard", "context": "auto"},
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 50,
        "store": False,
        "stream": True,
        "metadata": {"a": "b"},
        "service_tier": "auto",
    },
    "anthropic_messages": {
        "model": "m",
        "max_tokens": 5000,
        "system": [{"type": "text", "text": "s"}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "t"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "h", "signature": "s"},
                    {"type": "text", "text": "x"},
                    {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": TOOL_SAYS}]},
        ],
        "tools": [{"name": "f", "description": "d", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "stop_sequences": ["x"],
        "metadata": {"user_id": "u"},
        "stream": True,
    },
}  # fmt: skip
WRONG: list[Any] = [
    None,
    True,
    -1,
    1.5,
    "",
    "x",
    [],
    [None],
    ["x"],
    [[]],
    {},
    {"type": "x"},
    {"x": None},
    [{"type": []}],
]


def with_one_wrong(value: Any, wrong: Any) -> Iterator[Any]:
    """The value with ``wrong`` in each of its places in turn, and with each member missing in turn."""
    yield wrong
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        for name, member in members.items():
            yield {k: v for k, v in members.items() if k != name}
            for changed in with_one_wrong(member, wrong):
                yield {**members, name: changed}
    elif isinstance(value, list):
        items = cast("list[Any]", value)
        for i, item in enumerate(items):
            for changed in with_one_wrong(item, wrong):
                yield [*items[:i], changed, *items[i + 1 :]]


@pytest.mark.parametrize("caller", RICH)
def test_what_is_right_is_translated(caller: Wire) -> None:
    wire = CALLER_WIRES[caller]
    call = wire.parse(orjson.dumps(RICH[caller]))
    request_body(call, wire, PROVIDER_WIRES["openai_chat"], "m", usage_option=True)


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize("caller", RICH)
def test_what_is_wrong_is_translated_or_refused_by_name(caller: Wire, wrong: Any) -> None:
    wire = CALLER_WIRES[caller]
    for body in with_one_wrong(RICH[caller], wrong):
        try:
            call = wire.parse(orjson.dumps(body))
        except InvalidRequest:
            continue
        for name in ("openai_chat", "openai_responses", "anthropic_messages", "gemini"):
            try:
                orjson.loads(request_body(call, wire, PROVIDER_WIRES[name], "gemini-2.5-flash", usage_option=True))
            except InvalidRequest as error:
                assert error.message  # noqa: PT017 - that it is this error is the point


CITATION = {"url": "https://x.org", "title": "X", "start_index": 0, "end_index": 2}
CITED = [{"type": "url_citation", **CITATION}]
SPOKEN: dict[str, Any] = {
    "role": "assistant",
    "content": "x",
    "refusal": None,
    "reasoning_content": "h",
    "reasoning_details": [{"type": "reasoning.text", "text": "h", "signature": "s"}],
    "annotations": [{"type": "url_citation", "url_citation": CITATION}],
    "tool_calls": [{"index": 0, **CALL, "extra_content": {"google": {"thought_signature": "s"}}}],
}
TOKENS = {
    "content": [{"token": "x", "logprob": -1.0, "top_logprobs": [{"token": "x", "logprob": -1.0}]}],
    "refusal": None,
}
CHOICE: dict[str, Any] = {"index": 0, "logprobs": TOKENS, "finish_reason": "tool_calls"}
CHAT_USAGE = {"prompt_tokens": 2, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 1}}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "model": "m",
    "status": "completed",
    "service_tier": "default",
    "incomplete_details": None,
    "output": [
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "h"}], "encrypted_content": "g"},
        {
            "type": "message",
            "content": [{"type": "output_text", "text": "x", "annotations": CITED, "logprobs": []}],
        },
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
    ],
    "usage": {"input_tokens": 2, "output_tokens": 1, "input_tokens_details": {"cached_tokens": 1}},
}  # fmt: skip
ANSWERS: list[tuple[Wire, bool, Any]] = [
    ("openai_chat", False, {"id": "c", "choices": [{**CHOICE, "message": SPOKEN}], "usage": CHAT_USAGE}),
    ("openai_chat", True, {"id": "c", "choices": [{**CHOICE, "delta": SPOKEN}], "usage": CHAT_USAGE}),
    ("openai_responses", False, RESPONSE),
    ("openai_responses", True, {"type": "response.completed", "response": RESPONSE}),
    *[
        ("openai_responses", True, {"type": "response.output_item." + word, "output_index": i, "item": item})
        for word in ("added", "done")
        for i, item in enumerate(RESPONSE["output"])
    ],
    *[
        ("openai_responses", True, {"type": "response." + word, "output_index": 0, "content_index": 0, "delta": "x"})
        for word in (
            "output_text.delta",
            "refusal.delta",
            "function_call_arguments.delta",
            "reasoning_summary_text.delta",
        )
    ],
]


@pytest.mark.parametrize("caller", ["openai_chat", "openai_completions", "openai_responses"])
@pytest.mark.parametrize(("provider", "stream", "answer"), ANSWERS)
def test_what_a_provider_says_wrongly_is_taken_as_it_is_or_is_its_fault(
    caller: Wire, provider: Wire, stream: bool, answer: Any
) -> None:
    call = CALLER_WIRES[caller].parse(orjson.dumps({**RICH[caller], "stream": stream}))
    shape = AnswerInfo("req_1", "m", 1, stream, include_usage=True)
    for wrong in WRONG:
        for said in with_one_wrong(answer, wrong):
            way = translation(call, CALLER_WIRES[caller], PROVIDER_WIRES[provider], shape)
            if way is None:
                return
            fold = PROVIDER_WIRES[provider].fold()
            body = orjson.dumps(said)
            with contextlib.suppress(ProviderError):
                if stream:
                    if fold.event(event_of(body)) != "error":
                        way.event(event_of(body))
                        way.end()
                else:
                    fold.reply(body)
                    way.reply(body)
