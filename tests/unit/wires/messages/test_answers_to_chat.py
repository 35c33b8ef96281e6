"""Anthropic's answers as chat answers: whole, or in events, OpenAI's own client understands the same; and so does our fold."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai.types.chat import ChatCompletion

from gatewayz.errors import ProviderMalformedResponse, ProviderOverloaded, ProviderServerError
from gatewayz.records import Usage
from gatewayz.wires.anthropic_messages.fold import MessagesFold
from gatewayz.wires.anthropic_messages.wire import MessagesProvider
from gatewayz.wires.sse import DONE, EventSplitter, data_of
from tests.unit.wires.messages.played import as_completion, named_event, shape, translated
from tests.unit.wires.ways import answer_to_chat

USAGE = {
    "input_tokens": 6,
    "cache_creation_input_tokens": 4,
    "cache_read_input_tokens": 20,
    "output_tokens": 12,
    "output_tokens_details": {"thinking_tokens": 5},
}
FOLDED = Usage(
    input_tokens=30,
    output_tokens=12,
    cache_read_tokens=20,
    cache_write_tokens=4,
    reasoning_tokens=5,
    source="provider",
)
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-x"}

TEXT = {"type": "text", "text": "Grüß dich 🙂"}
THINKING = {"type": "thinking", "thinking": "Hm, so.", "signature": "c2ln"}
REDACTED = {"type": "redacted_thinking", "data": "b3BhcXVl"}
CALL = {"type": "tool_use", "id": "toolu_a", "name": "weather", "input": {"city": "Köln"}}
CALL_OF_NOTHING: dict[str, Any] = {"type": "tool_use", "id": "toolu_b", "name": "now", "input": {}}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}

CASES = [
    pytest.param([TEXT], "end_turn", "stop", id="text"),
    pytest.param([TEXT], "max_tokens", "length", id="cut short"),
    pytest.param([TEXT], "stop_sequence", "stop", id="stop sequence"),
    pytest.param([TEXT], "refusal", "content_filter", id="refusal"),
    pytest.param([TEXT], "model_context_window_exceeded", "length", id="context window"),
    pytest.param([], "end_turn", "stop", id="nothing"),
    pytest.param([TEXT, CALL, CALL_OF_NOTHING], "tool_use", "tool_calls", id="tools"),
    pytest.param([THINKING, TEXT], "end_turn", "stop", id="thinking"),
    pytest.param([SEARCH, TEXT], "end_turn", "stop", id="a tool of the server's"),
]


def whole_body(content: list[dict[str, Any]], reason: str) -> bytes:
    return orjson.dumps({**MESSAGE, "content": content, "stop_reason": reason, "stop_sequence": None, "usage": USAGE})


def stream_of(content: list[dict[str, Any]], reason: str) -> bytes:
    """The stream that Anthropic would send, text and arguments in pieces, with pings in between."""
    begun = {**USAGE, "output_tokens": 1}
    del begun["output_tokens_details"]
    message: dict[str, Any] = {**MESSAGE, "content": [], "stop_reason": None, "stop_sequence": None, "usage": begun}
    events = [named_event("message_start", message=message), named_event("ping")]
    for index, block in enumerate(content):
        empty, deltas = in_pieces(block)
        events.append(named_event("content_block_start", index=index, content_block=empty))
        events.extend(named_event("content_block_delta", index=index, delta=delta) for delta in deltas)
        events.append(named_event("content_block_stop", index=index))
    usage = {"output_tokens": 12, "output_tokens_details": {"thinking_tokens": 5}}
    events.append(named_event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage=usage))
    events.append(named_event("message_stop"))
    return b"".join(events)


def in_pieces(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    match block["type"]:
        case "text":
            text = block["text"]
            return {"type": "text", "text": ""}, [
                {"type": "text_delta", "text": text[i : i + 4]} for i in range(0, len(text), 4)
            ]
        case "thinking":
            thought = block["thinking"]
            pieces = [{"type": "thinking_delta", "thinking": thought[i : i + 3]} for i in range(0, len(thought), 3)]
            signature = {"type": "signature_delta", "signature": block["signature"]}
            return {"type": "thinking", "thinking": "", "signature": ""}, [*pieces, signature]
        case "tool_use" | "server_tool_use":
            text = orjson.dumps(block["input"]).decode() if block["input"] else ""
            pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", text[:3], text[3:])]
            return {**block, "input": {}}, pieces
        case _:
            return block, []


def told(answer: ChatCompletion) -> dict[str, Any]:
    """What there is in an answer, without the empty members that the accumulating client adds."""
    message = answer.choices[0].message
    extra = message.model_extra or {}
    return {
        "head": (answer.id, answer.model, answer.created, answer.usage),
        "reason": answer.choices[0].finish_reason,
        "content": message.content or None,
        "calls": [
            (call.id, call.function.name, call.function.arguments)
            for call in message.tool_calls or []
            if call.type == "function"
        ],
        "reasoning": (extra.get("reasoning_content"), extra.get("reasoning_details")),
    }


@pytest.mark.parametrize(("content", "reason", "finish_reason"), CASES)
def test_the_client_accumulates_from_a_stream_what_it_reads_whole(
    content: list[dict[str, Any]], reason: str, finish_reason: str
) -> None:
    whole = ChatCompletion.model_validate_json(
        answer_to_chat(MessagesProvider(), shape(stream=False)).reply(whole_body(content, reason)), strict=True
    )
    assert whole.choices[0].finish_reason == finish_reason
    stream = translated(answer_to_chat(MessagesProvider(), shape()), stream_of(content, reason))
    streamed = as_completion(stream)
    assert told(streamed) == told(whole)
    for size in (1, 7):
        assert (
            translated(answer_to_chat(MessagesProvider(), shape()), stream_of(content, reason), slice_bytes=size)
            == stream
        )


@pytest.mark.parametrize(("content", "reason", "finish_reason"), CASES)
def test_a_stream_folds_to_the_same_as_a_whole_answer(
    content: list[dict[str, Any]], reason: str, finish_reason: str
) -> None:
    whole, stream = MessagesFold(), MessagesFold()
    whole.reply(whole_body(content, reason))
    for event in EventSplitter().feed(stream_of(content, reason)):
        assert not stream.complete
        stream.event(event)
    for fold in (whole, stream):
        assert (fold.response_id, fold.response_model) == ("msg_1", "claude-sonnet-5-x")
        assert fold.finish_reasons == (reason,)
        assert fold.usage == FOLDED
        assert fold.complete
    assert bool(stream.content_events) == bool(content)


def test_usage_adds_the_three_kinds_of_input_up() -> None:
    answer = ChatCompletion.model_validate_json(
        answer_to_chat(MessagesProvider(), shape(stream=False)).reply(whole_body([TEXT], "end_turn"))
    )
    usage = answer.usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (30, 12, 42)
    assert usage.prompt_tokens_details is not None
    assert (usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens_details.cache_write_tokens) == (20, 4)
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == 5


def test_usage_is_told_only_to_who_asked_for_it() -> None:
    stream = translated(answer_to_chat(MessagesProvider(), shape(include_usage=False)), stream_of([TEXT], "end_turn"))
    assert b"usage" not in stream
    assert stream.endswith(b"data: [DONE]\n\n")


def test_thinking_is_told_apart_and_its_signature_kept() -> None:
    detail = {"type": "reasoning.text", "text": "Hm, so.", "signature": "c2ln", "format": "anthropic-claude-v1"}
    hidden = {"type": "reasoning.encrypted", "data": "b3BhcXVl", "format": "anthropic-claude-v1"}
    body = whole_body([THINKING, REDACTED, TEXT], "end_turn")
    message = orjson.loads(answer_to_chat(MessagesProvider(), shape(stream=False)).reply(body))["choices"][0]["message"]
    assert message["reasoning_content"] == "Hm, so."
    assert message["reasoning_details"] == [{**detail, "index": 0}, {**hidden, "index": 1}]
    stream = translated(answer_to_chat(MessagesProvider(), shape()), stream_of([THINKING, REDACTED, TEXT], "end_turn"))
    deltas = [
        orjson.loads(data)["choices"][0]["delta"]
        for event in EventSplitter().feed(stream)
        if (data := data_of(event)) != DONE and orjson.loads(data)["choices"]
    ]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "Hm, so."
    details = [detail for delta in deltas for detail in delta.get("reasoning_details", [])]
    assert details == [{**detail, "index": 0}, {**hidden, "index": 1}]


def test_a_stream_that_is_cut_behind_its_reason_does_not_look_finished() -> None:
    fold, translation = MessagesFold(), answer_to_chat(MessagesProvider(), shape())
    out = b""
    for event in EventSplitter().feed(stream_of([TEXT], "end_turn"))[:-1]:
        fold.event(event)
        out += translation.event(event)
    assert not fold.complete
    assert b"[DONE]" not in out
    assert b'"finish_reason":"' not in out


@pytest.mark.parametrize(
    ("kind", "error"),
    [("overloaded_error", ProviderOverloaded), ("api_error", ProviderServerError)],
)
def test_an_error_in_the_stream_is_an_error(kind: str, error: type[Exception]) -> None:
    event = named_event("error", error={"type": kind, "message": "sk-secret"})
    fold = MessagesFold()
    assert fold.event(event) == "error"
    assert type(fold.error) is error
    assert "sk-secret" not in str(fold.error)
    assert answer_to_chat(MessagesProvider(), shape()).event(event) == b""
    with pytest.raises(error):
        MessagesFold().reply(data_of(event))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"content":1}', b'{"content":"x"}', b"null"])
def test_what_is_no_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(ProviderMalformedResponse):
        answer_to_chat(MessagesProvider(), shape(stream=False)).reply(body)


def test_comments_and_unknown_events_are_passed_over() -> None:
    translation, fold = answer_to_chat(MessagesProvider(), shape()), MessagesFold()
    for event in (b": hello\n\n", named_event("ping"), named_event("news", of="tomorrow"), b'data: {"type":7}\n\n'):
        assert translation.event(event) == b""
        assert fold.event(event) == "other"
    for broken in (translation, fold):
        with pytest.raises(ProviderMalformedResponse):
            broken.event(b"event: ping\ndata: {\n\n")
