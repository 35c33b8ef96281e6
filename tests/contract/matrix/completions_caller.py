"""OpenAI's SDK, asking for the older completions. What they have no member for goes as an extra one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import openai
from openai.types import Completion, CompletionUsage

from gatewayz.wires.base import Wire
from tests.contract.matrix.caller import OpenAiCaller, openai_failure, schema_named
from tests.contract.matrix.chat_vendor import ChatVendor
from tests.contract.matrix.scenario import (
    MAX_TOKENS,
    SCHEMA,
    STOP,
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

ENDINGS: Mapping[str, Ending] = {"stop": "end", "length": "limit", "content_filter": "refused"}


class CompletionsCaller(OpenAiCaller):
    wire: Wire = "openai_completions"

    def ask(self, model: str, scenario: Scenario, delivery: Delivery) -> Seen:
        seen = Seen()
        create: Any = self._client.completions.create  # its overloads know no plain dictionaries
        request = _request(model, scenario)
        try:
            if delivery == "unary":
                _whole(create(**request), seen)
            else:
                counted = delivery == "helper"
                options = {"stream_options": {"include_usage": True}} if counted else {}
                _streamed(create(**request, stream=True, **options), seen, counted=counted)
        except openai.APIError as error:
            seen.failure = openai_failure(error)
        return seen


def _request(model: str, scenario: Scenario) -> Json:
    extra: Json = {}
    request: Json = {
        "model": model,
        "prompt": scenario.prompt,
        "max_tokens": MAX_TOKENS,
        "temperature": TEMPERATURE,
        "user": USER,
        "extra_body": extra,
    }
    if scenario.medium:
        request["prompt"] = [ChatVendor.media[scenario.medium]]
    if scenario.choice:
        extra["tools"] = [{"type": "function", "function": {"name": t.name, "parameters": t.schema}} for t in TOOLS]
    if scenario.schema:
        extra["response_format"] = {"type": "json_schema", "json_schema": schema_named(SCHEMA)}
    if scenario.stops:
        request["stop"] = [STOP]
    if scenario.answer.logprobs:
        request["logprobs"] = 1
    return request


def _whole(answer: Completion, seen: Seen) -> None:
    assert answer.object == "text_completion"
    (choice,) = answer.choices
    seen.text, seen.ending = choice.text, ENDINGS[choice.finish_reason]
    _see_logprobs(choice.logprobs, seen)
    seen.usage = _tokens(answer.usage)


def _see_logprobs(logprobs: Any, seen: Seen) -> None:  # Any: its members are optional, each by itself
    if logprobs is None:
        return
    before = len("".join([token for token, _ in seen.logprobs]))
    for token, logprob, top, offset in zip(
        logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs, logprobs.text_offset, strict=True
    ):
        assert top == {token: logprob}
        assert offset == before
        before += len(token)
        seen.logprobs.append((token, logprob))


def _streamed(chunks: Iterable[Completion], seen: Seen, *, counted: bool) -> None:
    reason: str | None = None
    for chunk in chunks:
        if not chunk.choices:
            assert reason is not None, "usage comes last"
            assert counted, "nobody asked for it"
            assert seen.usage is None
            seen.usage = _tokens(chunk.usage)
            continue
        assert reason is None
        assert chunk.usage is None
        (choice,) = chunk.choices
        seen.text += choice.text
        _see_logprobs(choice.logprobs, seen)
        reason = choice.finish_reason
    assert reason is not None
    seen.ending = ENDINGS[reason]


def _tokens(usage: CompletionUsage | None) -> Tokens:
    assert usage is not None
    given, made = usage.prompt_tokens_details, usage.completion_tokens_details
    assert given is not None
    assert made is not None
    return Tokens(usage.prompt_tokens, given.cached_tokens or 0, usage.completion_tokens, made.reasoning_tokens or 0)
