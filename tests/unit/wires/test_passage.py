"""Every caller's wire to every provider's and back: the same question asked, the same answer heard."""

from __future__ import annotations

import contextlib
from typing import Any, cast

import orjson
import pytest

from gatewayz.errors import GatewayError, InvalidRequest, Overloaded, ProviderMalformedResponse
from gatewayz.records import Call
from gatewayz.wires.base import AnswerInfo, Wire
from gatewayz.wires.sse import EventSplitter, data_of, event_of
from gatewayz.wires.translate import (
    CALLER_WIRES,
    PROVIDER_WIRES,
    AnswerTranslation,
    request_body,
    translation,
    wire_for,
)
from tests.unit.wires.ways import error_body

CALLERS: list[Wire] = ["openai_chat", "openai_completions", "openai_responses", "anthropic_messages"]
PROVIDERS: list[Wire] = ["openai_chat", "openai_responses", "anthropic_messages", "gemini"]
MODELS: dict[Wire, str] = {
    "openai_chat": "gpt-4o",
    "openai_responses": "gpt-4o",
    "anthropic_messages": "claude-sonnet-4-5",
    "gemini": "gemini-2.5-flash",
}
TEXT = "Grüße, 🌍"


def question(caller: Wire, *, stream: bool) -> Call:
    asked: dict[Wire, Any] = {
        "openai_chat": {"messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 50},
        "openai_completions": {"prompt": "hi", "max_tokens": 50},
        "openai_responses": {"input": "hi", "max_output_tokens": 50},
        "anthropic_messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 50},
    }
    usage: dict[str, Any] = {"stream_options": {"include_usage": True}} if stream and caller == "openai_chat" else {}
    return CALLER_WIRES[caller].parse(orjson.dumps({"model": "m", "stream": stream, **usage, **asked[caller]}))


def named(kind: str, **members: Any) -> bytes:
    return b"event: " + kind.encode() + b"\n" + event_of(orjson.dumps({"type": kind, **members}))


def plain(**members: Any) -> bytes:
    return event_of(orjson.dumps(members))


CHAT_USAGE = {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "model": "up",
    "status": "completed",
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "content": [{"type": "output_text", "text": TEXT, "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 20, "output_tokens": 9, "total_tokens": 29},
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "up",
    "content": [{"type": "text", "text": TEXT}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 20, "output_tokens": 9},
}
GEMINI_USAGE = {"promptTokenCount": 20, "candidatesTokenCount": 9, "totalTokenCount": 29}
WHOLE: dict[Wire, Any] = {
    "openai_chat": {
        "id": "c",
        "model": "up",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
        "usage": CHAT_USAGE,
    },
    "openai_responses": RESPONSE,
    "anthropic_messages": MESSAGE,
    "gemini": {
        "responseId": "g",
        "modelVersion": "up",
        "candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": TEXT}]}, "finishReason": "STOP"}],
        "usageMetadata": GEMINI_USAGE,
    },
}
STREAMED: dict[Wire, list[bytes]] = {
    "openai_chat": [
        plain(id="c", model="up", choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}}]),
        *[plain(id="c", choices=[{"index": 0, "delta": {"content": letter}}]) for letter in TEXT],
        plain(id="c", choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
        plain(id="c", choices=[], usage=CHAT_USAGE),
        b"data: [DONE]\n\n",
    ],
    "openai_responses": [
        named("response.created", response={**RESPONSE, "status": "in_progress", "output": [], "usage": None}),
        named("response.output_item.added", output_index=0, item={**RESPONSE["output"][0], "content": []}),
        *[named("response.output_text.delta", output_index=0, content_index=0, delta=letter) for letter in TEXT],
        named("response.output_item.done", output_index=0, item=RESPONSE["output"][0]),
        named("response.completed", response=RESPONSE),
    ],
    "anthropic_messages": [
        named("message_start", message={**MESSAGE, "content": [], "stop_reason": None}),
        named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *[named("content_block_delta", index=0, delta={"type": "text_delta", "text": letter}) for letter in TEXT],
        named("content_block_stop", index=0),
        named("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9}),
        named("message_stop"),
    ],
    "gemini": [
        *[
            plain(responseId="g", candidates=[{"index": 0, "content": {"parts": [{"text": letter}]}}])
            for letter in TEXT
        ],
        plain(
            responseId="g",
            candidates=[{"index": 0, "content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}],
            usageMetadata=GEMINI_USAGE,
        ),
    ],
}


def way(caller: Wire, provider: Wire, call: Call) -> AnswerTranslation | None:
    shape = AnswerInfo("req_1", "m", 1_700_000_000, call.stream, call.include_usage)
    return translation(call, CALLER_WIRES[caller], PROVIDER_WIRES[provider], shape)


def heard_whole(caller: Wire, body: bytes) -> tuple[str, int, int]:
    """The text and the two counts, as a caller reads them."""
    answer = orjson.loads(body)
    usage = answer["usage"]
    match caller:
        case "openai_chat":
            return answer["choices"][0]["message"]["content"], usage["prompt_tokens"], usage["completion_tokens"]
        case "openai_completions":
            return answer["choices"][0]["text"], usage["prompt_tokens"], usage["completion_tokens"]
        case "openai_responses":
            return answer["output"][0]["content"][0]["text"], usage["input_tokens"], usage["output_tokens"]
        case _:
            return answer["content"][0]["text"], usage["input_tokens"], usage["output_tokens"]


def heard_streamed(caller: Wire, events: bytes) -> str:
    text = ""
    for event in EventSplitter().feed(events):
        data = data_of(event)
        if data == b"[DONE]":
            continue
        said = orjson.loads(data)
        match caller:
            case "openai_chat":
                text += "".join([choice["delta"].get("content") or "" for choice in said["choices"]])
            case "openai_completions":
                text += "".join([choice["text"] for choice in said["choices"]])
            case "openai_responses" if said["type"] == "response.output_text.delta":
                text += said["delta"]
            case "anthropic_messages" if said["type"] == "content_block_delta":
                text += said["delta"]["text"]
            case _:
                pass
    return text


LAST_WORD: dict[Wire, bytes] = {
    "openai_chat": b"[DONE]",
    "openai_completions": b"[DONE]",
    "openai_responses": b'"type":"response.completed"',
    "anthropic_messages": b'"type":"message_stop"',
}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("caller", CALLERS)
class TestEveryPair:
    @pytest.mark.parametrize("stream", [True, False])
    def test_the_question_arrives(self, caller: Wire, provider: Wire, stream: bool) -> None:
        body = request_body(
            question(caller, stream=stream),
            CALLER_WIRES[caller],
            PROVIDER_WIRES[provider],
            MODELS[provider],
            usage_option=True,
        )
        request = orjson.loads(body)
        assert b'"hi"' in body
        assert b"50" in body
        if provider != "gemini":  # which has both in its path
            assert request["model"] == MODELS[provider]
            assert request.get("stream", False) is stream

    def test_the_whole_answer_is_heard(self, caller: Wire, provider: Wire) -> None:
        body = orjson.dumps(WHOLE[provider])
        PROVIDER_WIRES[provider].fold().reply(body)
        found = way(caller, provider, question(caller, stream=False))
        assert (found is None) == (caller == provider)
        assert heard_whole(caller, body if found is None else found.reply(body)) == (TEXT, 20, 9)

    def test_the_streamed_answer_is_heard(self, caller: Wire, provider: Wire) -> None:
        fold = PROVIDER_WIRES[provider].fold()
        for event in STREAMED[provider]:
            fold.event(event)
        assert fold.complete
        found = way(caller, provider, question(caller, stream=True))
        if found is None:
            return
        events = b"".join([*[found.event(event) for event in STREAMED[provider]], found.end()])
        assert heard_streamed(caller, events) == TEXT
        assert events.count(LAST_WORD[caller]) == 1

    def test_a_cut_stream_is_not_said_to_have_ended(self, caller: Wire, provider: Wire) -> None:
        found = way(caller, provider, question(caller, stream=True))
        if found is None:
            return
        begun = STREAMED[provider][: len(TEXT)]
        events = b"".join([found.event(event) for event in begun])
        assert LAST_WORD[caller] not in events
        for word in (b'"stop"', b'"end_turn"', b'"completed"'):
            assert word not in events

    @pytest.mark.parametrize("stream", [True, False])
    def test_an_answer_that_cannot_be_read_is_the_providers_fault(
        self, caller: Wire, provider: Wire, stream: bool
    ) -> None:
        found = way(caller, provider, question(caller, stream=stream))
        if found is None:
            return
        bad = orjson.dumps(WHOLE[provider]).replace(b'"up"', b'"\\ud83d"')
        with pytest.raises(ProviderMalformedResponse):
            _ = found.event(event_of(bad)) if stream else found.reply(bad)


@pytest.mark.parametrize("caller", CALLERS)
class TestEveryCaller:
    @pytest.mark.parametrize("provider", PROVIDERS)
    @pytest.mark.parametrize("bad", [b'"\\ud83d"', b"[" * 300 + b"]" * 300, b'{"a":' * 300 + b"1" + b"}" * 300])
    def test_a_question_that_cannot_be_said_is_the_callers_fault(
        self, caller: Wire, provider: Wire, bad: bytes
    ) -> None:
        body = question(caller, stream=False).body[:-1] + b',"metadata":{"x":' + bad + b'},"tools":' + bad + b"}"
        with contextlib.suppress(InvalidRequest):
            call = CALLER_WIRES[caller].parse(body)
            request_body(call, CALLER_WIRES[caller], PROVIDER_WIRES[provider], "m", usage_option=True)

    def test_an_error_has_a_body_and_an_event(self, caller: Wire) -> None:
        error: GatewayError = Overloaded("Too much.")
        assert b"Too much." in error_body(caller, error)
        event = CALLER_WIRES[caller].error_event(error)
        assert EventSplitter().feed(event) == [event]
        assert "error" in orjson.loads(data_of(event))


THOUGHT = {"type": "thinking", "thinking": "hm, so", "signature": "s1g"}
USE = {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}
THINKING: list[bytes] = [
    named("message_start", message={**MESSAGE, "content": [], "stop_reason": None}),
    named("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
    named("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm, "}),
    named("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "so"}),
    named("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "s1g"}),
    named("content_block_stop", index=0),
    named("content_block_start", index=1, content_block={**USE, "input": {}}),
    named("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": '{"a":'}),
    named("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": "1}"}),
    named("content_block_stop", index=1),
    named("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 9}),
    named("message_stop"),
]


@pytest.mark.parametrize("stream", [True, False])
def test_what_a_claude_signed_comes_back_to_it_through_responses(stream: bool) -> None:
    """Without its signed thinking a Claude would not go on from its own tool call."""
    found = way("openai_responses", "anthropic_messages", question("openai_responses", stream=stream))
    assert found is not None
    if stream:
        events = b"".join([*[found.event(event) for event in THINKING], found.end()])
        response = orjson.loads(data_of(EventSplitter().feed(events)[-1]))["response"]
    else:
        response = orjson.loads(
            found.reply(orjson.dumps({**MESSAGE, "content": [THOUGHT, USE], "stop_reason": "tool_use"}))
        )
    assert [item["type"] for item in response["output"]] == ["reasoning", "function_call"]
    output = {"type": "function_call_output", "call_id": "c1", "output": "42"}
    body = {"model": "m", "input": [{"role": "user", "content": "hi"}, *response["output"], output]}
    responses, messages = CALLER_WIRES["openai_responses"], PROVIDER_WIRES["anthropic_messages"]
    call = responses.parse(orjson.dumps(body))
    asked = orjson.loads(request_body(call, responses, messages, "claude-sonnet-4-5", usage_option=True))
    assert asked["messages"][1] == {"role": "assistant", "content": [THOUGHT, USE]}
    # Another provider is not shown it.
    assert b"s1g" not in request_body(call, responses, PROVIDER_WIRES["openai_chat"], "m", usage_option=True)


def test_a_wire_that_both_speak_is_used() -> None:
    assert wire_for("openai_responses", ["openai_chat", "openai_responses"]) == "openai_responses"
    assert wire_for("anthropic_messages", ["openai_chat", "openai_responses"]) == "openai_chat"


BOTH: list[Wire] = ["openai_chat", "openai_responses"]


def asked(**members: Any) -> Call:
    body = {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}], **members}
    return CALLER_WIRES["anthropic_messages"].parse(orjson.dumps(body))


WITH_TOOL: dict[str, Any] = {"tools": [{"name": "f", "input_schema": {"type": "object"}}]}
WITH_THINKING: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 2048}}


