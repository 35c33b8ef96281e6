"""Embeddings: OpenAI's wire forwarded and observed, Gemini's made into it."""

from __future__ import annotations

import math
import struct
from base64 import b64decode
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from gatewayz.errors import InvalidRequest, ProviderBadRequest, ProviderMalformedResponse, ProviderRateLimited
from gatewayz.records import Call, Usage
from gatewayz.wires.base import AnswerInfo, CallerWire, Fold
from gatewayz.wires.embeddings.gemini import GeminiEmbeddings
from gatewayz.wires.embeddings.openai import (
    EmbeddingsCaller,
    EmbeddingsWire,
    OpenAIEmbeddings,
    parse_embeddings_request,
)
from gatewayz.wires.embeddings.registry import EMBEDDINGS_WIRES
from tests.unit.wires.ways import error_body

OPENAI: EmbeddingsWire = OpenAIEmbeddings()
GEMINI: EmbeddingsWire = GeminiEmbeddings()
SHAPE = AnswerInfo(response_id="embd-1", model="gemini/gemini-embedding-001", created_s=0, stream=False)

Json = dict[str, Any]


def parse(**members: Any) -> Call:
    return parse_embeddings_request(orjson.dumps({"model": "m", "input": "x", **members}))


def refusal(body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse_embeddings_request(body)
    return caught.value


class TestReading:
    def test_what_is_asked_for(self) -> None:
        call = parse(model="text-embedding-3-small", encoding_format="base64", dimensions=8, user="u")
        assert (call.operation, call.model, call.stream) == ("embeddings", "text-embedding-3-small", False)

    @pytest.mark.parametrize("given", ["x", ["x", "y"], [1, 2], [[1], [2, 3]]])
    def test_texts_and_tokens(self, given: Any) -> None:
        assert parse(input=given).fields["input"] == orjson.dumps(given)

    @pytest.mark.parametrize(
        ("members", "param"),
        [
            ({"input": ""}, "input"),
            ({"input": []}, "input"),
            ({"input": 5}, "input"),
            ({"input": None}, "input"),
            ({"input": [{"a": 1}]}, "input[0]"),
            ({"model": ""}, "model"),
            ({"model": 5}, "model"),
            ({"dimensions": 0}, "dimensions"),
            ({"dimensions": "many"}, "dimensions"),
            ({"encoding_format": "hex"}, "encoding_format"),
            ({"user": 5}, "user"),
        ],
    )
    def test_the_member_at_fault_is_named(self, members: Json, param: str) -> None:
        error = refusal(orjson.dumps({"model": "m", "input": "x", **members}))
        assert error.param == param

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b'{"model":"m"}', b'{"model":"m","input":"x","model":"n"}', b"\xff"]
    )
    def test_what_is_no_request_is_refused(self, body: bytes) -> None:
        assert refusal(body).status == 400

    @given(body=st.binary(max_size=60))
    def test_nothing_else_is_raised(self, body: bytes) -> None:
        assert refusal(body).status == 400


def answer(call: Call, body: bytes) -> bytes:
    made = GEMINI.translation(call, SHAPE)
    assert made is not None
    return made.reply(body)


class TestOpenAI:
    def test_the_bytes_are_forwarded(self) -> None:
        call = parse_embeddings_request(b'{"input": "x",  "model": "m", "odd": 1.0}')
        assert OPENAI.request(call, "m") == call.body
        assert OPENAI.request(call, "n") == b'{"input":"x","model":"n","odd":1.0}'
        assert OPENAI.path("n") == "/embeddings"
        assert OPENAI.translation(call, SHAPE) is None

    @pytest.mark.parametrize(
        ("usage", "expected"),
        [
            ({"prompt_tokens": 5, "total_tokens": 5}, Usage(5, source="provider")),
            ({"total_tokens": 5}, Usage(5, source="provider")),
            ({"prompt_tokens": -5}, Usage(0, source="provider")),
            ({}, Usage()),
            (None, Usage()),
        ],
    )
    def test_usage(self, usage: Any, expected: Usage) -> None:
        fold: Fold = OPENAI.fold()
        fold.reply(orjson.dumps({"data": [{"embedding": [1.0]}], "model": "m-1", "usage": usage}))
        assert (fold.usage, fold.response_model, fold.complete) == (expected, "m-1", True)

    @pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"data":5}'])
    def test_what_is_no_answer_is_malformed(self, body: bytes) -> None:
        with pytest.raises(ProviderMalformedResponse):
            OPENAI.fold().reply(body)

    def test_an_error_in_a_200_is_an_error(self) -> None:
        with pytest.raises(ProviderRateLimited):
            OPENAI.fold().reply(b'{"error":{"message":"slow down","code":429}}')

    def test_a_refusal(self) -> None:
        error = OPENAI.error(400, {}, b'{"error":{"message":"No."}}', [], now_s=0.0)
        assert isinstance(error, ProviderBadRequest)


