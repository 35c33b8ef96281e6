"""Anthropic's Messages API as a wire, for callers and for providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gatewayz.errors import GatewayError, InvalidRequest, ProviderAuthFailed, ProviderError
from gatewayz.records import Call
from gatewayz.wires.anthropic_messages.answer_from_chat import MessagesWriter
from gatewayz.wires.anthropic_messages.answer_to_chat import MessagesReader
from gatewayz.wires.anthropic_messages.errors import error_event
from gatewayz.wires.anthropic_messages.fold import MessagesFold
from gatewayz.wires.anthropic_messages.request import messages_to_upstream, parse_messages_request
from gatewayz.wires.anthropic_messages.request_from_chat import chat_request_to_messages
from gatewayz.wires.anthropic_messages.request_to_chat import messages_request_to_chat
from gatewayz.wires.base import AnswerInfo, Fold, Wire
from gatewayz.wires.http_terms import HttpTerms
from gatewayz.wires.refusals.by_status import provider_error
from gatewayz.wires.sse import EventSplitter, Splitter

HTTP = HttpTerms(
    # A strict server refuses every request without a version.
    headers=(("anthropic-version", "2023-06-01"),),
    # Without the betas it refuses body members that belong to one.
    forwarded=frozenset({b"anthropic-beta", b"anthropic-version"}),
    models_path="/models?limit=1000",
)
"""HTTP terms of all endpoints of this API."""

_TOO_DEEP = "The body is nested too deeply."


@dataclass(frozen=True, slots=True)
class MessagesCaller:
    """A caller of POST /v1/messages."""

    name: Wire = "anthropic_messages"

    def parse(self, body: bytes) -> Call:
        return parse_messages_request(body)

    def as_chat(self, call: Call) -> dict[str, Any]:
        try:
            return messages_request_to_chat(orjson.loads(call.body))
        except RecursionError:
            raise InvalidRequest(_TOO_DEEP, code="invalid_json") from None

    def writer(self, call: Call, info: AnswerInfo) -> MessagesWriter:
        return MessagesWriter(call, info)

    def error_event(self, error: GatewayError) -> bytes:
        return error_event(error)


@dataclass(frozen=True, slots=True)
class MessagesProvider:
    """A provider of ``{base_url}/messages``."""

    name: Wire = "anthropic_messages"
    http: HttpTerms = HTTP

    def path(self, model: str, stream: bool) -> str:
        return "/messages"

    def request(self, call: Call, model: str, *, usage_option: bool) -> bytes:
        return messages_to_upstream(call, model)

    def from_chat(self, chat: Mapping[str, Any], model: str, *, stream: bool) -> bytes:
        try:
            return orjson.dumps(chat_request_to_messages(chat, model, stream=stream))
        except (RecursionError, orjson.JSONEncodeError):
            raise InvalidRequest(_TOO_DEEP, code="invalid_json") from None

    def reader(self, info: AnswerInfo) -> MessagesReader:
        return MessagesReader()

    def fold(self) -> Fold:
        return MessagesFold()

    def framing(self) -> Splitter:
        return EventSplitter()

    def error(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now_s: float
    ) -> ProviderError:
        if status == 400 and b"credit balance is too low" in body:
            # Anthropic calls it invalid_request_error, but the fault is with our account, not with the request.
            return ProviderAuthFailed("The gateway's account with the provider is out of credit.", upstream_status=400)
        return provider_error(status, headers, body, now_s=now_s, secrets=secrets)
