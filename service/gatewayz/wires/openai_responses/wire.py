"""OpenAI's Responses API as a wire, for callers and for providers. Pure: no I/O, no clock.

Where both sides speak it, everything passes, including hosted tools and stored responses. A request to any other provider is
translated through chat, and members that need stored state are refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gatewayz.errors import GatewayError, ProviderError
from gatewayz.records import Call
from gatewayz.wires import http_terms
from gatewayz.wires.base import AnswerInfo, Fold, Wire
from gatewayz.wires.http_terms import HttpTerms
from gatewayz.wires.openai_responses.answer_from_chat import ResponsesWriter
from gatewayz.wires.openai_responses.answer_to_chat import ResponsesReader
from gatewayz.wires.openai_responses.errors import error_event
from gatewayz.wires.openai_responses.fold import ResponsesFold
from gatewayz.wires.openai_responses.request import parse_responses_request, responses_to_upstream
from gatewayz.wires.openai_responses.request_from_chat import chat_request_to_responses
from gatewayz.wires.openai_responses.request_to_chat import responses_request_to_chat
from gatewayz.wires.refusals.by_status import provider_error
from gatewayz.wires.sse import EventSplitter, Splitter


@dataclass(frozen=True, slots=True)
class ResponsesCaller:
    """A caller of POST /v1/responses."""

    name: Wire = "openai_responses"

    def parse(self, body: bytes) -> Call:
        return parse_responses_request(body)

    def as_chat(self, call: Call) -> dict[str, Any]:
        return responses_request_to_chat(orjson.loads(call.body))

    def writer(self, call: Call, info: AnswerInfo) -> ResponsesWriter:
        return ResponsesWriter(call, info)

    def error_event(self, error: GatewayError, sequence_number: int = 0) -> bytes:
        return error_event(error, sequence_number)


@dataclass(frozen=True, slots=True)
class ResponsesProvider:
    """A provider of ``{base_url}/responses``."""

    name: Wire = "openai_responses"
    http: HttpTerms = http_terms.OPENAI

    def path(self, model: str, stream: bool) -> str:
        return "/responses"

    def request(self, call: Call, model: str, *, usage_option: bool) -> bytes:
        return responses_to_upstream(call, model)

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
