"""Any answer of any provider, whole or streamed: it folds to the same outcome, and every caller hears the same."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayz.wires.base import AnswerInfo, Fold, Wire
from gatewayz.wires.sse import EventSplitter
from gatewayz.wires.translate import CALLER_WIRES, PROVIDER_WIRES, translation
from tests.property.speech import SPOKEN, Heard, heard_stream, heard_whole
from tests.property.strategies import Said, answers

ASKED: dict[Wire, Any] = {
    "openai_chat": {"messages": [{"role": "user", "content": "hi"}], "stream_options": {"include_usage": True}},
    "openai_completions": {"prompt": "hi", "stream_options": {"include_usage": True}},
    "openai_responses": {"input": "hi"},
    # Thinking is shown to those who ask for it.
    "anthropic_messages": {
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 5000,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
    },
}
REASONS: dict[Wire, tuple[str, str, str]] = {
    "openai_chat": ("stop", "length", "tool_calls"),
    "openai_completions": ("stop", "length", "stop"),
    "openai_responses": ("completed", "incomplete", "completed"),
    "anthropic_messages": ("end_turn", "max_tokens", "tool_use"),
}
PAIRS = [(provider, caller) for provider in SPOKEN for caller in CALLER_WIRES if provider != caller]


def outcome(fold: Fold) -> tuple[Any, ...]:
    assert fold.error is None
    return fold.response_id, fold.response_model, fold.finish_reasons, fold.usage


def folded_whole(wire: Wire, body: bytes) -> Fold:
    fold = PROVIDER_WIRES[wire].fold()
    fold.reply(body)
    return fold


def folded_stream(wire: Wire, events: list[bytes]) -> Fold:
    fold = PROVIDER_WIRES[wire].fold()
    for event in events:
        fold.event(event)
    assert fold.complete
    return fold


@pytest.mark.parametrize("wire", SPOKEN)
@settings(max_examples=60, print_blob=True)
@given(said=answers())
def test_an_answer_amounts_to_the_same_whole_and_streamed(wire: Wire, said: Said) -> None:
    whole, stream = SPOKEN[wire]
    counted = folded_whole(wire, orjson.dumps(whole(said)))
    assert outcome(counted) == outcome(folded_stream(wire, stream(said)))
    assert counted.usage == said.usage


def expected(caller: Wire, said: Said) -> Heard:
    stop, length, tools = REASONS[caller]
    return Heard(
        thoughts="".join(said.thoughts),
        text="".join(said.texts),
        calls=[(name, given) for name, given in said.calls],
        reason=length if said.cut_short else tools if said.calls else stop,
    )


@pytest.mark.parametrize(("provider", "caller"), PAIRS)
@settings(max_examples=30, print_blob=True)
@given(data=st.data(), cut=st.integers(1, 60))
def test_every_caller_hears_the_same_of_it(provider: Wire, caller: Wire, data: st.DataObject, cut: int) -> None:
    said = data.draw(answers(only_text=caller == "openai_completions"))
    make_whole, make_stream = SPOKEN[provider]

    def way(stream: bool) -> Any:
        call = CALLER_WIRES[caller].parse(orjson.dumps({"model": "m", "stream": stream, **ASKED[caller]}))
        shape = AnswerInfo("req_1", "m", 1, stream, call.include_usage)
        return translation(call, CALLER_WIRES[caller], PROVIDER_WIRES[provider], shape)

    whole: bytes = way(False).reply(orjson.dumps(make_whole(said)))
    sent, splitter, one_way = b"".join(make_stream(said)), EventSplitter(), way(True)
    pieces = [sent[start : start + cut] for start in range(0, len(sent), cut)]
    events = [event for piece in pieces for event in splitter.feed(piece)]
    streamed: bytes = b"".join([*map(one_way.event, events), one_way.end()])
    assert heard_whole(caller, orjson.loads(whole)) == expected(caller, said)
    assert heard_stream(caller, streamed) == expected(caller, said)
    once, piecewise = folded_whole(caller, whole), folded_stream(caller, EventSplitter().feed(streamed))
    assert outcome(once) == outcome(piecewise)
    assert once.usage == said.usage
