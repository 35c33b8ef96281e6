"""Odd values in every place of a request or an answer: a caller's are refused as his, a provider's as the provider's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from gatewayz.errors import InvalidRequest, ProviderError
from gatewayz.wires.anthropic_messages.count_tokens import TOKEN_COUNT, TokenCount
from gatewayz.wires.anthropic_messages.fold import MessagesFold
from gatewayz.wires.anthropic_messages.request import messages_to_upstream
from gatewayz.wires.anthropic_messages.wire import MessagesCaller, MessagesProvider
from gatewayz.wires.sse import EventSplitter, event_of
from gatewayz.wires.translate import AnswerTranslation
from tests.unit.wires.messages.played import call, chunk, named_event, shape
from tests.unit.wires.ways import answer_from_chat, answer_to_chat

ODD: list[Any] = [None, True, -1, 1.5, 10**25, "", "odd", [], ["odd"], [None], [[]], {}, {"type": "odd"}, {"odd": None}]
CALLER, PROVIDER = MessagesCaller(), MessagesProvider()

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"anyOf": [{"type": "array", "items": {"type": "object"}}]}},
    "required": ["a"],
    "$defs": {"b": {"type": ["object", "null"]}},
}
ASKED: dict[str, Any] = {
    "model": "claude-sonnet-5",
    "max_tokens": 9,
    "system": [{"type": "text", "text": "Be brief."}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
                {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
                {
                    "type": "document",
                    "title": "t",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
                },
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "b"}, {"type": "tool_use", "id": "c", "name": "f", "input": {"x": 1}}],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "d"}]}],
        },
    ],
    "temperature": 0.5,
    "stop_sequences": ["END"],
    "metadata": {"user_id": "u"},
    "tools": [{"type": "custom", "name": "f", "description": "does", "input_schema": SCHEMA, "strict": True}],
    "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 2_000},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
}
DETAILS = [
    {"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "index": 0},
    {"type": "reasoning.encrypted", "data": "b3Bh"},
]
CALLS = [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}]
CHAT: dict[str, Any] = {
    **CALLER.as_chat(CALLER.parse(orjson.dumps(ASKED))),
    "stop": ["END"],
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
}
CHAT["messages"][2]["reasoning_details"] = DETAILS
CHAT["messages"][1]["content"][0]["cache_control"] = {"type": "ephemeral"}

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "model": "m",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "b3Bh"},
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "c", "name": "f", "input": {"x": 1}},
    ],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 1}},
}
COMPLETION: dict[str, Any] = {
    "id": "c",
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "stop_reason": "END",
            "message": {
                "content": "a",
                "refusal": "no",
                "reasoning_content": "Hm.",
                "reasoning_details": DETAILS,
                "tool_calls": CALLS,
            },
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}},
}
EVENTS = [
    named_event("message_start", message={**MESSAGE, "content": []}),
    *(named_event("content_block_start", index=0, content_block=block) for block in MESSAGE["content"]),
    *(
        named_event("content_block_delta", index=0, delta=delta)
        for delta in (
            {"type": "text_delta", "text": "a"},
            {"type": "thinking_delta", "thinking": "a"},
            {"type": "signature_delta", "signature": "a"},
            {"type": "input_json_delta", "partial_json": "{}"},
        )
    ),
    named_event("content_block_stop", index=0),
    named_event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 3}),
    named_event("message_stop"),
    named_event("error", error={"type": "api_error", "message": "x"}),
]
CHUNKS = [
    chunk({"content": "a"}),
    chunk({"reasoning_content": "a", "reasoning_details": DETAILS}),
    chunk({"tool_calls": CALLS}),
    chunk({}, "stop", stop_reason="END"),
    event_of(orjson.dumps({"choices": [], "usage": COMPLETION["usage"], "x_groq": {"usage": {}}})),
]


def variants(value: Any) -> Iterator[Any]:
    """The value with each part of it, in turn, replaced by each odd value, or taken away."""
    yield from ODD
    if isinstance(value, dict):
        for name, member in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield {key: other for key, other in value.items() if key != name}  # pyright: ignore[reportUnknownVariableType]
            for variant in variants(member):
                yield {**value, name: variant}
    elif isinstance(value, list):
        for index, item in enumerate(value):  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
            for variant in variants(item):
                yield [*value[:index], variant, *value[index + 1 :]]


def written(value: Any) -> bytes:
    """JSON, with numbers as orjson reads them."""
    return orjson.dumps(plain(value))


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return float(value) if isinstance(value, int) and abs(value) > 2**63 else value


def test_a_callers_messages_request() -> None:
    for variant in variants(ASKED):
        with contextlib.suppress(InvalidRequest):
            asked = CALLER.parse(written(variant))
            orjson.dumps(CALLER.as_chat(asked))
            CALLER.writer(asked, shape())


def test_a_callers_chat_request() -> None:
    for variant in variants(CHAT):
        if isinstance(variant, dict):
            for model in ("claude-sonnet-5", "claude-sonnet-4-5"):
                with contextlib.suppress(InvalidRequest):
                    PROVIDER.from_chat(plain(variant), model, stream=False)


@pytest.mark.parametrize("thinking", [True, False])
def test_a_providers_whole_answer(thinking: bool) -> None:
    asked = call(thinking={"type": "adaptive"}) if thinking else call(stop_sequences=["END"])
    for variant in variants(MESSAGE):
        with contextlib.suppress(ProviderError):
            answer_to_chat(MessagesProvider(), shape()).reply(written(variant))
    for variant in variants(COMPLETION):
        with contextlib.suppress(ProviderError):
            answer_from_chat(MessagesCaller(), asked, shape()).reply(written(variant))


@pytest.mark.parametrize("number", range(max(len(EVENTS), len(CHUNKS))))
def test_a_providers_event(number: int) -> None:
    def play(translation: AnswerTranslation, before: list[bytes], event: bytes, after: list[bytes]) -> None:
        with contextlib.suppress(ProviderError):
            for piece in (*before, event, *after):
                translation.event(piece)
            translation.end()

    def oddly(events: list[bytes]) -> Iterator[bytes]:
        if number < len(events):
            event = EventSplitter().feed(events[number])[0]
            head, _, data = event.partition(b"data: ")
            for variant in variants(orjson.loads(data)):
                yield head + b"data: " + written(variant) + b"\n\n"

    asked = call(thinking={"type": "adaptive"})
    for event in oddly(EVENTS):
        play(answer_to_chat(MessagesProvider(), shape()), EVENTS[:number], event, EVENTS[number + 1 :])
        fold = MessagesFold()
        for piece in (*EVENTS[:number], event):
            fold.event(piece)
        assert 0 <= fold.usage.output_tokens <= 2**53
    for event in oddly(CHUNKS):
        play(answer_from_chat(MessagesCaller(), asked, shape()), CHUNKS[:number], event, CHUNKS[number + 1 :])


FOREIGN = b'{"type":"thinking","thinking":"h","signature":""}'


@pytest.mark.parametrize(
    "odd", [b"1e999", b'{"a":' * 300 + b"1" + b"}" * 300, b'"\\ud800"'], ids=["infinite", "deep", "surrogate"]
)
@pytest.mark.parametrize("wire", [CALLER, TOKEN_COUNT], ids=["messages", "count_tokens"])
def test_what_cannot_be_taken_apart_for_foreign_thinking_is_refused(
    wire: MessagesCaller | TokenCount, odd: bytes
) -> None:
    """It would be handed on as it is, if there were nothing to take out."""
    answer = b'{"role":"assistant","content":[' + FOREIGN + b',{"type":"text","text":"x"}],"odd":' + odd + b"}"
    body = b'{"model":"m","max_tokens":9,"messages":[' + answer + b"]}"
    with pytest.raises(InvalidRequest):
        messages_to_upstream(wire.parse(body), "claude")
