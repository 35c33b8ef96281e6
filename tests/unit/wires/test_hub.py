"""What crosses between two wires: requests with the dialect's members, answers as parts, each read once."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gatewayz.wires.anthropic_messages.wire import MessagesCaller
from gatewayz.wires.base import AnswerInfo, CallerWire
from gatewayz.wires.dialect import MEMBERS, forbid_thinking, remove_settings, show_thoughts
from gatewayz.wires.openai_chat.fold import ChatFold
from gatewayz.wires.openai_responses.wire import ResponsesCaller
from gatewayz.wires.sse import EventSplitter, data_of, event_of
from tests.unit.wires.ways import answer_from_chat

ASKED: dict[str, Any] = {
    "anthropic_messages": {
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 5000,
        "thinking": {"type": "adaptive"},
    },
    "openai_responses": {"input": "hi"},
}
SIGNED = {"type": "reasoning.text", "signature": "s1g", "format": "anthropic-claude-v1"}
CALLERS: list[CallerWire] = [MessagesCaller(), ResponsesCaller()]


def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return event_of(orjson.dumps({"id": "c", "model": "m", "choices": [choice]}))


def call_piece(call_id: str, arguments: str, **more: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "id": call_id, "function": {"arguments": arguments, **more}}]}


def streamed(caller: CallerWire, *chunks: bytes) -> list[Any]:
    """What the caller's events say."""
    call = caller.parse(orjson.dumps({"model": "m", "stream": True, **ASKED[caller.name]}))
    way = answer_from_chat(caller, call, AnswerInfo("req_1", "m", 1, stream=True))
    sent = b"".join([*[way.event(one) for one in chunks], way.end()])
    return [orjson.loads(data_of(event)) for event in EventSplitter().feed(sent)]


@pytest.mark.parametrize("caller", CALLERS)
def test_call_whose_id_changes_with_each_piece_is_one_call(caller: CallerWire) -> None:
    pieces = [call_piece("a", '{"x":', name="f"), call_piece("b", "1"), call_piece("c", "}")]
    events = streamed(caller, *map(chunk, pieces), chunk({}, "tool_calls"))
    if caller.name == "openai_responses":
        (item,) = events[-1]["response"]["output"]
        assert (item["call_id"], item["arguments"]) == ("a", '{"x":1}')
        return
    (begun,) = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    deltas = [event["delta"]["partial_json"] for event in events if event["type"] == "content_block_delta"]
    assert (begun["id"], "".join(deltas)) == ("a", '{"x":1}')


def test_signed_thought_without_text_reaches_the_caller_of_messages() -> None:
    events = streamed(MessagesCaller(), chunk({"reasoning_details": [SIGNED]}), chunk({"content": "Yes."}, "stop"))
    blocks = [event["content_block"]["type"] for event in events if event["type"] == "content_block_start"]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert blocks == ["thinking", "text"]
    assert deltas[0] == {"type": "signature_delta", "signature": "s1g"}


@pytest.mark.parametrize("caller", CALLERS)
def test_translation_folds_what_it_translates(caller: CallerWire) -> None:
    usage = event_of(orjson.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}))
    stream = [chunk({"content": "a"}), chunk({"content": "b"}, "stop"), usage, b"data: [DONE]\n\n"]
    alone = ChatFold()
    kinds = [alone.event(event) for event in stream]
    call = caller.parse(orjson.dumps({"model": "m", "stream": True, **ASKED[caller.name]}))
    way = answer_from_chat(caller, call, AnswerInfo("req_1", "m", 1, stream=True))
    assert [way.take(event)[0] for event in stream] == kinds
    for name in ("response_id", "response_model", "finish_reasons", "usage", "content_events", "content_bytes", "done"):
        assert getattr(way.fold, name) == getattr(alone, name)


def test_settings_of_the_dialect_are_removed_and_those_of_a_caller_are_kept() -> None:
    request: dict[str, Any] = {"model": "m"}
    show_thoughts(request)
    forbid_thinking(request)
    assert {"reasoning", "thinking"} <= {member.name for member in MEMBERS if member.where == "request"}
    assert request.keys() == {"model", "reasoning", "thinking"}
    remove_settings(request)
    assert request == {"model": "m"}
    own: dict[str, Any] = {"reasoning": {"effort": "low"}, "thinking": {"type": "enabled", "budget_tokens": 2000}}
    remove_settings(own)
    assert own.keys() == {"reasoning", "thinking"}
