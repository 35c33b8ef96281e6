"""Open Responses (openresponses.org), whose compliance suite parses each answer and the response in each event of a stream: what
it requires of them, written down by hand after its schema of 2026-04-24."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import orjson
import pytest
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from gatewayz.records import Call
from gatewayz.wires.base import AnswerInfo
from gatewayz.wires.openai_responses.wire import ResponsesCaller
from gatewayz.wires.translate import AnswerTranslation
from tests.unit.wires.responses.played import USAGE, call_delta, call_of, chat_reply, chat_stream, told, translated
from tests.unit.wires.ways import answer_from_chat

BEGAN_S = 1_700_000_000
ENDED_S = BEGAN_S + 7
Number = StrictInt | StrictFloat


class Required(BaseModel):
    """Every member must be there; more may be."""

    model_config = ConfigDict(extra="allow")


class FunctionTool(Required):
    type: Literal["function"]
    name: StrictStr
    description: StrictStr | None
    parameters: dict[str, Any] | None
    strict: StrictBool | None


class Citation(Required):
    type: Literal["url_citation"]
    url: StrictStr
    title: StrictStr
    start_index: StrictInt
    end_index: StrictInt


class OutputText(Required):
    type: Literal["output_text"]
    text: StrictStr
    annotations: list[Citation]


class SummaryText(Required):
    type: Literal["summary_text"]
    text: StrictStr


class Message(Required):
    type: Literal["message"]
    id: StrictStr
    status: Literal["in_progress", "completed", "incomplete"]
    role: Literal["assistant"]
    content: list[OutputText]


class FunctionCall(Required):
    type: Literal["function_call"]
    id: StrictStr
    call_id: StrictStr
    name: StrictStr
    arguments: StrictStr
    status: Literal["in_progress", "completed", "incomplete"]


class Reasoning(Required):
    type: Literal["reasoning"]
    id: StrictStr
    summary: list[SummaryText]


class Format(Required):
    type: Literal["text", "json_object"]


class SchemaFormat(Required):
    type: Literal["json_schema"]
    name: StrictStr
    description: StrictStr | None
    strict: StrictBool
    format_schema: dict[str, Any] = Field(alias="schema")


class Text(Required):
    format: Annotated[Format | SchemaFormat, Field(discriminator="type")]


class Effort(Required):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None
    summary: Literal["auto", "concise", "detailed"] | None


class Allowed(Required):
    type: Literal["allowed_tools"]
    mode: Literal["auto", "required", "none"]


class CachedDetails(Required):
    cached_tokens: StrictInt


class ReasoningDetails(Required):
    reasoning_tokens: StrictInt


class Usage(Required):
    input_tokens: StrictInt
    output_tokens: StrictInt
    total_tokens: StrictInt
    input_tokens_details: CachedDetails
    output_tokens_details: ReasoningDetails


class Incomplete(Required):
    reason: StrictStr


class Resource(Required):
    id: StrictStr
    object: Literal["response"]
    created_at: StrictInt
    completed_at: StrictInt | None
    status: StrictStr
    incomplete_details: Incomplete | None
    model: StrictStr
    previous_response_id: None
    instructions: StrictStr | None
    output: list[Annotated[Message | FunctionCall | Reasoning, Field(discriminator="type")]]
    error: None
    tools: list[FunctionTool]
    tool_choice: Literal["none", "auto", "required"] | Allowed
    truncation: Literal["auto", "disabled"]
    parallel_tool_calls: StrictBool
    text: Text
    top_p: Number
    presence_penalty: Number
    frequency_penalty: Number
    top_logprobs: StrictInt
    temperature: Number
    reasoning: Effort | None
    user: StrictStr | None
    usage: Usage | None
    max_output_tokens: StrictInt | None
    max_tool_calls: StrictInt | None
    store: StrictBool
    background: StrictBool
    service_tier: StrictStr
    metadata: dict[str, Any]
    safety_identifier: StrictStr | None
    prompt_cache_key: StrictStr | None


PLAIN: dict[str, Any] = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
REQUESTS: dict[str, dict[str, Any]] = {
    "nothing more": {},
    "a tool that says little": {"tools": [PLAIN]},
    "a tool that says nothing": {"tools": [{"type": "function", "name": "weather"}]},
    "an effort": {"reasoning": {"effort": "low"}},
    "a summary": {"reasoning": {"summary": "auto"}},
    "a format": {"text": {"verbosity": "low"}},
    "a schema": {"text": {"format": {"type": "json_schema", "name": "answer", "schema": {"type": "object"}}}},
    "a choice among tools": {
        "tools": [PLAIN],
        "tool_choice": {"type": "allowed_tools", "tools": [{"type": "function", "name": "weather"}]},
    },
    "penalties": {"presence_penalty": 0.5, "frequency_penalty": 1},
    "nulls": {"tools": None, "reasoning": None, "text": None, "metadata": None, "tool_choice": None},
}
CITED = {"type": "url_citation", "url_citation": {"url": "https://x.org"}}
ANSWERS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "text": ([{"content": "hi"}], {"content": "hi"}, "stop"),
    "text cut short": ([{"content": "hi"}], {"content": "hi"}, "length"),
    "reasoning": (
        [{"reasoning_content": "hm"}, {"content": "hi"}],
        {"reasoning_content": "hm", "content": "hi"},
        "stop",
    ),
    "a call": (
        [call_delta(0, id="c1", name="weather", arguments="{}")],
        {"content": None, "tool_calls": [call_of("c1", "weather", "{}")]},
        "tool_calls",
    ),
    "a citation that says little": (
        [{"content": "hi"}, {"annotations": [CITED]}],
        {"content": "hi", "annotations": [CITED]},
        "stop",
    ),
}


def call_for(**members: Any) -> Call:
    return ResponsesCaller().parse(orjson.dumps({"model": "m", "input": "hi", **members}))


def translation(call: Call, *, stream: bool) -> AnswerTranslation:
    return answer_from_chat(
        ResponsesCaller(), call, AnswerInfo("req_1", "m", BEGAN_S, stream, clock=lambda: ENDED_S + 0.5)
    )


def responses_in(events: bytes) -> Iterator[Any]:
    for event in told(events):
        if "response" in event:
            yield event["response"]


@pytest.mark.parametrize("asked", REQUESTS)
@pytest.mark.parametrize("answered", ANSWERS)
def test_every_response_says_what_the_schema_requires(asked: str, answered: str) -> None:
    deltas, message, reason = ANSWERS[answered]
    call = call_for(**REQUESTS[asked])
    whole = orjson.loads(translation(call, stream=False).reply(chat_reply(message, reason)))
    streamed = list(responses_in(translated(translation(call, stream=True), chat_stream(*deltas, reason=reason))))
    assert [said["status"] for said in streamed] == ["in_progress", "in_progress", whole["status"]]
    for said in (whole, *streamed):
        Resource.model_validate(said)


def test_it_says_when_it_was_completed() -> None:
    events = translated(translation(call_for(), stream=True), chat_stream({"content": "hi"}))
    assert [said["completed_at"] for said in responses_in(events)] == [None, None, ENDED_S]
    cut = orjson.loads(translation(call_for(), stream=False).reply(chat_reply({"content": "hi"}, "length")))
    assert cut["completed_at"] is None
    timeless = answer_from_chat(ResponsesCaller(), call_for(), AnswerInfo("req_1", "m", BEGAN_S, stream=False))
    assert orjson.loads(timeless.reply(chat_reply({"content": "hi"})))["completed_at"] == BEGAN_S


def test_penalties_are_repeated() -> None:
    said = translation(call_for(presence_penalty=0.5), stream=False).reply(chat_reply({"content": "hi"}))
    response = orjson.loads(said)
    assert (response["presence_penalty"], response["frequency_penalty"]) == (0.5, 0.0)


@pytest.mark.parametrize(
    ("told_by_the_provider", "becomes"),
    [("flex", "flex"), ("priority", "priority"), ("on_demand", "default"), ("", "default"), (None, "default")],
)
def test_the_service_tier_is_a_word_of_openais(told_by_the_provider: Any, becomes: str) -> None:
    body = orjson.dumps({**orjson.loads(chat_reply({"content": "hi"})), "service_tier": told_by_the_provider})
    assert orjson.loads(translation(call_for(), stream=False).reply(body))["service_tier"] == becomes


def test_usage_in_a_member_of_groqs_is_heard() -> None:
    stream = [*chat_stream({"content": "hi"}, usage=None)]
    stream[-2] = b"data: " + orjson.dumps({"choices": [], "x_groq": {"id": "r", "usage": USAGE}}) + b"\n\n"
    last = list(responses_in(translated(translation(call_for(), stream=True), stream)))[-1]
    assert last["usage"]["total_tokens"] == USAGE["total_tokens"]
