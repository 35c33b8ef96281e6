"""The endpoints that do not stream: embeddings, of OpenAI and of Gemini, and the count of tokens."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import openai
import orjson
import pytest
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from google import genai
from google.genai import types
from openai.types.embedding_create_params import EmbeddingCreateParams

from tests.contract.matrix.gemini_vendor import camel
from tests.contract.matrix.scenario import TOOLS, Json
from tests.contract.matrix.typed import assert_fits
from tests.fakes.clients import anthropic_client, openai_client
from tests.fakes.gateway import LiveGateway, running_gateway
from tests.fakes.provider.exchange import Script, whole
from tests.fakes.provider.server import FakeLLM, Received

VECTORS = [[0.5, -0.5, 0.5, 0.5], [1.0, 0.0, 0.0, 0.0]]
HELLO: Any = [{"role": "user", "content": "Hello"}]


def script(received: Received, _: str) -> Script:
    """OpenAI, Gemini and Anthropic, each under its own path."""
    status, body = answer(received.path, received.json)
    return whole(orjson.dumps(body), status)


def answer(path: str, body: Json) -> tuple[int, Json]:
    if path.endswith("/count_tokens"):
        return 200, {"input_tokens": 77}
    if path.endswith(":batchEmbedContents"):
        if body["requests"][0]["content"]["parts"][0]["text"] == "refuse":
            return 400, {"error": {"code": 400, "message": "too dull", "status": "INVALID_ARGUMENT"}}
        return 200, {"embeddings": [{"values": vector} for vector in VECTORS[: len(body["requests"])]]}
    if body["input"] == "refuse":
        error = {"message": "too dull", "type": "invalid_request_error", "param": "input", "code": None}
        return 400, {"error": error}
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    embeddings = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(VECTORS[: len(texts)])
    ]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return 200, {"object": "list", "data": embeddings, "model": body["model"], "usage": usage}


@pytest.fixture(scope="module")
def theirs() -> Generator[FakeLLM]:
    with FakeLLM.in_thread(scripts=script) as fake:
        yield fake


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, theirs: FakeLLM) -> Generator[LiveGateway]:
    environment = {
        "OPENAI_BASE_URL": f"{theirs.address}/v1",
        "OPENAI_API_KEY": "sk-theirs",
        "GEMINI_BASE_URL": f"{theirs.address}/v1beta",
        "GEMINI_API_KEY": "a-key",
        "ANTHROPIC_BASE_URL": f"{theirs.address}/v1",
        "ANTHROPIC_API_KEY": "sk-ant-theirs",
    }
    directory: Path = tmp_path_factory.mktemp("one-answer")
    with running_gateway(directory, environment) as one:
        yield one


@pytest.fixture
def client(live: LiveGateway) -> Generator[openai.OpenAI]:
    with openai_client(live) as one:
        yield one


@pytest.mark.parametrize("model", ["openai/text-embedding-3-small", "gemini/gemini-embedding-001"])
@pytest.mark.parametrize("texts", ["a", ["a", "b"]])
def test_embeddings(client: openai.OpenAI, theirs: FakeLLM, model: str, texts: str | list[str]) -> None:
    made = client.embeddings.create(model=model, input=texts, dimensions=4, encoding_format="float")
    count = 1 if isinstance(texts, str) else len(texts)
    assert [one.embedding for one in made.data] == VECTORS[:count]
    assert [one.index for one in made.data] == [*range(count)]
    path, body = theirs.last.path, theirs.last.json
    if model.startswith("openai"):
        assert_fits(body, EmbeddingCreateParams)
        assert (path, body["input"], body["dimensions"]) == ("/v1/embeddings", texts, 4)
        assert made.usage.prompt_tokens == 3
    else:
        assert path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
        assert body == _as_google_asks(theirs, texts)


def _as_google_asks(theirs: FakeLLM, texts: str | list[str]) -> Json:
    """The same, as Google's own client says it."""
    options = types.HttpOptions(base_url=theirs.address, api_version="v1beta")
    client: Any = genai.Client(api_key="a-key", http_options=options)  # its signatures are of unknown types in part
    config = types.EmbedContentConfig(output_dimensionality=4)
    client.models.embed_content(model="gemini-embedding-001", contents=texts, config=config)
    client.close()
    return camel(theirs.last.json)


@pytest.mark.parametrize("model", ["openai/text-embedding-3-small", "gemini/gemini-embedding-001"])
def test_refused_embeddings(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.BadRequestError, match="too dull"):
        client.embeddings.create(model=model, input="refuse")


def test_count_tokens_is_forwarded_unchanged_or_estimated(live: LiveGateway, theirs: FakeLLM) -> None:
    tools: Any = [{"name": tool.name, "input_schema": tool.schema} for tool in TOOLS]
    with anthropic_client(live) as client:
        counted = client.messages.count_tokens(model="claude-sonnet-5", messages=HELLO, system="Be brief.", tools=tools)
        assert counted.input_tokens == 77
        path, body = theirs.last.path, theirs.last.json
        assert path == "/v1/messages/count_tokens"
        assert_fits(body, MessageCountTokensParams)
        assert body == {"model": "claude-sonnet-5", "messages": HELLO, "system": "Be brief.", "tools": tools}
        # A provider of another wire counts nothing; then the gateway estimates, and says so.
        raw = client.messages.with_raw_response.count_tokens(model="openai/gpt-5", messages=HELLO)
        assert raw.headers["x-gatewayz-usage-source"] == "estimate"
        assert raw.parse().input_tokens > 0
