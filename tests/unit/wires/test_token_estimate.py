"""How far off an estimate of tokens is, for texts of many kinds and for each way in which providers cut them into events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson
import pytest

from gatewayz.wires.anthropic_messages.fold import MessagesFold
from gatewayz.wires.base import Fold
from gatewayz.wires.gemini.fold import GeminiFold
from gatewayz.wires.openai_chat.fold import ChatFold
from gatewayz.wires.openai_responses.fold import ResponsesFold
from gatewayz.wires.sse import event_of
from gatewayz.wires.token_estimate import LARGE_BYTES, output_tokens, request_tokens
from tests.unit.wires.token_samples import CHINESE, ENGLISH, PYTHON, SAMPLES, Sample

WITHIN = {"JSON, indented": 0.35, "Russian": 0.55}
"""Share of the true count by which an estimate may be off; of all others a quarter."""


def chat(text: str) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": {"content": text}}]}


def messages(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def responses(text: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": text}


def gemini(text: str) -> dict[str, Any]:
    return {"candidates": [{"index": 0, "content": {"parts": [{"text": text}]}}]}


WIRES: list[tuple[Callable[[], Fold], Callable[[str], dict[str, Any]]]] = [
    (ChatFold, chat), (MessagesFold, messages), (ResponsesFold, responses), (GeminiFold, gemini),
]  # fmt: skip


def streamed(wire: tuple[Callable[[], Fold], Callable[[str], dict[str, Any]]], pieces: Iterable[str]) -> Fold:
    make, event = wire
    fold = make()
    for piece in pieces:
        fold.event(event_of(orjson.dumps(event(piece))))
    return fold


def cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one.kind)
@pytest.mark.parametrize("wire", WIRES, ids=lambda one: one[1].__name__)
def test_a_text_in_large_events_is_counted_by_its_size(wire: Any, sample: Sample) -> None:
    fold = streamed(wire, cut(sample.text, 40))
    assert fold.uncounted_tokens() == pytest.approx(sample.tokens, rel=WITHIN.get(sample.kind, 0.25))
    assert fold.uncounted_tokens() == pytest.approx(sample.older_tokens, rel=0.35)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one.kind)
def test_a_whole_text_is_counted_by_its_size(sample: Sample) -> None:
    fold = ChatFold()
    choice = {"index": 0, "message": {"role": "assistant", "content": sample.text}, "finish_reason": "stop"}
    fold.reply(orjson.dumps({"id": "chatcmpl-1", "model": "a-model", "choices": [choice]}))
    assert fold.uncounted_tokens() == pytest.approx(sample.tokens, rel=WITHIN.get(sample.kind, 0.25))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one.kind)
@pytest.mark.parametrize("wire", WIRES[:3], ids=lambda one: one[1].__name__)
def test_a_token_per_event_is_counted_exactly(wire: Any, sample: Sample) -> None:
    # Cut into as many pieces as there are tokens, of about the length of tokens: where exactly they end does not matter.
    size = len(sample.text) / sample.tokens
    pieces = [sample.text[round(at * size) : round((at + 1) * size)] for at in range(sample.tokens)]
    pieces = [piece for piece in pieces if piece]
    assert streamed(wire, pieces).uncounted_tokens() == len(pieces)


@pytest.mark.parametrize("pieces", [[f"word{n} " for n in range(40)], [f"token-{n} " for n in range(40)], ["a"] * 40])
def test_a_word_per_event_is_a_token_per_event(pieces: list[str]) -> None:
    assert streamed(WIRES[0], pieces).uncounted_tokens() == 40


def test_two_words_per_event_are_not_one_token() -> None:
    words = ENGLISH.split(" ")
    pairs = [f"{one} {other} " for one, other in zip(words[::2], words[1::2], strict=False)]
    assert streamed(WIRES[0], pairs).uncounted_tokens() == pytest.approx(SAMPLES[0].tokens, rel=0.25)


@pytest.mark.parametrize("text", [CHINESE, PYTHON])
def test_escapes_are_not_text(text: str) -> None:
    fold = ChatFold()
    for piece in cut(text, 40):
        escaped = "".join(
            f"\\u{ord(one):04x}" if ord(one) > 127 or one in '"\\\n' else one for one in piece
        )  # as Python writes JSON
        fold.event(event_of(b'{"choices":[{"delta":{"content":"%b"}}]}' % escaped.encode()))
    expected = next(one for one in SAMPLES if one.text == text)
    assert fold.uncounted_tokens() == pytest.approx(expected.tokens, rel=0.25)


@pytest.mark.parametrize("size", [6, 400])
def test_arguments_of_tool_calls_count(size: int) -> None:
    sample = next(one for one in SAMPLES if one.kind == "JSON")
    chats, claudes, theirs = ChatFold(), MessagesFold(), ResponsesFold()
    for piece in cut(sample.text, size):
        call = {"index": 0, "function": {"arguments": piece}}
        chats.event(event_of(orjson.dumps({"choices": [{"delta": {"tool_calls": [call]}}]})))
        delta = {"type": "input_json_delta", "partial_json": piece}
        claudes.event(event_of(orjson.dumps({"type": "content_block_delta", "delta": delta})))
        theirs.event(event_of(orjson.dumps({"type": "response.function_call_arguments.delta", "delta": piece})))
    for fold in (chats, claudes, theirs):
        if size == 6:  # 75 events of two tokens each look like one each: that is the price of counting events
            assert fold.uncounted_tokens() == pytest.approx(sample.tokens, rel=0.5)
        else:
            assert fold.uncounted_tokens() == pytest.approx(sample.tokens, rel=0.35)


@pytest.mark.parametrize(
    "delta", [{"reasoning_content": "so be it"}, {"reasoning": "so be it"}, {"refusal": "I will not"}]
)
def test_reasoning_and_refusals_count(delta: dict[str, Any]) -> None:
    fold = ChatFold()
    for _ in range(10):
        fold.event(event_of(orjson.dumps({"choices": [{"delta": delta}]})))
    assert 20 <= fold.uncounted_tokens() <= 25


def test_what_the_provider_has_counted_is_not_counted_again() -> None:
    fold = ChatFold()
    usage = {"prompt_tokens": 9, "completion_tokens": 3}
    fold.event(event_of(orjson.dumps({**chat("three"), "usage": usage})))
    assert (fold.uncounted_tokens(), fold.output_so_far()) == (0, 3)
    fold.event(event_of(orjson.dumps(chat("one"))))
    assert (fold.uncounted_tokens(), fold.output_so_far()) == (1, 4)


def test_a_whole_answer_is_counted_by_its_provider_alone() -> None:
    fold = GeminiFold()
    call = {"functionCall": {"name": "look_up", "args": {"place": "a long way from here " * 20}}}
    counted = {"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12}
    answer = {"candidates": [{"content": {"parts": [call]}, "finishReason": "STOP"}], "usageMetadata": counted}
    fold.reply(orjson.dumps(answer))
    assert (fold.uncounted_tokens(), fold.output_so_far()) == (0, 7)


def test_a_beginning_of_anthropics_is_not_added_to() -> None:
    fold = MessagesFold()
    started = {"id": "m", "model": "c", "usage": {"input_tokens": 25, "output_tokens": 1}}
    fold.event(event_of(orjson.dumps({"type": "message_start", "message": started})))
    for _ in range(5):
        fold.event(event_of(orjson.dumps(messages("word "))))
    assert fold.output_so_far() == 5
    assert fold.usage.input_tokens == 25


def test_nothing_said_is_nothing() -> None:
    assert ChatFold().output_so_far() == 0
    assert output_tokens(0, 0, 0) == 0


def asked(content: Any) -> bytes:
    return orjson.dumps({"model": "m", "messages": [{"role": "user", "content": content}]})


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one.kind)
def test_a_prompt_is_counted_by_its_size(sample: Sample) -> None:
    assert request_tokens(asked(sample.text)) == pytest.approx(sample.tokens, rel=WITHIN.get(sample.kind, 0.25))


BASE64 = "A" * 300_000
OPENAI = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BASE64[:10_000]}"}}


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        (OPENAI, 765),
        ({"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}, 85),
        ({"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "high"}, 765),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BASE64[:10_000]}}, 1_600),
        ({"inlineData": {"mimeType": "image/png", "data": BASE64[:10_000]}}, 1_032),
        ({"type": "input_audio", "input_audio": {"data": BASE64[:10_000], "format": "wav"}}, 1_600),
        ({"type": "file", "file": {"filename": "a.pdf", "file_data": BASE64[:10_000]}}, 1_600),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BASE64}}, 1_600),  # large
    ],
)
def test_media_count_as_such_and_not_by_their_bytes(part: dict[str, Any], tokens: int) -> None:
    assert tokens < request_tokens(asked([part])) < tokens + 50


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({"model": "m", "input": "four bytes per"}, 3),
        ({"model": "m", "input": [[1, 2, 3], [4, 5]]}, 6),
        ({"model": "m", "prompt": "x" * 400}, 100),
        ({"model": "m", "instructions": "x" * 40, "input": [{"role": "user", "content": "x" * 40}]}, 25),
        ({"contents": [{"role": "user", "parts": [{"text": "x" * 400}]}]}, 105),
        ({}, 1),
        ({"model": "m", "metadata": {"note": "x" * 400}}, 1),
    ],
)
def test_requests_of_every_wire_are_counted(body: dict[str, Any], tokens: int) -> None:
    assert request_tokens(orjson.dumps(body)) == pytest.approx(tokens, abs=2)


def test_a_large_request_costs_no_more_than_its_bytes() -> None:
    body = b'{"messages":[' + b"[]," * (10_000_000 // 3) + b"[]]}"
    assert len(body) > LARGE_BYTES
    began = time.process_time()
    assert request_tokens(body) == pytest.approx(len(body) / 4, rel=0.01)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"null", b'{"messages":7}'])
def test_what_is_no_request_is_still_counted(body: bytes) -> None:
    assert request_tokens(body) >= 1
