"""The endpoints that do not stream: embeddings, of OpenAI and of Gemini, and the count of tokens."""

from __future__ import annotations

import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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

VECTORS = [[0.5, -0.5, 0.5, 0.5], [1.0, 0.0, 0.0, 0.0]]
HELLO: Any = [{"role": "user", "content": "Hello"}]


class Theirs:
    """OpenAI, Gemini and Anthropic, each under its own path."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Json]] = []
        theirs = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body: Json = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
                theirs.taken.append((self.path, body))
                status, answer = theirs.answer(self.path, body)
                payload = orjson.dumps(answer)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str, body: Json) -> tuple[int, Json]:
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
def theirs() -> Generator[Theirs]:
    made = Theirs()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, theirs: Theirs) -> Generator[LiveGateway]:
    environment = {
        "OPENAI_BASE_URL": f"{theirs.url}/v1",
        "OPENAI_API_KEY": "sk-theirs",
        "GEMINI_BASE_URL": f"{theirs.url}/v1beta",
        "GEMINI_API_KEY": "a-key",
        "ANTHROPIC_BASE_URL": f"{theirs.url}/v1",
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
def test_embeddings(client: openai.OpenAI, theirs: Theirs, model: str, texts: str | list[str]) -> None:
    made = client.embeddings.create(model=model, input=texts, dimensions=4, encoding_format="float")
    count = 1 if isinstance(texts, str) else len(texts)
    assert [one.embedding for one in made.data] == VECTORS[:count]
    assert [one.index for one in made.data] == [*range(count)]
    path, body = theirs.taken[-1]
    if model.startswith("openai"):
        assert_fits(body, EmbeddingCreateParams)
        assert (path, body["input"], body["dimensions"]) == ("/v1/embeddings", texts, 4)
        assert made.usage.prompt_tokens == 3
    else:
        assert path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
        assert body == _as_google_asks(theirs, texts)


def _as_google_asks(theirs: Theirs, texts: str | list[str]) -> Json:
    """The same, as Google's own client says it."""
    options = types.HttpOptions(base_url=theirs.url, api_version="v1beta")
    client: Any = genai.Client(api_key="a-key", http_options=options)  # its signatures are of unknown types in part
    config = types.EmbedContentConfig(output_dimensionality=4)
    client.models.embed_content(model="gemini-embedding-001", contents=texts, config=config)
    client.close()
    return camel(theirs.taken[-1][1])


@pytest.mark.parametrize("model", ["openai/text-embedding-3-small", "gemini/gemini-embedding-001"])
def test_refused_embeddings(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.BadRequestError, match="too dull"):
        client.embeddings.create(model=model, input="refuse")


def test_count_tokens_is_forwarded_unchanged_or_estimated(live: LiveGateway, theirs: Theirs) -> None:
    tools: Any = [{"name": tool.name, "input_schema": tool.schema} for tool in TOOLS]
    with anthropic_client(live) as client:
        counted = client.messages.count_tokens(model="claude-sonnet-5", messages=HELLO, system="Be brief.", tools=tools)
        assert counted.input_tokens == 77
        path, body = theirs.taken[-1]
        assert path == "/v1/messages/count_tokens"
        assert_fits(body, MessageCountTokensParams)
        assert body == {"model": "claude-sonnet-5", "messages": HELLO, "system": "Be brief.", "tools": tools}
        # A provider of another wire counts nothing; then the gateway estimates, and says so.
        raw = client.messages.with_raw_response.count_tokens(model="openai/gpt-5", messages=HELLO)
        assert raw.headers["x-gatewayz-usage-source"] == "estimate"
        assert raw.parse().input_tokens > 0
