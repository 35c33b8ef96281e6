"""Embeddings by Gemini's batchEmbedContents."""

from __future__ import annotations

import math
import sys
from array import array
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson
from msgspec import Raw, Struct

from gatewayz.errors import InvalidRequest, ProviderError, ProviderMalformedResponse
from gatewayz.records import Call, Usage
from gatewayz.wires.base import Shape
from gatewayz.wires.embeddings.openai import (
    EmbeddingsRequest,
    EmbeddingsWireName,
    read_embeddings_request,
)
from gatewayz.wires.fold import UNREADABLE, Fold
from gatewayz.wires.gemini.answer import UsageMetadata, usage_of
from gatewayz.wires.gemini.errors import gemini_error, gemini_error_in_band
from gatewayz.wires.gemini.wire import model_name, model_path
from gatewayz.wires.http_terms import HttpTerms

_UNDERSTOOD = frozenset(EmbeddingsRequest.__struct_fields__)
_UNIT_LENGTH_TOLERANCE = 1e-3  # float32 rounding stays far below, a vector that was cut off is far above


class GeminiEmbeddings:
    """Always the batch method, as Google's own client: one path for one text and for many."""

    __slots__ = ()

    name: EmbeddingsWireName = "gemini_embeddings"
    http: HttpTerms = HttpTerms()

    def path(self, model: str) -> str:
        return f"/{model_path(model)}:batchEmbedContents"

    def request(self, call: Call, model: str) -> bytes:
        for name, value in call.fields.items():
            if name not in _UNDERSTOOD and value != b"null":
                raise _unsupported(name, "it has no equal there")
        asked = read_embeddings_request(call)
        name = model_name(model)
        requests: list[dict[str, Any]] = []
        for index, text in enumerate(_texts(asked)):
            if not text:
                raise InvalidRequest(
                    "Invalid value for 'input': it holds an empty text.", code="invalid_value", param=f"input[{index}]"
                )
            request: dict[str, Any] = {"model": name, "content": {"role": "user", "parts": [{"text": text}]}}
            if asked.dimensions is not None:
                request["outputDimensionality"] = asked.dimensions
            requests.append(request)
        return orjson.dumps({"requests": requests})

    def answer(self, call: Call, shape: Shape) -> GeminiToEmbeddings:
        return GeminiToEmbeddings(read_embeddings_request(call), shape.model)

    def fold(self) -> GeminiEmbeddingsFold:
        return GeminiEmbeddingsFold()

    def error(self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> ProviderError:
        return gemini_error(status, headers, body, secrets)


def _texts(asked: EmbeddingsRequest) -> list[str]:
    if isinstance(asked.input, str):
        return [asked.input]
    texts = [text for text in asked.input if isinstance(text, str)]
    if len(texts) != len(asked.input):
        raise _unsupported(
            "input", "it takes texts, not tokens (LangChain sends tokens unless check_embedding_ctx_length=False)"
        )
    return texts


def _unsupported(param: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"'{param}' cannot be sent to this model's provider: {why}.", code="unsupported_parameter", param=param
    )


class _Embedding(Struct):
    values: list[float]


class _Answer(Struct, rename="camel"):
    embeddings: list[_Embedding]
    usage_metadata: UsageMetadata | None = None


class _Observed(Struct, rename="camel"):
    embeddings: list[Raw] | None = None
    usage_metadata: UsageMetadata | None = None
    error: Raw = Raw()


_ANSWER = msgspec.json.Decoder(_Answer)
_OBSERVED = msgspec.json.Decoder(_Observed)


class GeminiToEmbeddings:
    """One answer in OpenAI's shape."""

    __slots__ = ("_asked", "_model")

    def __init__(self, asked: EmbeddingsRequest, model: str) -> None:
        self._asked = asked
        self._model = model

    def reply(self, body: bytes) -> bytes:
        try:
            answer = _ANSWER.decode(body)
        except UNREADABLE:
            raise ProviderMalformedResponse("The provider's answer is not the JSON it should be.") from None
        if len(answer.embeddings) != len(_texts(self._asked)):
            raise ProviderMalformedResponse("The provider's answer has not as many embeddings as there were texts.")
        tokens = usage_of(answer.usage_metadata).input_tokens if answer.usage_metadata is not None else 0
        return orjson.dumps(
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": index, "embedding": self._embedding(one.values)}
                    for index, one in enumerate(answer.embeddings)
                ],
                "model": self._model,
                # OpenAI's clients want the member; where Gemini does not count, nothing is made up for it.
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )

    def event(self, event: bytes) -> bytes:
        return event

    def end(self) -> bytes:
        return b""

    def _embedding(self, values: list[float]) -> list[float] | str:
        if self._asked.dimensions is not None:
            values = _of_unit_length(values)
        if self._asked.encoding_format != "base64":
            return values
        packed = array("f", values)
        if sys.byteorder == "big":
            packed.byteswap()
        return b64encode(packed).decode()


def _of_unit_length(values: list[float]) -> list[float]:
    """OpenAI's embeddings have length 1 whatever ``dimensions`` is, and callers compare them by their dot product; Gemini cuts
    the vector off and leaves it to the caller to stretch the rest."""
    length = math.sqrt(math.fsum([value * value for value in values]))
    if not length or abs(length - 1) < _UNIT_LENGTH_TOLERANCE:
        return values
    return [value / length for value in values]


class GeminiEmbeddingsFold(Fold):
    """Observes an answer of Gemini's."""

    __slots__ = ()

    def reply(self, body: bytes) -> None:
        """Raises ProviderMalformedResponse when it is not an answer, ProviderError when it is an error under status 200."""
        try:
            answer = _OBSERVED.decode(body)
        except UNREADABLE:
            raise ProviderMalformedResponse("The provider's answer is not the JSON it should be.") from None
        if (error := bytes(answer.error)) not in (b"", b"null", b"{}"):
            raise gemini_error_in_band(error)
        if answer.embeddings is None:
            raise ProviderMalformedResponse("The provider's answer has no embeddings.")
        if answer.usage_metadata is not None:
            self.usage = Usage(input_tokens=usage_of(answer.usage_metadata).input_tokens, source="provider")
        self.done = True