@pytest.mark.parametrize(
    "members", [WITH_TOOL, WITH_THINKING, {"thinking": {"type": "adaptive"}}, {"output_config": {"effort": "high"}}]
)
def test_a_call_with_tools_or_thinking_goes_by_responses_rather_than_by_chat(members: dict[str, Any]) -> None:
    # OpenAI answers 400 on chat: "Function tools with reasoning_effort are not supported … use /v1/responses instead".
    assert wire_for("anthropic_messages", BOTH, asked(**members)) == "openai_responses"
    assert wire_for("anthropic_messages", [*BOTH, "anthropic_messages"], asked(**members)) == "anthropic_messages"
    assert wire_for("anthropic_messages", ["openai_chat"], asked(**members)) == "openai_chat"
    assert wire_for("anthropic_messages", ["gemini", "openai_responses"], asked(**members)) == "gemini"


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"tools": []},
        {"tools": None},
        {"thinking": {"type": "disabled"}},
        {**WITH_TOOL, "stop_sequences": ["END"]},  # which Responses has not
    ],
)
def test_any_other_call_goes_by_the_providers_first_wire(members: dict[str, Any]) -> None:
    assert wire_for("anthropic_messages", BOTH, asked(**members)) == "openai_chat"


def test_every_wire_is_in_the_tables() -> None:
    assert set(CALLERS) == set(CALLER_WIRES)
    assert {*PROVIDERS, cast("Wire", "openai_completions")} == set(PROVIDER_WIRES)
    for name, wire in [*CALLER_WIRES.items(), *PROVIDER_WIRES.items()]:
        assert wire.name == name


