"""OpenAI's SDK, asking for chat completions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import openai
import orjson
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gatewayz.wires.base import Wire
from tests.contract.matrix.caller import OpenAiCaller, openai_failure, results_of, schema_named, second_turn
from tests.contract.matrix.chat_vendor import ChatVendor
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
    Json,
    Scenario,
    Seen,
    Tokens,
)

ENDINGS: Mapping[str, Ending] = {"stop": "end", "length": "limit", "tool_calls": "calls", "content_filter": "refused"}


class ChatCaller(OpenAiCaller):
    wire: Wire = "openai_chat"

    def ask(self, model: str, scenario: Scenario, delivery: Delivery) -> Seen:
        seen = Seen()
        request = _request(model, scenario)
        try:
            message = self._turn(request, delivery, seen)
            if scenario.after_tools:
                calls = message["tool_calls"]
                request["messages"].append(message)
                request["messages"] += [
                    {"role": "tool", "tool_call_id": call_id, "content": result}
                    for call_id, result in results_of([(call["id"], call["function"]["name"]) for call in calls])
                ]
                for name in ("tool_choice", "parallel_tool_calls"):
                    request.pop(name, None)
                second_turn(lambda second: self._turn(request, delivery, second), seen)
        except openai.APIError as error:
            seen.failure = openai_failure(error)
        return seen

    def _turn(self, request: Json, delivery: Delivery, seen: Seen) -> Json:
        """The message as it goes back with the next turn; ``seen`` is filled as it comes."""
        completions: Any = self._client.chat.completions  # its overloads know no plain dictionaries
        if delivery == "unary":
            message = _whole(completions.create(**request), seen)
        elif delivery == "stream":
            message = _streamed(completions.create(**request, stream=True), seen)
        else:
            with completions.stream(**request, stream_options={"include_usage": True}) as stream:
                for event in stream:
                    if event.type in ("content.delta", "refusal.delta"):
                        seen.text += event.delta
                final = _accumulated(stream)
            seen.text, said = "", seen.text
            message = _whole(final, seen)
            assert said == seen.text
        return message


def _accumulated(stream: Any) -> ChatCompletion:  # Any: generic in the type of a parsed answer
    """An answer that was cut off or withheld is an error in the SDK's eyes, but it has it all the same."""
    try:
        return stream.get_final_completion()
    except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError):
        return stream.current_completion_snapshot


def _request(model: str, scenario: Scenario) -> Json:
    content: Any = scenario.prompt
    if scenario.medium:
        content = [{"type": "text", "text": scenario.prompt}, ChatVendor.media[scenario.medium]]
    request: Json = {
        "model": model,
        "messages": [{"role": "developer", "content": SYSTEM}, {"role": "user", "content": content}],
        "max_completion_tokens": MAX_TOKENS,
        "user": USER,
    }
    if scenario.choice:
        request["tools"] = [
            {"type": "function", "function": {"name": tool.name, "parameters": tool.schema, "strict": True}}
            for tool in TOOLS
        ]
        request["tool_choice"] = scenario.choice
    if scenario.choice == "one":
        request["tool_choice"] = {"type": "function", "function": {"name": "get_weather"}}
        request["parallel_tool_calls"] = False
    if scenario.schema:
        request["response_format"] = {"type": "json_schema", "json_schema": schema_named(SCHEMA)}
    if scenario.thinks:
        request["reasoning_effort"] = "low"
    else:
        request["temperature"] = TEMPERATURE
    if scenario.stops:
        request["stop"] = [STOP]
    if scenario.answer.logprobs:
        request |= {"logprobs": True, "top_logprobs": 1}
    return request


def _whole(answer: ChatCompletion, seen: Seen) -> Json:
    assert answer.object == "chat.completion"
    (choice,) = answer.choices
    assert choice.index == 0
    message: Json = choice.message.model_dump(exclude_none=True)
    for name in ("parsed", "annotations"):
        message.pop(name, None)
    _see(message, choice.finish_reason, seen)
    seen.usage = _tokens(answer.usage)
    if choice.logprobs and choice.logprobs.content:
        seen.logprobs = [(token.token, token.logprob) for token in choice.logprobs.content]
    for call in message.get("tool_calls", []):
        call.pop("index", None)
        call["function"].pop("parsed_arguments", None)
    return message


def _see(message: Json, reason: str | None, seen: Seen) -> None:
    assert message["role"] == "assistant"
    assert reason is not None
    seen.text = message.get("content") or message.get("refusal") or ""
    seen.thought = message.get("reasoning_content") or ""
    seen.calls = [
        (call["function"]["name"], orjson.loads(call["function"]["arguments"]))
        for call in message.get("tool_calls", [])
    ]
    seen.ending = "refused" if message.get("refusal") else ENDINGS[reason]


def _streamed(chunks: Iterable[ChatCompletionChunk], seen: Seen) -> Json:
    """Put together by hand, and held to the order in which OpenAI says things."""
    message: Json = {}
    reason: str | None = None
    ids: set[str] = set()
    for chunk in chunks:
        assert chunk.object == "chat.completion.chunk"
        assert chunk.usage is None, "nobody asked for it"
        ids.add(chunk.id)
        (choice,) = chunk.choices
        assert reason is None, "nothing comes after the reason for stopping"
        delta: Json = choice.delta.model_dump(exclude_none=True)
        assert ("role" in delta) == (not message), "the role comes first, and once"
        for name, value in delta.items():
            if name == "tool_calls":
                for piece in value:
                    _add_piece(message.setdefault("tool_calls", []), piece)
            elif name in ("content", "refusal", "reasoning_content"):
                message[name] = message.get(name, "") + value
            elif isinstance(value, list):
                message[name] = [*message.get(name, []), *value]
            else:
                message[name] = value
        seen.text = message.get("content") or message.get("refusal") or ""
        if choice.logprobs and choice.logprobs.content:
            seen.logprobs += [(token.token, token.logprob) for token in choice.logprobs.content]
        if choice.finish_reason:
            assert not any(delta.values()), "it comes in a chunk of its own"
            reason = choice.finish_reason
    assert len(ids) == 1
    _see(message, reason, seen)
    return message


def _add_piece(calls: list[Json], piece: Json) -> None:
    index = piece.pop("index")
    if index == len(calls):
        assert piece["type"] == "function"
        assert piece["id"]
        calls.append(piece)
        return
    assert index == len(calls) - 1, "one call comes after the other"
    assert "id" not in piece
    calls[index]["function"]["arguments"] += piece["function"]["arguments"]


def _tokens(usage: CompletionUsage | None) -> Tokens:
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    given, made = usage.prompt_tokens_details, usage.completion_tokens_details
    assert given is not None
    assert made is not None
    return Tokens(usage.prompt_tokens, given.cached_tokens or 0, usage.completion_tokens, made.reasoning_tokens or 0)
