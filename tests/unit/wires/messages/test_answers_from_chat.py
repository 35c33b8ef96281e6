"""Chat answers as Anthropic's: whole, or in events, its own client understands the same."""

from __future__ import annotations

from typing import Any

import anthropic
import orjson
import pytest

from gatewayz.errors import ProviderMalformedResponse
from gatewayz.records import Usage
from gatewayz.wires.anthropic_messages.answer_from_chat import messages_usage
from gatewayz.wires.anthropic_messages.wire import MessagesCaller
from gatewayz.wires.sse import event_of
from tests.unit.wires.messages.played import as_message, call, chunk, kinds, shape, translated
from tests.unit.wires.ways import answer_from_chat

USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 12,
    "total_tokens": 42,
    "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
USAGE_EVENT = event_of(orjson.dumps({"id": "c", "model": "m", "choices": [], "usage": USAGE}))
DONE = b"data: [DONE]\n\n"


def tool_delta(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": more.pop("name")} if "name" in more else {})}
    return {"tool_calls": [{"index": index, "function": function, **more}]}


def whole(message: dict[str, Any], finish_reason: str = "stop", thinking: bool = False, **more: Any) -> Any:
    body = orjson.dumps(
        {
            "id": "c",
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason, **more}],
            "usage": USAGE,
        }
    )
    asked = call(thinking={"type": "adaptive"}) if thinking else call(stop_sequences=["END"])
    return orjson.loads(answer_from_chat(MessagesCaller(), asked, shape(stream=False)).reply(body))


def streamed(*events: bytes, thinking: bool = False, slice_bytes: int | None = None) -> bytes:
    asked = call(thinking={"type": "adaptive"}) if thinking else call(stop_sequences=["END"])
    stream = b"".join([*events, USAGE_EVENT, DONE])
    return translated(answer_from_chat(MessagesCaller(), asked, shape()), stream, slice_bytes=slice_bytes)


def shown(message: anthropic.types.Message) -> dict[str, Any]:
    return message.to_dict(mode="json")


