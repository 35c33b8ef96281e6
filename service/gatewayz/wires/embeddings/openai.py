"""OpenAI's embeddings: what a request asks for, its form for the provider, and the outcome of the answer.

Embeddings have a hub of their own: this wire. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

import msgspec
import orjson
from msgspec import Meta, Raw, Struct

from gatewayz.errors import GatewayError, InvalidRequest, ProviderError, ProviderMalformedResponse
from gatewayz.records import Call, Usage
from gatewayz.wires import http_terms
from gatewayz.wires.base import AnswerInfo, AnswerWriter, Translation, Wire
from gatewayz.wires.body import MAX_MODEL_CHARACTERS, join_members, read_body
from gatewayz.wires.fold import UNREADABLE, Fold, token_count
from gatewayz.wires.http_terms import HttpTerms
from gatewayz.wires.openai_chat.errors import error_event
from gatewayz.wires.refusals.by_status import provider_error
from gatewayz.wires.refusals.in_band import error_in_band

EmbeddingsWireName = Literal["openai_embeddings", "gemini_embeddings"]


class EmbeddingsWire(Protocol):
    """The provider's side of an embeddings wire."""

    @property
    def name(self) -> EmbeddingsWireName: ...

    @property
    def http(self) -> HttpTerms: ...

    def path(self, model: str) -> str:
        """What to append to the provider's base address."""
        ...

    def request(self, call: Call, model: str) -> bytes:
        """The body. Raises InvalidRequest naming the member that has no equal here."""
        ...

    def translation(self, call: Call, info: AnswerInfo) -> Translation | None:
        """Translates this wire's answer into OpenAI's; None where they are the same. Only ``reply`` is ever called, for
        embeddings do not stream."""
        ...

    def fold(self) -> Fold: ...

    def error(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now_s: float
    ) -> ProviderError: ...


class EmbeddingsRequest(Struct):
    """The known members; the others pass through to a provider of this wire."""

    model: Annotated[str, Meta(min_length=1, max_length=MAX_MODEL_CHARACTERS)]
    input: str | list[str | int | list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=2**31)] | None = None
    user: str | None = None


_PEEK = msgspec.json.Decoder(EmbeddingsRequest)


def parse_embeddings_request(body: bytes) -> Call:
    """What the caller asks for. Raises InvalidRequest naming the member at fault."""
    request, fields = read_body(body, _PEEK)
    if not request.input:
        raise InvalidRequest("Invalid value for 'input': it is empty.", code="invalid_value", param="input")
    return Call(
        operation="embeddings",
        model=request.model,
        stream=False,
        fields=fields,
        body=body,
    )


def read_embeddings_request(call: Call) -> EmbeddingsRequest:
    """The known members of a parsed call."""
    return _PEEK.decode(call.body)


class EmbeddingsCaller:
    """A caller of POST /v1/embeddings. Its errors have the format of chat's."""

    __slots__ = ()

    name: Wire = "openai_chat"

    def parse(self, body: bytes) -> Call:
        return parse_embeddings_request(body)

    def as_chat(self, call: Call) -> dict[str, Any]:
        raise InvalidRequest("Embeddings cannot be asked for in a chat.", code="unsupported_endpoint")

    def writer(self, call: Call, info: AnswerInfo) -> AnswerWriter:
        raise InvalidRequest("A chat's answer is no embedding.", code="unsupported_endpoint")

    def error_event(self, error: GatewayError) -> bytes:
        return error_event(error)


class OpenAIEmbeddings:
    """A provider of this wire: bytes are forwarded, and only the model's name is replaced."""

    __slots__ = ()

    name: EmbeddingsWireName = "openai_embeddings"
    http: HttpTerms = http_terms.OPENAI

    def path(self, model: str) -> str:
        return "/embeddings"

    def request(self, call: Call, model: str) -> bytes:
        if model == call.model:
            return call.body
        return join_members({**call.fields, "model": orjson.dumps(model)})

    def translation(self, call: Call, info: AnswerInfo) -> None:
        return None

    def fold(self) -> EmbeddingsFold:
        return EmbeddingsFold()

    def error(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now_s: float
    ) -> ProviderError:
        return provider_error(status, headers, body, now_s=now_s, secrets=secrets)


class _Usage(Struct):
    prompt_tokens: int | None = None
    total_tokens: int | None = None


class _Reply(Struct):
    data: list[Raw] | None = None
    model: str | None = None
    id: str | None = None
    usage: _Usage | None = None
    error: Raw = Raw()


_REPLY = msgspec.json.Decoder(_Reply)
_NO_ERROR = (b"", b"null", b'""', b"{}")


class EmbeddingsFold(Fold):
    """Observes an answer of OpenAI's wire."""

    __slots__ = ()

    def reply(self, body: bytes) -> None:
        """Raises ProviderMalformedResponse when it is not an answer, ProviderError when it is an error under status 200."""
        try:
            reply = _REPLY.decode(body)
        except UNREADABLE:
            raise ProviderMalformedResponse("The provider's answer is not the JSON it should be.") from None
        if (error := bytes(reply.error)) not in _NO_ERROR:
            raise error_in_band(error)
        if reply.data is None:
            raise ProviderMalformedResponse("The provider's answer has no embeddings.")
        self.response_id = reply.id
        self.response_model = reply.model
        if reply.usage is not None and (tokens := _tokens(reply.usage)) is not None:
            self.usage = Usage(input_tokens=token_count(tokens), source="provider")
        self.done = True


def _tokens(usage: _Usage) -> int | None:
    """Tokens of input. An embedding has no output, and some providers report only one of the two numbers."""
    return usage.total_tokens if usage.prompt_tokens is None else usage.prompt_tokens
