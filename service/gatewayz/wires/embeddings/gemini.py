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
from gatewayz.wires.base import AnswerInfo
from gatewayz.wires.embeddings.openai import (
    EmbeddingsRequest,
    EmbeddingsWireName,
    read_embeddings_request,
)
from gatewayz.wires.fold import UNREADABLE, EventKind, Fold
from gatewayz.wires.gemini.answer import UsageMetadata, usage_of
from gatewayz.wires.gemini.errors import gemini_error, gemini_error_in_band
from gatewayz.wires.gemini.wire import model_name, model_path
from gatewayz.wires.http_terms import HttpTerms

_UNDERSTOOD = frozenset(EmbeddingsRequest.__struct_fields__)
_UNIT_LENGTH_TOLERANCE = 1e-3  # float32 rounding stays far below it, a truncated vector far above


class GeminiEmbeddings:
    """Always uses the batch method, as Google's own client does: one path for one text and for many."""

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

    def translation(self, call: Call, info: AnswerInfo) -> GeminiToEmbeddings:
        return GeminiToEmbeddings(read_embeddings_request(call), info.model)

    def fold(self) -> GeminiEmbeddingsFold:
        return GeminiEmbeddingsFold()

    def error(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now_s: float
    ) -> ProviderError:
        return gemini_error(status, headers, body, secrets, now_s=now_s)


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
    embeddings: list[_Embedding] | None = None
    usage_metadata: UsageMetadata | None = None
    error: Raw = Raw()


_ANSWER = msgspec.json.Decoder(_Answer)


class GeminiEmbeddingsFold(Fold):
    """Observes an answer of Gemini's. No caller speaks this wire, so every answer is also translated, from what is read
    here."""

    __slots__ = ("vectors",)

    def __init__(self) -> None:
        super().__init__()
        self.vectors: list[list[float]] = []

    def reply(self, body: bytes) -> None:
        """Raises ProviderMalformedResponse when it is not an answer, ProviderError when it is an error under status 200."""
        try:
            answer = _ANSWER.decode(body)
        except UNREADABLE:
            raise ProviderMalformedResponse("The provider's answer is not the JSON it should be.") from None
        if (error := bytes(answer.error)) not in (b"", b"null", b"{}"):
            raise gemini_error_in_band(error)
        if answer.embeddings is None:
            raise ProviderMalformedResponse("The provider's answer has no embeddings.")
        if answer.usage_metadata is not None:
            self.usage = Usage(input_tokens=usage_of(answer.usage_metadata).input_tokens, source="provider")
        self.vectors = [embedding.values for embedding in answer.embeddings]
        self.done = True


class GeminiToEmbeddings:
    """One answer in OpenAI's format. It does not stream."""

    __slots__ = ("_asked", "_model", "fold")

    def __init__(self, asked: EmbeddingsRequest, model: str) -> None:
        self.fold = GeminiEmbeddingsFold()
        self._asked = asked
        self._model = model

    def reply(self, body: bytes) -> bytes:
        self.fold.reply(body)
        vectors = self.fold.vectors
        if len(vectors) != len(_texts(self._asked)):
            raise ProviderMalformedResponse("The provider's answer has not as many embeddings as there were texts.")
        tokens = self.fold.usage.input_tokens
        return orjson.dumps(
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": index, "embedding": self._embedding(values)}
                    for index, values in enumerate(vectors)
                ],
                "model": self._model,
                # OpenAI's clients require the member. Where Gemini does not count, no number is invented.
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )

    def take(self, event: bytes) -> tuple[EventKind, bytes]:
        return "other", b""

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
    """The vector scaled to length 1. OpenAI's embeddings have length 1 for every ``dimensions``, and callers compare them by
    dot product. Gemini truncates the vector and does not rescale it."""
    length = math.sqrt(math.fsum([value * value for value in values]))
    if not length or abs(length - 1) < _UNIT_LENGTH_TOLERANCE:
        return values
    return [value / length for value in values]
