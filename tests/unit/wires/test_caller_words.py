"""A refusal names the member of the caller's own request."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gatewayz.errors import InvalidRequest
from gatewayz.wires.base import Wire
from gatewayz.wires.translate import CALLER_WIRES, PROVIDER_WIRES, request_body

HELLO: Any = [{"role": "user", "content": "hi"}]
AUDIO: Any = {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}
CHAT: Any = {"messages": HELLO}
RESPONSES: Any = {"input": "hi"}
MESSAGES: Any = {"messages": HELLO, "max_tokens": 9}
BAD: Any = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {"a": 5}}}
TOOL: Any = {"name": "f", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("caller", "provider", "asked", "param"),
    [
        ("openai_chat", "openai_responses", {**CHAT, "stop": ["x"]}, "stop"),
        ("openai_chat", "openai_responses", {"messages": [{"role": "user", "content": [AUDIO]}]},
         "messages[0].content[0].type"),
        ("openai_completions", "openai_responses", {"prompt": "hi", "stop": ["x"]}, "stop"),
        ("openai_completions", "anthropic_messages", {"prompt": "hi", "logprobs": 1}, "logprobs"),
        ("openai_completions", "openai_chat", {"prompt": "hi", "tools": [{"type": "function"}]}, "tools"),
        ("openai_responses", "anthropic_messages", {"input": [{"role": "user", "content": [AUDIO]}]}, "input"),
        ("openai_responses", "anthropic_messages", {**RESPONSES, "top_logprobs": 2}, "top_logprobs"),
        ("openai_responses", "anthropic_messages", {**RESPONSES, "text": {"verbosity": "low"}}, "text.verbosity"),
        ("openai_responses", "gemini", {**RESPONSES, "tools": [{"type": "web_search"}, BAD]}, "tools"),
        ("anthropic_messages", "openai_responses", {**MESSAGES, "stop_sequences": ["x"]}, "stop_sequences"),
        ("anthropic_messages", "gemini", {**MESSAGES, "tools": [TOOL, {**TOOL, "name": "other"}],
         "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, "tool_choice.disable_parallel_tool_use"),
        ("anthropic_messages", "openai_completions", MESSAGES, "messages"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_callers_member(caller: Wire, provider: Wire, asked: dict[str, Any], param: str) -> None:
    wire = CALLER_WIRES[caller]
    call = wire.parse(orjson.dumps({"model": "m", **asked}))
    with pytest.raises(InvalidRequest) as refused:
        request_body(call, wire, PROVIDER_WIRES[provider], "m", usage_option=True)
    assert refused.value.param == param
    assert f"'{param}'" in refused.value.message
