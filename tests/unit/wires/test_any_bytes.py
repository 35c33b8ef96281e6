"""Whatever a provider sends, a fold and a translation say something or raise an error of ours: nothing else ever gets out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatewayz.errors import GatewayError
from gatewayz.wires.anthropic_messages.count_tokens import CountFold
from gatewayz.wires.anthropic_messages.fold import MessagesFold
from gatewayz.wires.base import AnswerInfo, Fold, Wire
from gatewayz.wires.embeddings.gemini import GeminiEmbeddingsFold
from gatewayz.wires.embeddings.openai import EmbeddingsFold
from gatewayz.wires.gemini.fold import GeminiFold
from gatewayz.wires.openai_chat.fold import ChatFold
from gatewayz.wires.openai_responses.fold import ResponsesFold
from gatewayz.wires.translate import CALLER_WIRES, PROVIDER_WIRES, AnswerTranslation, translation
from tests.unit.wires.test_wrong_types import RICH

FOLDS: tuple[Callable[[], Fold], ...] = (
    ChatFold, MessagesFold, ResponsesFold, GeminiFold, EmbeddingsFold, GeminiEmbeddingsFold, CountFold,
)  # fmt: skip
PAIRS = [
    (caller, provider)
    for caller in CALLER_WIRES
    for provider in PROVIDER_WIRES
    if provider not in (caller, "openai_completions")  # to which nothing is ever translated
]
Json = dict[str, Any]

CHAT_CHOICE: Json = {"index": 0, "delta": {"role": "assistant", "content": "é", "tool_calls": [
    {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
]}, "finish_reason": "stop"}  # fmt: skip
MESSAGE: Json = {"id": "m", "type": "message", "model": "c", "role": "assistant", "stop_reason": "end_turn", "content": [
    {"type": "text", "text": "é"}, {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
], "usage": {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": 0}}  # fmt: skip
RESPONSE: Json = {"id": "r", "model": "m", "status": "completed", "output": [
    {"type": "message", "id": "i", "role": "assistant", "content": [{"type": "output_text", "text": "é", "annotations": []}]},
    {"type": "function_call", "id": "i", "call_id": "c", "name": "f", "arguments": "{}"},
], "usage": {"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 1}}}  # fmt: skip
SOUND: tuple[Json, ...] = (
    {"id": "c", "model": "m", "choices": [CHAT_CHOICE], "usage": {"prompt_tokens": 3, "completion_tokens": 1}},
    {"id": "c", "model": "m", "choices": [{**CHAT_CHOICE, "message": CHAT_CHOICE["delta"], "text": "é"}]},
    {"error": {"message": "m", "type": "t", "code": 429}},
    MESSAGE,
    {"type": "message_start", "message": {**MESSAGE, "content": []}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "é"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
    RESPONSE,
    {"type": "response.created", "sequence_number": 0, "response": RESPONSE},
    {"type": "response.completed", "sequence_number": 9, "response": RESPONSE},
    {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": RESPONSE["output"][1]},
    {"type": "response.output_text.delta", "sequence_number": 2, "output_index": 0, "content_index": 0, "delta": "é"},
    {"type": "response.function_call_arguments.delta", "sequence_number": 3, "output_index": 0, "delta": "{"},
    {"type": "response.failed", "response": {**RESPONSE, "status": "failed", "error": {"code": "invalid_x"}}},
    {"candidates": [{"content": {"parts": [{"text": "é"}, {"functionCall": {"name": "f", "args": {"a": 1}}}]},
      "index": 0, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 3}, "responseId": "r"},
    {"data": [{"index": 0, "embedding": [0.5]}], "model": "m", "usage": {"prompt_tokens": 2}},
    {"embeddings": [{"values": [0.5]}], "usageMetadata": {"promptTokenCount": 1}},
    {"input_tokens": 5},
)  # fmt: skip

NASTY = (
    b"\xff", b"\xc3", b'"\xed\xa0\x80"', rb'"\ud800"', b"NaN", b"1e999", b"-1e999", b"9" * 400, b"-" + b"9" * 30,
    b"18446744073709551616", b"1" + b"0" * 5000, b"null", b"true", b"[]", b"{}", b'""', b"[" * 3000, b'{"a":' * 3000,
    b'"' + b"x" * 100, b"\x00", b"[null]", b"[{}]", b"1.5", b"-1",
)  # fmt: skip


def _values(raw: bytes) -> list[tuple[int, int]]:
    """Where in compact JSON a value may be put in the place of another: between a colon, comma or bracket and the next."""
    marks = [place for place, byte in enumerate(raw) if byte in b':,[{}]"']
    return list(pairwise(marks))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A sound answer or event with something nasty in the place of one or two of its values."""
    raw = orjson.dumps(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(1, 2))):
        start, end = draw(st.sampled_from(_values(raw)))
        put = draw(st.one_of(st.sampled_from(NASTY), st.binary(max_size=8)))
        raw = raw[: start + 1] + put + raw[end:]
    return raw


anything = st.one_of(mutated(), st.binary(max_size=200), st.sampled_from([orjson.dumps(one) for one in SOUND]))


def survives(step: Callable[[bytes], object], *given_to_it: bytes) -> None:
    for one in given_to_it:
        with contextlib.suppress(GatewayError):
            step(one)


@pytest.mark.parametrize("make", FOLDS)
@given(data=st.lists(anything, min_size=1, max_size=4))
@example(data=[b'{"content":[],"id":"\xff"}'])
@example(data=[b'{"output":[],"id":"\xff"}'])
@example(data=[b'{"input_tokens":5,"x":"\xff","\xff":1}'])
def test_any_bytes_are_folded_or_refused(make: Callable[[], Fold], data: list[bytes]) -> None:
    whole, stream = make(), make()
    survives(whole.reply, data[0])
    survives(stream.event, *[b"data: " + one + b"\n\n" for one in data], data[0])
    for fold in (whole, stream):
        assert fold.uncounted_tokens() >= 0
        assert 0 <= fold.usage.input_tokens <= 3 * 2**53
        assert 0 <= fold.usage.output_tokens <= 2 * 2**53


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
@given(data=st.lists(anything, min_size=1, max_size=4))
def test_any_bytes_are_translated_or_refused(caller: Wire, provider: Wire, data: list[bytes]) -> None:
    survives(lambda body: _translation(caller, provider).reply(body), data[0])
    stream = _translation(caller, provider)
    survives(stream.event, *[b"data: " + one + b"\n\n" for one in data])
    with contextlib.suppress(GatewayError):
        stream.end()


def _translation(caller: Wire, provider: Wire) -> AnswerTranslation:
    call = CALLER_WIRES[caller].parse(orjson.dumps(RICH[caller]))
    made = translation(call, CALLER_WIRES[caller], PROVIDER_WIRES[provider], AnswerInfo("req_1", "m", 1, stream=True))
    assert made is not None
    return made
