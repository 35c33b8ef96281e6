"""OpenAI's older completions, for callers and for providers that have the endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gatewayz.errors import GatewayError, ProviderError
from gatewayz.records import Call
from gatewayz.wires import http_terms
from gatewayz.wires.base import AnswerInfo, AnswerReader, Fold, Wire
from gatewayz.wires.http_terms import HttpTerms
from gatewayz.wires.json_values import Object, no_equal
from gatewayz.wires.openai_chat.errors import error_event
from gatewayz.wires.openai_chat.fold import ChatFold
from gatewayz.wires.openai_chat.request import chat_to_upstream
from gatewayz.wires.openai_completions.answer_from_chat import CompletionsWriter
from gatewayz.wires.openai_completions.request import parse_completions_request
from gatewayz.wires.openai_completions.request_to_chat import completions_request_to_chat, prompt_of
from gatewayz.wires.refusals.by_status import provider_error
from gatewayz.wires.sse import EventSplitter, Splitter


@dataclass(frozen=True, slots=True)
class CompletionsCaller:
    """A caller of POST /v1/completions."""

    name: Wire = "openai_completions"

    def parse(self, body: bytes) -> Call:
        return parse_completions_request(body)

    def as_chat(self, call: Call) -> Object:
        return completions_request_to_chat(call)

    def writer(self, call: Call, info: AnswerInfo) -> CompletionsWriter:
        echo = call.fields.get("echo") == b"true"
        return CompletionsWriter(info, prompt_of(orjson.loads(call.fields["prompt"])) if echo else "")

    def error_event(self, error: GatewayError) -> bytes:
        return error_event(error)


@dataclass(frozen=True, slots=True)
class CompletionsProvider:
    """A provider of ``{base_url}/completions``, used only for callers of the same wire: nothing is translated to it."""

    name: Wire = "openai_completions"
    http: HttpTerms = http_terms.OPENAI

    def path(self, model: str, stream: bool) -> str:
        return "/completions"

    def request(self, call: Call, model: str, *, usage_option: bool) -> bytes:
        return chat_to_upstream(call, model, usage_option=usage_option)

    def from_chat(self, chat: Mapping[str, Any], model: str, *, stream: bool) -> bytes:
        raise no_equal("messages", "it completes a text, and takes no conversation")

    def reader(self, info: AnswerInfo) -> AnswerReader:
        raise NotImplementedError("no chat request is ever sent as a completion")

    def fold(self) -> Fold:
        return ChatFold()

    def framing(self) -> Splitter:
        return EventSplitter()

    def error(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now_s: float
    ) -> ProviderError:
        return provider_error(status, headers, body, now_s=now_s, secrets=secrets)
