"""OpenAI's chat completions as a wire. It is the hub, so nothing is translated on either side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gatewayz.errors import GatewayError, ProviderError
from gatewayz.records import Call
from gatewayz.wires import http_terms
from gatewayz.wires.base import AnswerInfo, Fold, Wire
from gatewayz.wires.dialect import ReasoningBack
from gatewayz.wires.http_terms import HttpTerms
from gatewayz.wires.openai_chat.answer_from_chat import ChatWriter
from gatewayz.wires.openai_chat.answer_to_chat import ChatReader
from gatewayz.wires.openai_chat.errors import error_event
from gatewayz.wires.openai_chat.fold import ChatFold
from gatewayz.wires.openai_chat.request import chat_to_upstream, parse_chat_request
from gatewayz.wires.openai_chat.request_from_chat import LimitMember, chat_request_to_provider
from gatewayz.wires.refusals.by_status import provider_error
from gatewayz.wires.sse import EventSplitter, Splitter


@dataclass(frozen=True, slots=True)
class ChatCaller:
    """A caller of POST /v1/chat/completions."""

    name: Wire = "openai_chat"

    def parse(self, body: bytes) -> Call:
        return parse_chat_request(body)

    def as_chat(self, call: Call) -> dict[str, Any]:
        request: dict[str, Any] = orjson.loads(call.body)
        return request

    def writer(self, call: Call, info: AnswerInfo) -> ChatWriter:
        return ChatWriter(info)

    def error_event(self, error: GatewayError) -> bytes:
        return error_event(error)


@dataclass(frozen=True, slots=True)
class ChatProvider:
    """A provider of ``{base_url}/chat/completions``."""

    limit_member: LimitMember = "max_completion_tokens"
    """The member by which this provider takes the output limit of a call that came on another wire. Many know only the older
    one and ignore the newer one."""
    usage_option: bool = True
    """Supports ``stream_options.include_usage``; for calls that came on another wire."""
    reasoning_back: ReasoningBack | None = None
    """How the provider takes an earlier turn's reasoning back: as text (``reasoning_content``), or with signatures and
    encrypted content (``reasoning_details`` and ``extra_content``). Strict providers refuse unknown members."""
    name: Wire = "openai_chat"
    http: HttpTerms = http_terms.OPENAI

    def path(self, model: str, stream: bool) -> str:
        return "/chat/completions"

    def request(self, call: Call, model: str, *, usage_option: bool) -> bytes:
        return chat_to_upstream(call, model, usage_option=usage_option)

    def from_chat(self, chat: Mapping[str, Any], model: str, *, stream: bool) -> bytes:
        return orjson.dumps(
            chat_request_to_provider(
                chat,
                model,
                stream=stream,
                limit_member=self.limit_member,
                usage_option=self.usage_option,
                reasoning_back=self.reasoning_back,
            )
        )

    def reader(self, info: AnswerInfo) -> ChatReader:
        return ChatReader()

    def fold(self) -> Fold:
        return ChatFold()

    def framing(self) -> Splitter:
        return EventSplitter()

    def error(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now_s: float
    ) -> ProviderError:
        return provider_error(status, headers, body, now_s=now_s, secrets=secrets)
