"""Calls that a provider answers on Gemini's wire, and embeddings: through the gateway, over real sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from gatewayz.attempts.context import CallContext
from gatewayz.errors import GatewayError, InvalidRequest, ProviderAuthFailed, ProviderBadRequest, ProviderRateLimited
from gatewayz.records import HttpRequest
from gatewayz.wires.embeddings.openai import EmbeddingsCaller
from tests.fakes.otlp import attributes
from tests.unit.gateway.conftest import KEY, Result, Rig, Rigs, ended
from tests.unit.wires.gemini.answers import BLOCKED, THINKING, TOOLS, answer, candidate, event, joined, text, whole
from tests.unit.wires.gemini.recorder import Recorder, recording

MODEL = "gemini/gemini-2.5-flash"


@pytest.fixture
def server() -> Iterator[Recorder]:
    with recording() as made:
        yield made


async def rig_with(rigs: Rigs, server: Recorder, keys: str = "AIza-one") -> Rig:
    return await rigs(environment={"GEMINI_BASE_URL": f"{server.url}/v1beta", "GEMINI_API_KEY": keys})


def message_of(result: Result) -> dict[str, Any]:
    return orjson.loads(result.body)["choices"][0]["message"]


def chunks_of(result: Result) -> list[dict[str, Any]]:
    *events, last = [one for one in result.body.split(b"\n\n") if one]
    assert last == b"data: [DONE]"
    return [orjson.loads(one.removeprefix(b"data: ")) for one in events]


async def test_chat_is_answered_by_gemini(rigs: Rigs, server: Recorder) -> None:
    rig = await rig_with(rigs, server)
    server.answer = whole(joined(THINKING))
    result = await rig.ask(MODEL, reasoning_effort="low")

    assert server.path == "/v1beta/models/gemini-2.5-flash:generateContent"
    assert server.headers["x-goog-api-key"] == "AIza-one"
    assert "authorization" not in server.headers
    assert server.body["contents"] == [{"role": "user", "parts": [{"text": "Hello"}]}]
    assert message_of(result)["content"] == "It is so."
    (span,) = rig.spans(result)
    told = attributes(span.attributes)
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (10, 11)
    assert told["gen_ai.usage.reasoning.output_tokens"] == 7
    assert told["gen_ai.response.model"] == "gemini-2.5-flash-001"
    assert list(told["gen_ai.response.finish_reasons"]) == ["stop"]


async def test_stream_is_translated_event_by_event(rigs: Rigs, server: Recorder) -> None:
    rig = await rig_with(rigs, server)
    server.answer = b"".join(event(one) for one in TOOLS)
    result = await rig.ask(MODEL, stream=True, stream_options={"include_usage": True})

    assert server.path == "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    chunks = chunks_of(result)
    names = [
        call["function"]["name"]
        for chunk in chunks
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls", [])
    ]
    assert names == ["weather", "time", "empty"]
    assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert chunks[-1]["usage"]["total_tokens"] == 14
    ((provider, _, error_type),) = rig.attempts(result)
    assert (provider, error_type) == ("gemini", None)


async def test_cut_stream_never_ends_well(rigs: Rigs, server: Recorder) -> None:
    rig = await rig_with(rigs, server)
    server.answer = event(answer(candidate(text("It is"))))
    result = await rig.ask(MODEL, stream=True)

    assert b"[DONE]" not in result.body
    assert b'finish_reason":"' not in result.body
    assert b"provider_stream_cut" in result.body


async def test_answer_that_the_model_failed_to_finish_falls_back(rigs: Rigs, server: Recorder) -> None:
    rig = await rig_with(rigs, server)
    server.answer = event(answer(candidate(reason="MALFORMED_FUNCTION_CALL")))
    result = await rig.ask(MODEL, models=["groq/ok"], stream=True)

    assert result.provider == "groq"
    assert rig.attempts(result)[0][::2] == ("gemini", "provider_malformed_response")


async def test_blocked_prompt_is_an_answer(rigs: Rigs, server: Recorder) -> None:
    rig = await rig_with(rigs, server)
    server.answer = whole(BLOCKED[0])
    result = await rig.ask(MODEL)

    assert orjson.loads(result.body)["choices"][0]["finish_reason"] == "content_filter"
    assert message_of(result)["refusal"]


async def test_rejection_comes_in_openai_format(rigs: Rigs, server: Recorder) -> None:
    rig = await rig_with(rigs, server)
    server.status = 400
    server.answer = b'[{"error":{"code":400,"message":"Too long.","status":"INVALID_ARGUMENT"}}]'
    error = (await rig.ask(MODEL, stream=True)).refused

    assert isinstance(error, ProviderBadRequest)
    assert orjson.loads(error.body or b"")["error"]["message"] == "Too long."


async def test_bad_provider_key_is_no_caller_error(rigs: Rigs, server: Recorder) -> None:
    rig = await rig_with(rigs, server)
    server.status = 400
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    status = {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": details}
    server.answer = orjson.dumps({"error": status})
    error = (await rig.ask(MODEL)).refused

    assert isinstance(error, ProviderAuthFailed)
    assert error.status == 502


async def test_rate_limit_has_retry_after(rigs: Rigs, server: Recorder) -> None:
    rig = await rig_with(rigs, server)
    server.status = 429
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]
    server.answer = orjson.dumps({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": details}})
    error = (await rig.ask(MODEL)).refused

    assert isinstance(error, ProviderRateLimited)
    assert error.retry_after_s is not None
    assert 30 <= error.retry_after_s <= 34


async def test_member_without_an_equal_is_rejected_before_any_attempt(rigs: Rigs, server: Recorder) -> None:
    rig = await rig_with(rigs, server)
    error = (await rig.ask(MODEL, logit_bias={"1": 5})).refused

    assert isinstance(error, InvalidRequest)
    assert error.param == "logit_bias"
    assert not server.path


async def embed(rig: Rig, **members: Any) -> Result:
    """One request for embeddings, as the data plane would make it."""
    route = "/v1/embeddings"
    request = rig.telemetry.start_request(
        HttpRequest("POST", route, route, "http", "1.1", (), "req-embed", time.time_ns(), key=KEY)
    )
    result = Result("req-embed")
    context = CallContext("req-embed", KEY, (), request)
    caller = EmbeddingsCaller()
    try:
        call = caller.parse(orjson.dumps(members))
        result.answer = await rig.gateway.answer(call, caller, context)
        result.body = result.answer.body or b""
    except GatewayError as error:
        result.error = error
    request.end(ended(context, 200, None))
    return result


class TestEmbeddings:
    async def test_gemini_makes_embeddings(self, rigs: Rigs, server: Recorder) -> None:
        rig = await rig_with(rigs, server)
        server.answer = b'{"embeddings":[{"values":[3,4]}],"usageMetadata":{"promptTokenCount":2}}'
        result = await embed(rig, model="gemini/gemini-embedding-001", input="Hello", dimensions=2)

        assert server.path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
        assert orjson.loads(result.body)["data"] == [{"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}]
        (span,) = rig.spans(result)
        told = attributes(span.attributes)
        assert span.name.startswith("embeddings")
        assert (told["gen_ai.operation.name"], told["gen_ai.usage.input_tokens"]) == ("embeddings", 2)

    async def test_openai_provider_makes_embeddings(self, rigs: Rigs, server: Recorder) -> None:
        rig = await rigs(environment={"MISTRAL_BASE_URL": f"{server.url}/v1", "MISTRAL_API_KEY": "sk-mistral"})
        server.answer = b'{"object":"list", "data":[{"embedding":"AAAA"}],"usage":{"prompt_tokens":2,"total_tokens":2}}'
        result = await embed(rig, model="mistral/mistral-embed", input=["a", "b"], encoding_format="base64")

        assert server.path == "/v1/embeddings"
        assert server.body == {"model": "mistral-embed", "input": ["a", "b"], "encoding_format": "base64"}
        assert result.body == server.answer

    async def test_provider_without_embeddings_is_rejected(self, rigs: Rigs, server: Recorder) -> None:
        rig = await rigs(environment={"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "sk-ant"})
        error = (await embed(rig, model="anthropic/claude-sonnet-4-5", input="a")).refused

        assert isinstance(error, InvalidRequest)
        assert error.param == "model"
