"""Google's own client, against a local server: it sends what we make of a chat request, and reads what our tests send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

pytest.importorskip("google.genai")

from google import genai
from google.genai import types

from gatewayz.records import Call
from gatewayz.wires.embeddings.gemini import GeminiEmbeddings
from gatewayz.wires.embeddings.openai import parse_embeddings_request
from gatewayz.wires.gemini.wire import KEY_HEADER, GeminiWire
from tests.unit.wires.gemini.answers import PLAIN, SHAPE, STREAMS, Json, event, joined, whole
from tests.unit.wires.gemini.recorder import Recorder, recording
from tests.unit.wires.gemini.requests import CASES, PNG, SIGNATURE, WEATHER
from tests.unit.wires.ways import answer_to_chat

QUESTION = "What is the weather in Köln?"


class Oracle:
    """Google's client, and the server that it takes for Gemini."""

    def __init__(self, server: Recorder) -> None:
        self.server = server
        options = types.HttpOptions(base_url=server.url, api_version="v1beta")
        # Its signatures are of unknown types in part.
        self.client: Any = genai.Client(api_key="a-key", http_options=options)

    def sent(self) -> Json:
        body: Json = camel(self.server.body)
        if body.get("generationConfig") == {}:  # the client says so where there is nothing to say
            del body["generationConfig"]
        return body


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with recording() as server:
        made = Oracle(server)
        yield made
        made.client.close()


OPAQUE = {"parametersJsonSchema", "responseJsonSchema", "args", "response"}


def camel(made: Any) -> Any:
    """Names as Gemini documents them: its client writes some in the other way that protobuf's JSON allows."""
    if isinstance(made, list):
        return [camel(one) for one in made]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(made, dict):
        return made
    renamed: Json = {}
    for name, value in made.items():  # pyright: ignore[reportUnknownVariableType]
        first, *others = str(name).split("_")  # pyright: ignore[reportUnknownArgumentType]
        key = first + "".join(word.capitalize() for word in others)
        renamed[key] = value if key in OPAQUE else camel(value)
    return renamed


def config_of(body: Json) -> types.GenerateContentConfig:
    """Our body in the client's types, which refuse a name that they do not know."""
    members = {name: value for name, value in body.items() if name not in ("contents", "generationConfig")}
    members.update(body.get("generationConfig", {}))
    config = types.GenerateContentConfig.model_validate_json(orjson.dumps(members))
    config.automatic_function_calling = types.AutomaticFunctionCallingConfig(disable=True)
    return config


@pytest.mark.parametrize("name", CASES)
def test_googles_client_knows_every_name_and_sends_the_same(oracle: Oracle, name: str) -> None:
    case = CASES[name]
    body: Json = orjson.loads(GeminiWire().from_chat(case.chat, case.model, stream=False))
    contents: Any = [types.Content.model_validate_json(orjson.dumps(content)) for content in body["contents"]]
    oracle.server.answer = whole(joined(PLAIN))
    oracle.client.models.generate_content(model=case.model, contents=contents, config=config_of(body))
    assert oracle.sent() == body
    assert oracle.server.path == "/v1beta" + GeminiWire().path(case.model, stream=False)
    assert oracle.server.headers[KEY_HEADER] == "a-key"


def ask(client: Any, model: str, contents: Any, **config: Any) -> None:
    client.models.generate_content(
        model=model,
        contents=contents,
        config=types.GenerateContentConfig(
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True), **config
        ),
    )


def weather_tool() -> types.Tool:
    declaration = types.FunctionDeclaration(name="weather", description="Tells", parameters_json_schema=WEATHER)
    return types.Tool(function_declarations=[declaration])


def must_call() -> types.ToolConfig:
    calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
    return types.ToolConfig(function_calling_config=calling)


def conversation() -> list[types.Content]:
    first = types.Part(
        function_call=types.FunctionCall(id="c1", name="weather", args={"city": "Köln"}), thought_signature=b"signature"
    )
    second = types.Part(function_call=types.FunctionCall(id="c2", name="clock", args={}))
    results = [
        types.Part(function_response=types.FunctionResponse(id="c1", name="weather", response={"sky": "grey"})),
        types.Part(function_response=types.FunctionResponse(id="c2", name="clock", response={"output": "noon"})),
    ]
    return [
        types.Content(role="user", parts=[types.Part(text=QUESTION)]),
        types.Content(role="model", parts=[first, second]),
        types.Content(role="user", parts=results),
    ]


