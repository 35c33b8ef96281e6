"""What a caller of Messages says that some providers have a word for, and chat has not."""

from __future__ import annotations

from typing import Any

import orjson

from gatewayz.wires.translate import CALLER_WIRES, PROVIDER_WIRES, request_body

HELLO: Any = [{"role": "user", "content": "hi"}]
MESSAGES: Any = {"messages": HELLO, "max_tokens": 9}


def test_who_asks_to_see_thoughts_is_heard_by_responses_and_by_no_chat() -> None:
    wire = CALLER_WIRES["anthropic_messages"]
    asked = {"model": "m", **MESSAGES, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    call = wire.parse(orjson.dumps(asked))
    made = {
        name: orjson.loads(request_body(call, wire, PROVIDER_WIRES[name], "m", usage_option=True))
        for name in ("openai_responses", "openai_chat")
    }
    assert made["openai_responses"]["reasoning"] == {"effort": "low", "summary": "auto"}
    assert "reasoning" not in made["openai_chat"]
    assert made["openai_chat"]["reasoning_effort"] == "low"


def test_a_tool_that_failed_is_told_to_gemini_and_spared_chat() -> None:
    wire = CALLER_WIRES["anthropic_messages"]
    called: Any = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    result: Any = {"type": "tool_result", "tool_use_id": "t1", "content": "no such city", "is_error": True}
    turns: Any = [*HELLO, {"role": "assistant", "content": [called]}, {"role": "user", "content": [result]}]
    call = wire.parse(orjson.dumps({"model": "m", "max_tokens": 9, "messages": turns}))
    gemini = orjson.loads(request_body(call, wire, PROVIDER_WIRES["gemini"], "m", usage_option=True))
    told = gemini["contents"][-1]["parts"][0]["functionResponse"]
    assert told == {"id": "t1", "name": "f", "response": {"error": "no such city"}}
    chat = orjson.loads(request_body(call, wire, PROVIDER_WIRES["openai_chat"], "m", usage_option=True))
    assert chat["messages"][-1] == {"role": "tool", "tool_call_id": "t1", "content": "no such city"}
