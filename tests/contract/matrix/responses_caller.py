"""OpenAI's SDK, asking for responses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import openai
import orjson
from openai.types.responses import Response

from gatewayz.wires.base import Wire
from tests.contract.matrix.caller import OpenAiCaller, openai_failure, results_of, schema_named, second_turn
from tests.contract.matrix.responses_order import ResponsesOrder
from tests.contract.matrix.responses_vendor import ResponsesVendor
from tests.contract.matrix.scenario import (
    MAX_TOKENS,
    SCHEMA,
    STOP,
    SYSTEM,
    TEMPERATURE,
    TOOLS,
    USER,
    WAV,
    Delivery,
    Json,
    Scenario,
    Seen,
    Tokens,
)

_OTHER_MEDIA: Json = {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}


class ResponsesCaller(OpenAiCaller):
    wire: Wire = "openai_responses"

    def ask(self, model: str, scenario: Scenario, delivery: Delivery) -> Seen:
        seen = Seen()
        request = _request(model, scenario)
        try:
            items = self._turn(request, delivery, seen)
            if scenario.after_tools:
                calls = [(item["call_id"], item["name"]) for item in items if item["type"] == "function_call"]
                request["input"] += items
                request["input"] += [
                    {"type": "function_call_output", "call_id": call_id, "output": result}
                    for call_id, result in results_of(calls)
                ]
                for name in ("tool_choice", "parallel_tool_calls"):
                    request.pop(name, None)
                second_turn(lambda second: self._turn(request, delivery, second), seen)
        except openai.APIError as error:
            seen.failure = openai_failure(error)
        return seen

    def _turn(self, request: Json, delivery: Delivery, seen: Seen) -> list[Json]:
        """The items as they go back with the next turn; ``seen`` is filled as they come."""
        responses: Any = self._client.responses  # its overloads know no plain dictionaries
        if delivery == "unary":
            return _whole(responses.create(**request), seen)
        if delivery == "stream":
            return _streamed(responses.create(**request, stream=True), seen)
        with responses.stream(**request) as stream:
            final: Response | None = None
            for event in stream:
                if event.type in ("response.output_text.delta", "response.refusal.delta"):
                    seen.text += event.delta
                if event.type == "response.incomplete":
                    final = event.response
            said = seen.text
            items = _whole(final or stream.get_final_response(), seen)  # it knows no other end than completed
            assert said == seen.text
            return items


def _request(model: str, scenario: Scenario) -> Json:
    content: Any = scenario.prompt
    if scenario.medium:
        medium = ResponsesVendor.media.get(scenario.medium, _OTHER_MEDIA)
        content = [{"type": "input_text", "text": scenario.prompt}, medium]
    include: list[str] = []
    request: Json = {
        "model": model,
        "instructions": SYSTEM,
        "input": [{"role": "user", "content": content}],
        "max_output_tokens": MAX_TOKENS,
        "user": USER,
        "store": False,
        "include": include,
    }
    if scenario.choice:
        request["tools"] = [
            {"type": "function", "name": tool.name, "parameters": tool.schema, "strict": True} for tool in TOOLS
        ]
        request["tool_choice"] = scenario.choice
    if scenario.choice == "one":
        request["tool_choice"] = {"type": "function", "name": "get_weather"}
        request["parallel_tool_calls"] = False
    if scenario.schema:
        request["text"] = {"format": {"type": "json_schema", **schema_named(SCHEMA)}}
    if scenario.thinks:
        request["reasoning"] = {"effort": "low", "summary": "auto"}
        include.append("reasoning.encrypted_content")
    else:
        request["temperature"] = TEMPERATURE
    if scenario.stops:
        request["extra_body"] = {"stop": [STOP]}  # theirs has no such member, and what is not theirs goes along
    if scenario.answer.logprobs:
        request["top_logprobs"] = 1
        include.append("message.output_text.logprobs")
    return request


def _whole(answer: Response, seen: Seen) -> list[Json]:
    assert answer.object == "response"
    assert answer.id.startswith("resp_")
    assert answer.error is None
    items: list[Json] = [item.to_dict(mode="json") for item in answer.output]
    contents: list[list[Json]] = [item.get("content") or [] for item in items]
    for one in [*items, *[part for content in contents for part in content]]:
        for name in ("parsed", "parsed_arguments"):  # what the SDK's accumulator adds
            one.pop(name, None)
    _see(items, answer.to_dict(mode="json"), seen)
    return items


def _see(items: list[Json], response: Json, seen: Seen) -> None:
    parts: list[Json] = [part for item in items if item["type"] == "message" for part in item["content"]]
    seen.text = "".join([part["text"] if part["type"] == "output_text" else part["refusal"] for part in parts])
    summaries = [summary for item in items if item["type"] == "reasoning" for summary in item["summary"]]
    seen.thought = "".join([summary["text"] for summary in summaries])
    seen.calls = [(item["name"], orjson.loads(item["arguments"])) for item in items if item["type"] == "function_call"]
    logprobs: list[list[Json]] = [part.get("logprobs") or [] for part in parts]
    tokens = [token for told in logprobs for token in told]
    seen.logprobs = [(token["token"], token["logprob"]) for token in tokens]
    incomplete: Json = response["incomplete_details"] or {}
    match response["status"], incomplete.get("reason"):
        case "incomplete", "max_output_tokens":
            seen.ending = "limit"
        case "incomplete", "content_filter":
            seen.ending = "refused"
        case "completed", None:
            refused = any(part["type"] == "refusal" for part in parts)
            seen.ending = "refused" if refused else "calls" if seen.calls else "end"
        case _:
            raise AssertionError(f"no such end: {response['status']}, {incomplete}")
    assert all(item.get("status", "completed") == "completed" for item in items) or seen.ending in ("limit", "refused")
    usage = response["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    seen.usage = Tokens(
        usage["input_tokens"],
        usage["input_tokens_details"]["cached_tokens"],
        usage["output_tokens"],
        usage["output_tokens_details"]["reasoning_tokens"],
    )


def _streamed(events: Iterable[Any], seen: Seen) -> list[Json]:  # Any: a union of fifty events
    order = ResponsesOrder()
    for event in events:
        order.take(event.to_dict(mode="json"))
        seen.text = order.text
    response = order.whole()
    _see(response["output"], response, seen)
    return response["output"]