BY_HAND: dict[str, Callable[[Any], None]] = {
    "text": lambda client: ask(client, "gemini-2.5-flash", QUESTION),
    "system": lambda client: ask(client, "gemini-2.5-flash", QUESTION, system_instruction=["Be brief.", "In German."]),
    "image in a data URL": lambda client: ask(
        client,
        "gemini-2.5-flash",
        [
            "What?",
            types.Part(
                inline_data=types.Blob.model_validate_json(orjson.dumps({"data": PNG, "mimeType": "image/png"}))
            ),
        ],
    ),
    "image at an address": lambda client: ask(
        client,
        "gemini-2.5-flash",
        types.Part.from_uri(file_uri="https://example.com/a.b/cat.JPG?size=2", mime_type="image/jpeg"),
    ),
    "sampling": lambda client: ask(
        client,
        "gemini-2.5-flash",
        QUESTION,
        temperature=0.5,
        top_p=0.25,
        top_k=3,
        max_output_tokens=5,
        stop_sequences=["x", "y"],
        candidate_count=2,
        seed=7,
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        response_logprobs=True,
        logprobs=3,
    ),
    "JSON by a schema": lambda client: ask(
        client, "gemini-2.5-flash", QUESTION, response_mime_type="application/json", response_json_schema=WEATHER
    ),
    "some tool": lambda client: ask(
        client, "gemini-2.5-flash", QUESTION, tools=[weather_tool()], tool_config=must_call()
    ),
    "calls made together and their results": lambda client: ask(
        client, "gemini-3-pro-preview", conversation(), tools=[weather_tool()]
    ),
    "thinking by level": lambda client: ask(
        client,
        "gemini-3-flash-preview",
        QUESTION,
        thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.HIGH, include_thoughts=True),
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_same_request_by_hand(oracle: Oracle, name: str) -> None:
    oracle.server.answer = whole(joined(PLAIN))
    BY_HAND[name](oracle.client)
    case = CASES[name]
    assert oracle.sent() == orjson.loads(GeminiWire().from_chat(case.chat, case.model, stream=False))
    assert SIGNATURE == "c2lnbmF0dXJl"


@pytest.mark.parametrize("name", STREAMS)
def test_googles_client_reads_the_answers_of_these_tests_as_we_do(oracle: Oracle, name: str) -> None:
    made = joined(STREAMS[name])
    types.GenerateContentResponse.model_validate_json(orjson.dumps(made))  # refuses unknown names
    oracle.server.answer = whole(made)
    read: types.GenerateContentResponse = oracle.client.models.generate_content(model="gemini-2.5-flash", contents="x")
    ours: Json = orjson.loads(answer_to_chat(GeminiWire(), SHAPE).reply(oracle.server.answer))
    assert read.response_id == "r-1"
    assert read.usage_metadata is not None
    assert ours["usage"]["prompt_tokens"] == read.usage_metadata.prompt_token_count
    for choice, candidate in zip(ours["choices"], read.candidates or [], strict=bool(read.candidates)):
        message = choice["message"]
        parts = (candidate.content.parts if candidate.content else None) or []
        said = "".join(part.text for part in parts if part.text and not part.thought)
        thought = "".join(part.text for part in parts if part.text and part.thought)
        calls = [part.function_call for part in parts if part.function_call]
        assert (message["content"] or "") == said
        assert message.get("reasoning_content", "") == thought
        assert [one["function"]["name"] for one in message.get("tool_calls", [])] == [one.name for one in calls]
        for one, call in zip(message.get("tool_calls", []), calls, strict=True):
            assert orjson.loads(one["function"]["arguments"]) == (call.args or {})


@pytest.mark.parametrize("name", STREAMS)
def test_googles_client_reads_the_streams_of_these_tests(oracle: Oracle, name: str) -> None:
    oracle.server.answer = b"".join(event(one) for one in STREAMS[name])
    read: list[types.GenerateContentResponse] = [
        *oracle.client.models.generate_content_stream(model="gemini-2.5-flash", contents="x")
    ]
    assert oracle.server.path == "/v1beta" + GeminiWire().path("gemini-2.5-flash", stream=True)
    assert len(read) == len(STREAMS[name])
    fold = GeminiWire().fold()
    for one in STREAMS[name]:
        fold.event(event(one))
    reasons = {
        candidate.index or 0: candidate.finish_reason.value.lower()
        for chunk in read
        for candidate in chunk.candidates or []
        if candidate.finish_reason
    }
    assert fold.finish_reasons == (tuple(reasons.values()) or ("prohibited_content",))


def test_googles_client_asks_for_embeddings_as_we_do(oracle: Oracle) -> None:
    oracle.server.answer = b'{"embeddings":[{"values":[1,0]},{"values":[0,1]}]}'
    config = types.EmbedContentConfig(output_dimensionality=2)
    read: types.EmbedContentResponse = oracle.client.models.embed_content(
        model="gemini-embedding-001", contents=["a", "b"], config=config
    )
    call: Call = parse_embeddings_request(b'{"model":"m","input":["a","b"],"dimensions":2}')
    assert oracle.sent() == orjson.loads(GeminiEmbeddings().request(call, "gemini-embedding-001"))
    assert oracle.server.path == "/v1beta" + GeminiEmbeddings().path("gemini-embedding-001")
    assert [one.values for one in read.embeddings or []] == [[1, 0], [0, 1]]