def test_a_refusal_of_a_provider_is_understood_on_every_wire() -> None:
    for wire in PROVIDER_WIRES.values():
        error = wire.error(429, {"retry-after": "2"}, b'{"error":{"message":"slow down"}}', ["sk-1"], now_s=0.0)
        assert (error.status, error.retry_after_s) == (429, 2.0)


NO_UTF8: dict[Wire, tuple[bytes, bytes]] = {
    "openai_chat": (
        b'{"id":"\xff","choices":[]}',
        b'{"choices":[{"delta":{"content":"x"},"finish_reason":"\xff"}]}',
    ),
    "openai_responses": (b'{"id":"\xff","output":[]}', b'{"type":"response.\xff","delta":"x"}'),
    "anthropic_messages": (b'{"id":"\xff","type":"message","content":[]}', b'{"type":"content_block_\xffstop"}'),
    "gemini": (b'{"responseId":"\xff","candidates":[]}', b'{"responseId":"\xff"}'),
}


@pytest.mark.parametrize("provider", NO_UTF8)
def test_an_answer_that_is_no_utf8_is_the_providers_fault(provider: Wire) -> None:
    whole, event = NO_UTF8[provider]
    with pytest.raises(ProviderMalformedResponse):
        PROVIDER_WIRES[provider].fold().reply(whole)
    with contextlib.suppress(ProviderMalformedResponse):
        assert PROVIDER_WIRES[provider].fold().event(event_of(event)) == "other"