def answered(values: list[list[float]], **members: Any) -> Json:
    body = orjson.dumps({"embeddings": [{"values": one} for one in values]})
    made: Json = orjson.loads(answer(parse(input=["x"] * len(values), **members), body))
    return made


class TestGemini:
    def test_one_text_and_several(self) -> None:
        one = orjson.loads(GEMINI.request(parse(input="a"), "gemini-embedding-001"))
        assert one == {
            "requests": [
                {"model": "models/gemini-embedding-001", "content": {"role": "user", "parts": [{"text": "a"}]}}
            ]
        }
        two = orjson.loads(GEMINI.request(parse(input=["a", "b"], dimensions=8, user="u"), "models/x"))
        assert [one["content"]["parts"][0]["text"] for one in two["requests"]] == ["a", "b"]
        assert {one["outputDimensionality"] for one in two["requests"]} == {8}
        assert GEMINI.path("a/b") == "/models/a%2Fb:batchEmbedContents"

    @pytest.mark.parametrize(
        ("members", "param"),
        [
            ({"input": [1, 2]}, "input"),
            ({"input": ["a", ""]}, "input[1]"),
            ({"odd": 1}, "odd"),
            ({"input": ["a", [1]]}, "input"),
        ],
    )
    def test_what_has_no_equal_is_refused_by_name(self, members: Json, param: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            GEMINI.request(parse(**members), "m")
        assert caught.value.param == param

    def test_the_answer_in_openais_shape(self) -> None:
        made = answered([[0.25, -1.0], [0.5, 0.125]])
        CreateEmbeddingResponse.model_validate(made, strict=True)
        assert [one["index"] for one in made["data"]] == [0, 1]
        assert made["data"][1]["embedding"] == [0.5, 0.125]
        assert made["model"] == SHAPE.model
        assert made["usage"] == {"prompt_tokens": 0, "total_tokens": 0}

    def test_base64_is_little_endian_float32(self) -> None:
        encoded = answered([[0.25, -1.0]], encoding_format="base64")["data"][0]["embedding"]
        assert struct.unpack("<2f", b64decode(encoded)) == (0.25, -1.0)

    def test_a_vector_that_was_cut_off_is_stretched_to_unit_length(self) -> None:
        vector = answered([[3.0, 4.0]], dimensions=2)["data"][0]["embedding"]
        assert vector == [0.6, 0.8]
        assert answered([[0.0, 0.0]], dimensions=2)["data"][0]["embedding"] == [0.0, 0.0]
        assert answered([[3.0, 4.0]])["data"][0]["embedding"] == [3.0, 4.0]
        assert math.isclose(math.hypot(*answered([[1.0, 1e-9]], dimensions=2)["data"][0]["embedding"]), 1)

    def test_usage_is_counted_where_it_is_told(self) -> None:
        body = b'{"embeddings":[{"values":[1]}],"usageMetadata":{"promptTokenCount":7}}'
        fold: Fold = GEMINI.fold()
        fold.reply(body)
        assert (fold.usage, fold.complete) == (Usage(7, source="provider"), True)
        assert orjson.loads(answer(parse(), body))["usage"]["prompt_tokens"] == 7
        untold = GEMINI.fold()
        untold.reply(b'{"embeddings":[{"values":[1]}]}')
        assert untold.usage == Usage()

    @pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"embeddings":5}'])
    def test_what_is_no_answer_is_malformed(self, body: bytes) -> None:
        with pytest.raises(ProviderMalformedResponse):
            GEMINI.fold().reply(body)
        with pytest.raises(ProviderMalformedResponse):
            answer(parse(), body)

    def test_as_many_embeddings_as_texts_or_none(self) -> None:
        with pytest.raises(ProviderMalformedResponse, match="as many"):
            answer(parse(input=["a", "b"]), b'{"embeddings":[{"values":[1]}]}')

    def test_errors(self) -> None:
        with pytest.raises(ProviderRateLimited):
            GEMINI.fold().reply(b'{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}')
        body = (
            b'{"error":{"code":400,"message":"at most 100 requests can be in one batch","status":"INVALID_ARGUMENT"}}'
        )
        error = GEMINI.error(400, {}, body, [], now_s=0.0)
        assert isinstance(error, ProviderBadRequest)
        assert b"at most 100" in (error.body or b"")


def test_who_has_embeddings() -> None:
    assert EMBEDDINGS_WIRES["openai_chat"].name == EMBEDDINGS_WIRES["openai_responses"].name == "openai_embeddings"
    assert EMBEDDINGS_WIRES["gemini"].name == "gemini_embeddings"
    assert "anthropic_messages" not in EMBEDDINGS_WIRES


def test_the_caller_speaks_openais_wire() -> None:
    caller: CallerWire = EmbeddingsCaller()
    assert caller.parse(b'{"model":"m","input":"x"}').operation == "embeddings"
    error = InvalidRequest("No.", param="input")
    assert orjson.loads(error_body(caller.name, error))["error"]["param"] == "input"
