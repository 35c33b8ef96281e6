"""OpenAI's chat completions as a wire: the hub itself, so that on both sides there is nothing to translate."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from gatewayz.errors import GatewayError, ProviderError
from gatewayz.records import Call, Operation
from gatewayz.wires import http_terms
from gatewayz.wires.base import Fold, Shape, Translation, Wire
from gatewayz.wires.http_terms import HttpTerms
from gatewayz.wires.json_values import Object, list_of, object_of, text_of
from gatewayz.wires.openai_chat.fold import ChatFold
from gatewayz.wires.openai_chat.messages import pictures_apart
from gatewayz.wires.openai_chat.request import chat_to_upstream, error_body, error_event, parse_chat_request
from gatewayz.wires.openai_chat.text import DO_NOT_THINK, SHOW_REASONING
from gatewayz.wires.refusals.by_status import provider_error


class Unchanged:
    """The translation between a wire and itself."""

    __slots__ = ()

    def reply(self, body: bytes) -> bytes:
        return body

    def event(self, event: bytes) -> bytes:
        return event

    def end(self) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class ChatCaller:
    """A caller of POST /v1/chat/completions."""

    name: Wire = "openai_chat"
    operation: Operation = "chat"

    def parse(self, body: bytes) -> Call:
        return parse_chat_request(body)

    def as_chat(self, call: Call) -> dict[str, Any]:
        request: dict[str, Any] = orjson.loads(call.body)
        return request

    def from_chat(self, call: Call, shape: Shape) -> Translation:
        return Unchanged()

    def error_body(self, error: GatewayError) -> bytes:
        return error_body(error)

    def error_event(self, error: GatewayError) -> bytes:
        return error_event(error)


@dataclass(frozen=True, slots=True)
class ChatProvider:
    """A provider of ``{base_url}/chat/completions``."""

    limit_member: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    """Under which name this provider takes the limit of a call that came on another wire: many know only the older one, and
    ignore the newer."""
    usage_option: bool = True
    """Knows ``stream_options.include_usage``; for calls that came on another wire."""
    reasoning_back: Literal["content", "details"] | None = None
    """How it takes an earlier turn's reasoning back: as the text that it was (``reasoning_content``), or with everything that
    was sealed (``reasoning_details`` and ``extra_content``). Strict providers refuse members they do not know."""
    name: Wire = "openai_chat"
    http: HttpTerms = http_terms.OPENAI

    def path(self, model: str, stream: bool) -> str:
        return "/chat/completions"

    def request(self, call: Call, model: str, *, usage_option: bool) -> bytes:
        return chat_to_upstream(call, model, usage_option=usage_option)

    def from_chat(self, chat: Mapping[str, Any], model: str, *, stream: bool) -> bytes:
        request = {**chat, "model": model}
        if stream:
            request["stream"] = True
            if self.usage_option:
                request["stream_options"] = {**(chat.get("stream_options") or {}), "include_usage": True}
        else:
            request.pop("stream", None)
            request.pop("stream_options", None)
        if request.get("reasoning") == SHOW_REASONING:
            del request["reasoning"]  # whoever shows thoughts in a chat shows them unasked
        if request.get("thinking") == DO_NOT_THINK:
            del request["thinking"]  # there is no word for it that every chat provider takes
        if self.limit_member == "max_tokens" and "max_completion_tokens" in request:
            request["max_tokens"] = request.pop("max_completion_tokens")
        messages = list_of(chat.get("messages"))
        messages = [_with_reasoning(object_of(message), self.reasoning_back) for message in messages]
        request["messages"] = pictures_apart(messages)
        return orjson.dumps(request)

    def to_chat(self, shape: Shape) -> Translation:
        return Unchanged()

    def fold(self) -> Fold:
        return ChatFold()

    def error(self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> ProviderError:
        return provider_error(status, headers, body, now_s=time.time(), secrets=secrets)


_SEALED = ("reasoning_details", "extra_content")
_REASONING = (*_SEALED, "reasoning_content")


def _with_reasoning(message: Object, back: Literal["content", "details"] | None) -> Object:
    """A message with its reasoning as the provider takes it, or without; and without Anthropic's mark of a tool that failed,
    since chat has its text."""
    if message.get("is_error"):
        return {name: value for name, value in message.items() if name != "is_error"}
    if message.get("role") != "assistant" or (back == "details" and "reasoning_details" in message):
        return message
    plain = {name: value for name, value in message.items() if name not in _REASONING}
    if back == "details":
        plain |= {name: message[name] for name in _SEALED if name in message}
        if text := text_of(message.get("reasoning_content")):
            plain["reasoning"] = text
        return plain
    if back == "content" and (text := _reasoning_of(message)):
        plain["reasoning_content"] = text
    if calls := list_of(plain.get("tool_calls")):
        plain["tool_calls"] = [{k: v for k, v in object_of(call).items() if k not in _SEALED} for call in calls]
    return plain


def _reasoning_of(message: Object) -> str:
    """As text, whoever thought it: a model that insists on an earlier turn's reasoning is not told whose it was."""
    if text := text_of(message.get("reasoning_content")):
        return text
    details = map(object_of, list_of(message.get("reasoning_details")))
    return "".join([text_of(detail.get("text")) for detail in details if detail.get("type") == "reasoning.text"])