@pytest.mark.parametrize("told", ["x" * 5000, None, 7, {"a": 1}])
@pytest.mark.parametrize("provider", ["openai_chat", "openai_responses", "anthropic_messages", "gemini"])
def test_what_is_refused_is_named_in_the_words_of_json_and_not_at_length(provider: Wire, told: Any) -> None:
    asked: list[tuple[Wire, Any]] = [
        ("openai_chat", {"messages": [{"role": "user", "content": [{"type": told, "text": "x"}]}]}),
        ("openai_chat", {"messages": [{"role": told, "content": "x"}]}),
        ("openai_chat", {"messages": [{"role": "user", "content": "x"}], "response_format": {"type": told}}),
        ("openai_responses", {"input": [{"role": "user", "content": [{"type": told, "text": "x"}]}]}),
        ("openai_responses", {"input": "x", "text": {"format": {"type": told}}}),
        ("anthropic_messages", {"messages": [{"role": "user", "content": [{"type": told}]}], "max_tokens": 9}),
    ]
    for caller, members in asked:
        wire = CALLER_WIRES[caller]
        try:
            call = wire.parse(orjson.dumps({"model": "m", **members}))
            request_body(call, wire, PROVIDER_WIRES[provider], MODELS[provider], usage_option=True)
        except InvalidRequest as error:
            assert len(error.message) < 400  # noqa: PT017 - not all of them have to be refused
            assert "None" not in error.message  # noqa: PT017


@pytest.mark.parametrize("count", [2**64 - 1, 2**53 + 1, True, -1, "7", 1.5])
def test_counts_that_are_none_become_counts(count: Any) -> None:
    """Two of them added up have to fit into JSON as our writer knows it."""
    usage = {"input_tokens": count, "output_tokens": count}
    answer = orjson.dumps({**RESPONSE, "usage": usage})
    way = translation(
        question("anthropic_messages", stream=False),
        CALLER_WIRES["anthropic_messages"],
        PROVIDER_WIRES["openai_responses"],
        AnswerInfo("req_1", "m", 1, stream=False),
    )
    assert way is not None
    told = orjson.loads(way.reply(answer))["usage"]
    assert told["input_tokens"] == (2**53 if type(count) is int and count > 0 else 0)
