"""The official OpenAI SDK against a live gateway and its built-in provider: what a newcomer's first program meets."""

from __future__ import annotations

import json
import math
import re
import urllib.request
from collections.abc import Iterable

import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam, ChatCompletionToolParam

from tests.contract.conftest import IMPATIENT, IN_A_HURRY
from tests.fakes.clients import anthropic_client, openai_client
from tests.fakes.gateway import LiveGateway
from tests.polling import eventually

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello, who is there?"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CITY_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "population": {"type": "integer"}},
    "required": ["city", "population"],
    "additionalProperties": False,
}


def text_of(chunks: Iterable[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


async def collect(stream: openai.AsyncStream[ChatCompletionChunk], seen: list[ChatCompletionChunk]) -> None:
    """Like ``seen.extend``: what came before an error is kept."""
    async for chunk in stream:
        seen.append(chunk)


def test_answer_has_text_finish_reason_and_usage(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="demo/fast", messages=HELLO)

    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.model == "fast"


def test_plain_model_name_finds_its_provider(client: openai.OpenAI) -> None:
    assert client.chat.completions.create(model="fast", messages=HELLO).choices


def test_stream_adds_up_to_the_answer(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="demo/fast", messages=HELLO)

    with client.chat.completions.create(model="demo/fast", messages=HELLO, stream=True) as stream:
        chunks = list(stream)

    assert text_of(chunks) == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len(chunks) > 3


def test_usage_is_streamed_only_to_callers_that_ask(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="demo/fast", messages=HELLO)

    with client.chat.completions.create(model="demo/fast", messages=HELLO, stream=True) as stream:
        unasked = list(stream)
    with client.chat.completions.create(
        model="demo/fast",
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        asked = list(stream)

    assert [chunk for chunk in unasked if chunk.usage is not None or not chunk.choices] == []
    assert asked[-1].choices == []
    assert asked[-1].usage == whole.usage


@pytest.mark.parametrize("stream", [False, True])
def test_tool_call_arrives_whole(client: openai.OpenAI, stream: bool) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Ghent?"}]
    if stream:
        with client.chat.completions.stream(model="demo/fast", messages=messages, tools=[WEATHER]) as events:
            for _ in events:
                pass
            answer = events.get_final_completion()
    else:
        answer = client.chat.completions.create(model="demo/fast", messages=messages, tools=[WEATHER])

    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls
    call = choice.message.tool_calls[0]
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)


def test_json_schema_is_obeyed(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="demo/fast",
        messages=HELLO,
        response_format={"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CITY_SCHEMA}},
    )

    city = json.loads(answer.choices[0].message.content or "")
    assert set(city) == {"city", "population"}
    assert isinstance(city["population"], int)


def test_models_are_listed_and_retrieved(client: openai.OpenAI) -> None:
    names = {model.id for model in client.models.list()}

    assert {"demo/fast", "demo/slow", "demo/flaky"} <= names
    assert client.models.retrieve("demo/fast").owned_by == "demo"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("demo/no-such-model")


def test_anthropics_client_reads_the_same_list(gateway: LiveGateway) -> None:
    with anthropic_client(gateway) as client:
        models = {model.id: model for model in client.models.list(limit=1000)}
        one = client.models.retrieve("demo/fast")
    assert one.to_dict() == models["demo/fast"].to_dict()
    assert (one.type, one.display_name, one.created_at.year) == ("model", "demo/fast", 2025)


def test_every_answer_names_its_request_and_its_trace(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="demo/fast", messages=HELLO)

    assert raw.parse().choices
    assert re.fullmatch(r"req_[0-9a-f]{24}", raw.headers["x-request-id"])
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", raw.headers["traceresponse"])
    assert raw.request_id == raw.headers["x-request-id"]


def test_callers_trace_is_continued(client: openai.OpenAI) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    raw = client.chat.completions.with_raw_response.create(
        model="demo/fast",
        messages=HELLO,
        extra_headers={"traceparent": f"00-{trace_id}-00f067aa0ba902b7-00"},
    )

    assert raw.headers["traceresponse"].startswith(f"00-{trace_id}-")


def test_wrong_key_is_an_authentication_error(gateway: LiveGateway) -> None:
    with (
        openai_client(gateway, api_key="gz_wrong") as stranger,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        stranger.chat.completions.create(model="demo/fast", messages=HELLO)

    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id


@pytest.mark.parametrize("model", ["demo/no-such-model", "no-such-model", "nobody/model"])
def test_unknown_model_is_not_found(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model=model, messages=HELLO)

    assert caught.value.code == "model_not_found"


def test_request_without_messages_is_refused_by_name(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="demo/fast", messages=[])

    assert caught.value.param == "messages"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "error", "code"),
    [
        ("demo/rate-limited", openai.RateLimitError, "provider_rate_limited"),
        ("demo/error", openai.InternalServerError, "provider_server_error"),
        ("demo/overloaded", openai.InternalServerError, "provider_overloaded"),
    ],
)
def test_provider_failure_is_the_matching_sdk_error(
    client: openai.OpenAI, model: str, error: type[openai.APIStatusError], code: str, stream: bool
) -> None:
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=model, messages=HELLO, stream=stream, extra_headers=IN_A_HURRY)

    assert caught.value.code == code


def test_rate_limit_carries_retry_after(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="demo/rate-limited", messages=HELLO, extra_headers=IN_A_HURRY)

    assert int(caught.value.response.headers["retry-after"]) > 0


@pytest.mark.parametrize("model", ["demo/cut", "demo/stall"])
def test_broken_stream_raises_in_the_clients_loop_and_never_finishes(client: openai.OpenAI, model: str) -> None:
    seen: list[ChatCompletionChunk] = []
    with (
        client.chat.completions.create(model=model, messages=HELLO, stream=True) as stream,
        pytest.raises(openai.APIError),
    ):
        seen.extend(stream)

    assert text_of(seen)
    assert not [choice for chunk in seen for choice in chunk.choices if choice.finish_reason]


def test_provider_that_never_begins_is_given_up(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="demo/hang", messages=HELLO, stream=True, extra_headers=IMPATIENT)

    assert caught.value.status_code == 504
    assert caught.value.code == "provider_first_chunk_timeout"


async def test_async_client_gets_an_answer(async_client: openai.AsyncOpenAI) -> None:
    answer = await async_client.chat.completions.create(model="demo/fast", messages=HELLO)

    assert answer.choices[0].message.content


async def test_async_client_streams(async_client: openai.AsyncOpenAI) -> None:
    async with await async_client.chat.completions.create(
        model="demo/thinker",
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        chunks = [chunk async for chunk in stream]

    assert text_of(chunks)
    usage = chunks[-1].usage
    assert usage
    assert usage.completion_tokens_details
    assert usage.completion_tokens_details.reasoning_tokens


async def test_async_client_is_told_of_a_cut_stream(async_client: openai.AsyncOpenAI) -> None:
    seen: list[ChatCompletionChunk] = []
    async with await async_client.chat.completions.create(model="demo/cut", messages=HELLO, stream=True) as stream:
        with pytest.raises(openai.APIError):
            await collect(stream, seen)

    assert text_of(seen)


async def test_async_clients_helper_folds_a_streamed_tool_call(async_client: openai.AsyncOpenAI) -> None:
    async with async_client.chat.completions.stream(model="demo/fast", messages=HELLO, tools=[WEATHER]) as events:
        async for _ in events:
            pass
        answer = await events.get_final_completion()

    calls = answer.choices[0].message.tool_calls
    assert calls
    assert calls[0].function.name == "get_weather"


def test_embeddings_work_out_of_the_box(client: openai.OpenAI) -> None:
    """The SDK asks for base64 unless told otherwise, and unpacks it."""
    packed = client.embeddings.create(model="demo/embed", input=["a quick fox", "prices of steel"])
    plain = client.embeddings.create(
        model="demo/embed", input=["a quick fox", "prices of steel"], encoding_format="float"
    )

    assert [entry.index for entry in packed.data] == [0, 1]
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
        assert math.hypot(*one.embedding) == pytest.approx(1, abs=1e-5)
    assert packed.usage == plain.usage
    assert packed.usage.prompt_tokens == packed.usage.total_tokens > 0


def test_embeddings_take_tokens_and_are_as_long_as_asked_for(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="embed", input=[[1, 2, 3], [4]], dimensions=12)
    assert [len(entry.embedding) for entry in answer.data] == [12, 12]
    assert answer.usage.prompt_tokens == 4


def test_embeddings_request_of_the_readme_works(gateway: LiveGateway) -> None:
    request = urllib.request.Request(  # noqa: S310 - an address of ours
        f"{gateway.openai_url}/embeddings",
        data=b'{"model": "demo/embed", "input": "Hello"}',
        headers={"Authorization": f"Bearer {gateway.api_key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        body = json.loads(answer.read())
    assert body["object"] == "list"
    assert isinstance(body["data"][0]["embedding"][0], float)


def test_embedding_model_is_listed_and_other_models_name_it(client: openai.OpenAI) -> None:
    assert "demo/embed" in {model.id for model in client.models.list()}
    with pytest.raises(openai.NotFoundError, match="`embed` does"):
        client.embeddings.create(model="demo/fast", input="Hello")
    with pytest.raises(openai.BadRequestError, match="empty") as caught:
        client.embeddings.create(model="demo/embed", input=["a", ""])
    assert caught.value.param == "input"
    with pytest.raises(openai.RateLimitError):
        client.embeddings.create(model="demo/rate-limited", input="Hello", extra_headers=IN_A_HURRY)


def test_embedding_tokens_are_recorded_and_cost_nothing(client: openai.OpenAI, gateway: LiveGateway) -> None:
    answer = client.embeddings.with_raw_response.create(model="demo/embed", input="one two three")
    request_id = answer.headers["x-request-id"]
    (record,) = eventually(lambda: [one for one in gateway.records() if one["request_id"] == request_id])
    assert (record["input_tokens"], record["cost_usd"]) == (3, 0)
