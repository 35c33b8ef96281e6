"""Anthropic's SDK."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import anthropic
import orjson
from anthropic.types import Message, RawMessageStreamEvent

from gatewayz.wires.base import Wire
from tests.contract.matrix.caller import results_of, second_turn
from tests.contract.matrix.messages_vendor import MessagesVendor
from tests.contract.matrix.scenario import (
    MAX_TOKENS,
    SCHEMA,
    STOP,
    SYSTEM,
    TEMPERATURE,
    TOOLS,
    USER,
    Delivery,
    Ending,
    Failure,
    Json,
    Scenario,
    Seen,
    Tokens,
)
from tests.fakes.clients import anthropic_at

ENDINGS: Mapping[str, Ending] = {
    "end_turn": "end",
    "max_tokens": "limit",
    "tool_use": "calls",
    "refusal": "refused",
    "stop_sequence": "stop sequence",
}
_OTHER_MEDIA: Json = {"type": "audio", "source": {"type": "base64", "media_type": "audio/wav", "data": "UklGRg=="}}


class MessagesCaller:
    wire: Wire = "anthropic_messages"

    def __init__(self, url: str, key: str) -> None:
        self._client = anthropic_at(url, key)

    def close(self) -> None:
        self._client.close()

    def ask(self, model: str, scenario: Scenario, delivery: Delivery) -> Seen:
        seen = Seen()
        request = _request(model, scenario)
        try:
            content = self._turn(request, delivery, seen)
            if scenario.after_tools:
                calls = [(block["id"], block["name"]) for block in content if block["type"] == "tool_use"]
                results = [
                    {"type": "tool_result", "tool_use_id": call_id, "content": result}
                    for call_id, result in results_of(calls)
                ]
                request["messages"] += [{"role": "assistant", "content": content}, {"role": "user", "content": results}]
                request.pop("tool_choice", None)
                second_turn(lambda second: self._turn(request, delivery, second), seen)
        except anthropic.APIStatusError as error:
            seen.failure = _failure(error)
        return seen

    def _turn(self, request: Json, delivery: Delivery, seen: Seen) -> list[Json]:
        """The content as it goes back with the next turn; ``seen`` is filled as it comes."""
        messages: Any = self._client.messages  # its overloads know no plain dictionaries
        if delivery == "unary":
            return _whole(messages.create(**request), seen)
        if delivery == "stream":
            return _streamed(messages.create(**request, stream=True), seen)
        with messages.stream(**request) as stream:
            for event in stream:
                if event.type == "text":
                    seen.text += event.text
            said = seen.text
            content = _whole(stream.get_final_message(), seen)
            assert said == seen.text
            return content


def _failure(error: anthropic.APIStatusError) -> Failure:
    body: Any = error.body
    assert body["type"] == "error"
    status = None if error.status_code == 200 else error.status_code
    retry_after = error.response.headers.get("retry-after")
    return Failure(status, body["error"]["type"], None, body["error"]["message"], retry_after)


def _request(model: str, scenario: Scenario) -> Json:
    content: Any = scenario.prompt
    if scenario.medium:
        medium = MessagesVendor.media.get(scenario.medium, _OTHER_MEDIA)
        content = [{"type": "text", "text": scenario.prompt}, medium]
    extra: Json = {}
    request: Json = {
        "model": model,
        "max_tokens": MAX_TOKENS,
        "system": SYSTEM,
        "messages": [{"role": "user", "content": content}],
        "metadata": {"user_id": USER},
        "extra_body": extra,
    }
    if scenario.choice:
        request["tools"] = [{"name": tool.name, "input_schema": tool.schema, "strict": True} for tool in TOOLS]
        request["tool_choice"] = {"type": {"required": "any"}.get(scenario.choice, "auto")}
    if scenario.choice == "one":
        request["tool_choice"] = {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True}
    if scenario.schema:
        request["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    if scenario.thinks:
        request["thinking"] = {"type": "enabled", "budget_tokens": 2000}
    else:
        extra["temperature"] = TEMPERATURE  # theirs has it no more, but the API does
    if scenario.stops:
        request["stop_sequences"] = [STOP]
    if scenario.answer.logprobs:
        extra["logprobs"] = True
    return request


def _whole(answer: Message, seen: Seen) -> list[Json]:
    assert (answer.type, answer.role) == ("message", "assistant")
    assert answer.id.startswith("msg_")
    content: list[Json] = [block.model_dump(exclude_none=True) for block in answer.content]
    usage: Json = answer.usage.model_dump(exclude_none=True)
    _see(content, answer.stop_reason, answer.stop_sequence, usage, seen)
    return content


def _see(content: list[Json], reason: str | None, sequence: str | None, usage: Json, seen: Seen) -> None:
    assert reason is not None
    seen.ending = ENDINGS[reason]
    assert sequence == (STOP if reason == "stop_sequence" else None)
    seen.text = "".join([block["text"] for block in content if block["type"] == "text"])
    seen.thought = "".join([block["thinking"] for block in content if block["type"] == "thinking"])
    seen.calls = [(block["name"], block["input"]) for block in content if block["type"] == "tool_use"]
    cached = usage["cache_read_input_tokens"]
    seen.usage = Tokens(
        input=usage["input_tokens"] + cached + usage["cache_creation_input_tokens"],
        cached=cached,
        output=usage["output_tokens"],
        thought=usage["output_tokens_details"]["thinking_tokens"],
    )


def _streamed(events: Iterable[RawMessageStreamEvent], seen: Seen) -> list[Json]:
    """Put together by hand, and held to the order in which Anthropic says things."""
    content: list[Json] = []
    pieces: list[str] = []
    state = "before"
    reason: str | None = None
    sequence: str | None = None
    usage: Json = {}
    for one in events:
        event: Any = one  # a union that has no ping
        match event.type:
            case "message_start":
                assert state == "before"
                assert (event.message.content, event.message.stop_reason) == ([], None)
                usage = event.message.usage.model_dump(exclude_none=True)
                state = "between"
            case "content_block_start":
                assert (state, event.index) == ("between", len(content))
                content.append(event.content_block.model_dump(exclude_none=True))
                pieces = []
                state = "inside"
            case "content_block_delta":
                assert (state, event.index) == ("inside", len(content) - 1)
                _add(content[-1], event.delta.model_dump(), pieces, seen)
            case "content_block_stop":
                assert (state, event.index) == ("inside", len(content) - 1)
                if content[-1]["type"] == "tool_use":
                    content[-1]["input"] = orjson.loads("".join(pieces))
                state = "between"
            case "message_delta":
                assert state == "between"
                reason, sequence = event.delta.stop_reason, event.delta.stop_sequence
                usage |= event.usage.model_dump(exclude_none=True)
                state = "stopping"
            case "message_stop":
                assert state == "stopping"
                state = "after"
            case _:  # a ping, which their SDK has no type for
                assert str(event.type) == "ping"
    assert state == "after"
    _see(content, reason, sequence, usage, seen)
    return content


def _add(block: Json, delta: Json, pieces: list[str], seen: Seen) -> None:
    match block["type"], delta["type"]:
        case "text", "text_delta":
            block["text"] += delta["text"]
            seen.text += delta["text"]
        case "thinking", "thinking_delta":
            assert not block["signature"], "the signature comes last"
            block["thinking"] += delta["thinking"]
        case "thinking", "signature_delta":
            block["signature"] = delta["signature"]
        case "tool_use", "input_json_delta":
            pieces.append(delta["partial_json"])
        case wrong:
            raise AssertionError(f"a delta in the wrong block: {wrong}")