TEXT = (chunk({"role": "assistant", "content": ""}), chunk({"content": "Grüß "}), chunk({"content": "dich 🙂"}))
TOOLS = (
    chunk({"role": "assistant", "content": "Let me see."}),
    chunk(tool_delta(0, "", id="call_a", type="function", name="weather")),
    chunk(tool_delta(0, '{"city":')),
    chunk(tool_delta(0, '"Köln"}')),
    chunk(tool_delta(1, "", id="call_b", type="function", name="now")),
    chunk(tool_delta(1, "{}")),
)
TOOL_CALLS = [
    {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Köln"}'}},
    {"id": "call_b", "type": "function", "function": {"name": "now", "arguments": "{}"}},
]
THINKING = (chunk({"reasoning_content": "Hm, "}), chunk({"reasoning_content": "so."}), chunk({"content": "Yes."}))

CASES = [
    pytest.param(TEXT, "stop", {"content": "Grüß dich 🙂"}, False, id="text"),
    pytest.param(TEXT, "length", {"content": "Grüß dich 🙂"}, False, id="text cut short"),
    pytest.param(TOOLS, "tool_calls", {"content": "Let me see.", "tool_calls": TOOL_CALLS}, False, id="tools"),
    pytest.param(TOOLS, "stop", {"content": "Let me see.", "tool_calls": TOOL_CALLS}, False, id="tools, called a stop"),
    pytest.param(THINKING, "stop", {"content": "Yes.", "reasoning_content": "Hm, so."}, True, id="thinking"),
    pytest.param(THINKING, "stop", {"content": "Yes.", "reasoning": "Hm, so."}, False, id="thinking unasked"),
    pytest.param((chunk({"refusal": "No."}),), "stop", {"content": None, "refusal": "No."}, False, id="refusal"),
    pytest.param((chunk({"content": ""}),), "content_filter", {"content": ""}, False, id="filtered"),
]


@pytest.mark.parametrize(("events", "reason", "message", "thinking"), CASES)
def test_the_client_accumulates_from_a_stream_what_it_reads_whole(
    events: tuple[bytes, ...], reason: str, message: dict[str, Any], thinking: bool
) -> None:
    expected = whole(message, reason, thinking)
    stream = streamed(*events, chunk({}, reason), thinking=thinking)
    assert shown(as_message(stream)) == expected
    anthropic.types.Message.model_validate(expected, strict=True)
    for size in (1, 7):
        sliced = streamed(*events, chunk({}, reason), thinking=thinking, slice_bytes=size)
        assert sliced == stream


def test_tool_calls_are_blocks_one_after_the_other() -> None:
    stream = streamed(*TOOLS, chunk({}, "tool_calls"))
    block = ["content_block_start", "content_block_delta"]
    assert kinds(stream) == [
        "message_start",
        *block,
        "content_block_stop",
        *block,
        "content_block_delta",
        "content_block_stop",
        *block,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    message = as_message(stream)
    assert message.stop_reason == "tool_use"
    assert [block.input for block in message.content if block.type == "tool_use"] == [{"city": "Köln"}, {}]


def test_usage_tells_fresh_input_from_cached() -> None:
    usage = as_message(streamed(*TEXT, chunk({}, "stop"))).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (6, 20, 4)
    assert usage.output_tokens == 12
    assert usage.output_tokens_details is not None
    assert usage.output_tokens_details.thinking_tokens == 5


def test_signed_thinking_keeps_its_signature() -> None:
    details = [
        {"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "index": 0},
        {"type": "reasoning.encrypted", "data": "b3BhcXVl"},
    ]
    expected = [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "b3BhcXVl"},
        {"type": "text", "text": "Yes."},
    ]
    message = {"content": "Yes.", "reasoning_content": "Hm.", "reasoning_details": details}
    assert whole(message, thinking=True)["content"] == expected
    stream = streamed(
        chunk({"reasoning_content": "Hm."}),
        chunk({"reasoning_details": details[:1]}),
        chunk({"reasoning_details": details[1:]}),
        chunk({"content": "Yes."}),
        chunk({}, "stop"),
        thinking=True,
    )
    assert shown(as_message(stream))["content"] == expected


def test_the_stop_sequence_is_named_where_the_provider_names_it() -> None:
    answer = whole({"content": "so"}, stop_reason="END")
    assert (answer["stop_reason"], answer["stop_sequence"]) == ("stop_sequence", "END")
    stream = streamed(chunk({"content": "so"}), chunk({}, "stop", stop_reason="END"))
    assert as_message(stream).stop_sequence == "END"
    assert whole({"content": "so"}, stop_reason="</s>")["stop_reason"] == "end_turn"


def test_calls_that_are_all_numbered_0_are_told_apart_by_their_ids() -> None:
    stream = streamed(
        chunk(tool_delta(0, '{"a":1}', id="x", name="f")),
        chunk(tool_delta(0, '{"b":', id="y", name="g")),
        chunk(tool_delta(0, "2}")),
        chunk({}, "tool_calls"),
    )
    blocks = [block for block in as_message(stream).content if block.type == "tool_use"]
    assert [(block.id, block.name, block.input) for block in blocks] == [("x", "f", {"a": 1}), ("y", "g", {"b": 2})]


def test_a_call_without_an_id_gets_one() -> None:
    stream = streamed(chunk(tool_delta(0, "{}", name="f")), chunk({}, "tool_calls"))
    assert as_message(stream).content[0].to_dict()["id"] == "toolu_0123_0"


def tool_uses(stream: bytes) -> list[tuple[str, str, object]]:
    return [(block.id, block.name, block.input) for block in as_message(stream).content if block.type == "tool_use"]


@pytest.mark.parametrize("first", ["", '{"a":'])
def test_calls_whose_pieces_are_mixed_are_said_one_after_the_other(first: str) -> None:
    stream = streamed(
        chunk(tool_delta(0, first, id="x", name="f")),
        chunk(tool_delta(1, '{"b":', id="y", name="g")),
        chunk(tool_delta(2, "{}", id="z", name="h")),
        chunk(tool_delta(0, "1}" if first else '{"a":1}')),
        chunk(tool_delta(1, "2}")),
        chunk({}, "tool_calls"),
    )
    assert tool_uses(stream) == [("x", "f", {"a": 1}), ("y", "g", {"b": 2}), ("z", "h", {})]


def test_a_call_behind_a_whole_one_does_not_wait() -> None:
    translation = answer_from_chat(MessagesCaller(), call(), shape())
    translation.event(chunk(tool_delta(0, '{"a":{}', id="x", name="f")))
    assert b"tool_use" not in translation.event(chunk(tool_delta(1, "", id="y", name="g")))
    begun = translation.event(chunk(tool_delta(0, "}")))
    assert kinds(begun) == ["content_block_delta", "content_block_stop", "content_block_start"]


def test_calls_that_wait_are_said_before_a_text() -> None:
    stream = streamed(
        chunk(tool_delta(0, "", id="x", name="f")),
        chunk(tool_delta(1, "{}", id="y", name="g")),
        chunk({"content": "Done."}),
        chunk({}, "tool_calls"),
    )
    assert [block.type for block in as_message(stream).content] == ["tool_use", "tool_use", "text"]


def test_a_name_may_come_behind_the_id() -> None:
    stream = streamed(
        chunk({"tool_calls": [{"index": 0, "id": "x", "type": "function"}]}),
        chunk(tool_delta(0, "{}", name="f")),
        chunk({}, "tool_calls"),
    )
    assert tool_uses(stream) == [("x", "f", {})]


def test_going_on_with_a_call_that_has_ended_is_malformed() -> None:
    with pytest.raises(ProviderMalformedResponse):
        streamed(
            chunk(tool_delta(0, "{}", id="x", name="f")),
            chunk(tool_delta(1, "{}", id="y", name="g")),
            chunk(tool_delta(0, "1}")),
        )


def test_a_call_that_never_gets_a_name_is_malformed() -> None:
    with pytest.raises(ProviderMalformedResponse):
        streamed(chunk(tool_delta(0, "{}", id="x")), chunk({}, "tool_calls"))


def test_the_deprecated_call_of_a_function_is_a_call() -> None:
    function = {"name": "f", "arguments": '{"a":1}'}
    assert whole({"content": None, "function_call": function}, "function_call")["content"][0]["input"] == {"a": 1}
    parts = [{"name": "f", "arguments": ""}, {"arguments": '{"a":'}, {"arguments": "1}"}]
    stream = streamed(*[chunk({"function_call": part}) for part in parts], chunk({}, "function_call"))
    assert [(name, given) for _, name, given in tool_uses(stream)] == [("f", {"a": 1})]


def test_a_name_that_was_cut_for_the_provider_is_whole_again() -> None:
    tools: list[dict[str, Any]] = [
        {"name": "mcp__" + "x" * 70, "input_schema": {"type": "object"}},
        {"name": "y" * 64, "input_schema": {}},
    ]
    asked = call(tools=tools)
    cut = [tool["function"]["name"] for tool in MessagesCaller().as_chat(asked)["tools"]]
    events = [chunk(tool_delta(i, "{}", id=f"c{i}", name=name)) for i, name in enumerate(cut)]
    stream = translated(
        answer_from_chat(MessagesCaller(), asked, shape()), b"".join([*events, chunk({}, "tool_calls")])
    )
    assert [name for _, name, _ in tool_uses(stream)] == [tool["name"] for tool in tools]
    calls = [{"id": "c", "type": "function", "function": {"name": cut[0], "arguments": "{}"}}]
    choice = {"index": 0, "message": {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}
    body = answer_from_chat(MessagesCaller(), asked, shape(stream=False)).reply(orjson.dumps({"choices": [choice]}))
    assert orjson.loads(body)["content"][0]["name"] == tools[0]["name"]


def test_input_that_is_counted_as_written_and_as_read_is_told_once() -> None:
    reported = messages_usage(Usage(2168, 5, cache_read_tokens=2161, cache_write_tokens=2161, source="provider"))
    kinds_of_input = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    assert [reported[kind] for kind in kinds_of_input] == [0, 7, 2161]


@pytest.mark.parametrize("arguments", ["{", "[]", '"a"', "nope"])
def test_arguments_that_are_no_object_are_malformed(arguments: str) -> None:
    calls = [{"id": "x", "type": "function", "function": {"name": "f", "arguments": arguments}}]
    with pytest.raises(ProviderMalformedResponse):
        whole({"content": None, "tool_calls": calls}, "tool_calls")


def test_a_stream_without_done_ends_all_the_same() -> None:
    translation = answer_from_chat(MessagesCaller(), call(), shape())
    stream = b"".join(map(translation.event, (*TEXT, chunk({}, "stop")))) + translation.end()
    assert kinds(stream)[-2:] == ["message_delta", "message_stop"]
    assert translation.end() == b""


def test_a_stream_of_nothing_is_still_a_message() -> None:
    message = as_message(streamed(chunk({"role": "assistant"}), chunk({}, "stop")))
    assert message.content == []
    assert message.stop_reason == "end_turn"


def test_text_in_parts_is_understood() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
        {"type": "text", "text": "Yes."},
    ]
    assert [block["type"] for block in whole({"content": parts}, thinking=True)["content"]] == ["thinking", "text"]
