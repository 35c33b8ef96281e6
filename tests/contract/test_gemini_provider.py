"""OpenAI's own client, unchanged, against a live gateway whose provider speaks Gemini's wire."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import openai
import orjson
import pytest
from openai.types.chat import ChatCompletionMessage

from tests.fakes.clients import openai_client
from tests.fakes.gateway import LiveGateway, running_gateway
from tests.unit.wires.gemini.answers import LOGPROBS, THINKING, TOOLS, answer, candidate, event, joined, text, whole
from tests.unit.wires.gemini.recorder import Recorder, recording
from tests.unit.wires.gemini.requests import PNG, WEATHER, WEATHER_TOOL, Json

MODEL = "gemini/gemini-2.5-flash"


@pytest.fixture(scope="module")
def server() -> Iterator[Recorder]:
    with recording() as made:
        yield made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, server: Recorder) -> Generator[LiveGateway]:
    environment = {"GEMINI_BASE_URL": f"{server.url}/v1beta", "GEMINI_API_KEY": "AIza-canary"}
    with running_gateway(tmp_path_factory.mktemp("gemini"), environment) as live:
        yield live


@pytest.fixture
def client(gateway: LiveGateway, server: Recorder) -> Iterator[openai.OpenAI]:
    server.status = 200
    with openai_client(gateway) as made:
        yield made


def test_text_answer(client: openai.OpenAI, server: Recorder) -> None:
    server.answer = whole(joined(THINKING))
    made = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hello"}])
    assert made.choices[0].message.content == "It is so."
    assert made.choices[0].finish_reason == "stop"
    assert made.usage
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (10, 11)
    assert server.headers["x-goog-api-key"] == "AIza-canary"


def test_streamed_text_answer(client: openai.OpenAI, server: Recorder) -> None:
    server.answer = b"".join(event(one) for one in THINKING)
    with client.chat.completions.stream(
        model=MODEL, messages=[{"role": "user", "content": "Hello"}], stream_options={"include_usage": True}
    ) as stream:
        final: Any = stream.get_final_completion()
    assert final.choices[0].message.content == "It is so."
    assert final.usage
    assert final.usage.completion_tokens == 11


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls_and_their_results(client: openai.OpenAI, server: Recorder, stream: bool) -> None:
    """The client keeps what it does not know, the signature too, so that it goes back with the call."""
    history: list[Json] = [{"role": "user", "content": "What is the weather?"}]
    asked: Json = {"model": MODEL, "messages": history, "tools": [WEATHER_TOOL]}
    completions: Any = client.chat.completions  # its overloads know no plain dictionaries
    if stream:
        server.answer = b"".join(event(one) for one in TOOLS)
        with completions.stream(**asked) as chunks:
            final = chunks.get_final_completion()
    else:
        server.answer = whole(joined(TOOLS))
        final = completions.create(**asked)
    message: ChatCompletionMessage = final.choices[0].message
    assert final.choices[0].finish_reason == "tool_calls"
    assert [call.id for call in message.tool_calls or []][:2] == ["fc-1", "fc-2"]
    history.append(message.model_dump(exclude_none=True))
    history += [{"role": "tool", "tool_call_id": call.id, "content": "{}"} for call in message.tool_calls or []]
    server.answer = whole(joined(THINKING))
    completions.create(**asked)
    _, called, results = server.body["contents"]
    assert called["parts"][1]["thoughtSignature"] == "c2ln"
    assert [part["functionResponse"]["name"] for part in results["parts"]] == ["weather", "time", "empty"]


def test_schema_image_and_logprobs(client: openai.OpenAI, server: Recorder) -> None:
    server.answer = whole(joined(LOGPROBS))
    made = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]}
        ],
        response_format={"type": "json_schema", "json_schema": {"name": "w", "schema": WEATHER, "strict": True}},
        logprobs=True,
        top_logprobs=2,
    )
    logprobs = made.choices[0].logprobs
    assert logprobs
    assert logprobs.content
    assert [one.token for one in logprobs.content[0].top_logprobs] == ["Hi", "Hé"]
    assert server.body["contents"][0]["parts"] == [{"inlineData": {"mimeType": "image/png", "data": PNG}}]
    assert server.body["generationConfig"]["responseJsonSchema"] == WEATHER


def test_bad_request_carries_the_message_without_the_key(client: openai.OpenAI, server: Recorder) -> None:
    server.status = 400
    server.answer = b'{"error":{"code":400,"message":"Too long for AIza-canary.","status":"INVALID_ARGUMENT"}}'
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hello"}])
    assert "Too long" in caught.value.message
    assert "AIza-canary" not in str(caught.value.body)


def test_cut_stream_ends_in_an_error(client: openai.OpenAI, server: Recorder) -> None:
    server.answer = event(answer(candidate(text("It is"))))
    chunks = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hello"}], stream=True)
    choice = next(chunks).choices[0]
    assert (choice.delta.content, choice.finish_reason) == ("It is", None)
    with pytest.raises(openai.APIError) as caught:
        next(chunks)
    assert caught.value.code == "provider_stream_cut"


def test_embeddings(client: openai.OpenAI, server: Recorder) -> None:
    """The client asks for base64 unless it is told otherwise."""
    server.answer = orjson.dumps({"embeddings": [{"values": [0.25, -1.0]}, {"values": [0.5, 0.125]}]})
    made = client.embeddings.create(model="gemini/gemini-embedding-001", input=["a", "b"])
    assert [one.embedding for one in made.data] == [[0.25, -1.0], [0.5, 0.125]]
    plain = client.embeddings.create(model="gemini/gemini-embedding-001", input=["a", "b"], encoding_format="float")
    assert [one.embedding for one in plain.data] == [[0.25, -1.0], [0.5, 0.125]]
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="gemini/gemini-embedding-001", input=[[1, 2]])
    assert caught.value.param == "input"
