"""OpenAI's Responses API as a wire, on both sides. Pure: no I/O, no clock.

Between two sides that speak it, everything passes, hosted tools and stored responses included. Towards any other provider it goes
through chat, and what needs state there is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import orjson
from msgspec import Meta, Struct

from gatewayz.errors import GatewayError, ProviderError
from gatewayz.records import Call, Operation, RequestParameters
from gatewayz.wires.base import AnswerInfo, Fold, Wire
from gatewayz.wires.body import MAX_MODEL_CHARACTERS, Count, join_members, read_body
from gatewayz.wires.openai_chat.request import error_body
from gatewayz.wires.openai_responses.answer_from_chat import ResponsesWriter
from gatewayz.wires.openai_responses.answer_to_chat import ResponsesReader
from gatewayz.wires.openai_responses.fold import ResponsesFold
from gatewayz.wires.openai_responses.request_from_chat import chat_request_to_responses
from gatewayz.wires.openai_responses.request_to_chat import responses_request_to_chat
from gatewayz.wires.refusals.by_status import provider_error
from gatewayz.wires.sse import EventSplitter, Splitter


class _Item(Struct):
    type: str | None = None


class _Request(Struct):
    model: Annotated[str, Meta(min_length=1, max_length=MAX_MODEL_CHARACTERS)]
    input: str | list[_Item] | None = None
    stream: bool | None = None
    max_output_tokens: Count | None = None
    temperature: float | None = None
    top_p: float | None = None


_PEEK = msgspec.json.Decoder(_Request)


def parse_responses_request(body: bytes) -> Call:
    """What the caller asks for. Raises InvalidRequest, which names the member at fault."""
    request, fields = read_body(body, _PEEK)
    return Call(
        operation="chat",
        model=request.model,
        stream=bool(request.stream),
        fields=fields,
        body=body,
        include_usage=True,  # it is part of the last event, not an event of its own
        parameters=RequestParameters(
            max_tokens=request.max_output_tokens, temperature=request.temperature, top_p=request.top_p
        ),
    )


@dataclass(frozen=True, slots=True)
class ResponsesCaller:
    """A caller of POST /v1/responses."""

    name: Wire = "openai_responses"
    operation: Operation = "chat"

    def parse(self, body: bytes) -> Call:
        return parse_responses_request(body)

    def as_chat(self, call: Call) -> dict[str, Any]:
        return responses_request_to_chat(orjson.loads(call.body))

    def writer(self, call: Call, info: AnswerInfo) -> ResponsesWriter:
        return ResponsesWriter(call, info)

    def error_body(self, error: GatewayError) -> bytes:
        return error_body(error)

    def error_event(self, error: GatewayError, sequence_number: int = 0) -> bytes:
        """The stream's ``error`` event. It holds the error twice: flat, as the reference has it, and as the member by which the
        SDKs know that they have to raise."""
        told = orjson.loads(error_body(error))["error"]
        said = {"type": "error", "sequence_number": sequence_number, "error": told}
        for name in ("code", "message", "param"):
            said[name] = told.get(name)
        return b"event: error\ndata: " + orjson.dumps(said) + b"\n\n"


@dataclass(frozen=True, slots=True)
class ResponsesProvider:
    """A provider of ``{base_url}/responses``."""

    name: Wire = "openai_responses"

    def path(self, model: str, stream: bool) -> str:
        return "/responses"

    def request(self, call: Call, model: str, *, usage_option: bool) -> bytes:
        """The caller's very bytes, under the provider's name of the model. Usage need not be asked for."""
        if model == call.model:
            return call.body
        return join_members({**call.fields, "model": orjson.dumps(model)})

    def from_chat(self, chat: Mapping[str, Any], model: str, *, stream: bool) -> bytes:
        return orjson.dumps(chat_request_to_responses(chat, model, stream=stream))

    def reader(self, info: AnswerInfo) -> ResponsesReader:
        return ResponsesReader()

    def fold(self) -> Fold:
        return ResponsesFold()

    def framing(self) -> Splitter:
        return EventSplitter()

    def error(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now_s: float
    ) -> ProviderError:
        return provider_error(status, headers, body, now_s=now_s, secrets=secrets)
