"""OpenAI's chat completions as a wire: the hub itself, so that on both sides there is nothing to translate."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from gatewayz.errors import GatewayError, ProviderError
from gatewayz.records import Call, Operation
from gatewayz.wires.base import Fold, Shape, Translation, Wire
from gatewayz.wires.chat import chat_to_upstream, error_body, error_event, parse_chat_request
from gatewayz.wires.chat_fold import ChatFold
from gatewayz.wires.json_values import Object, list_of, object_of
from gatewayz.wires.provider_errors import provider_error


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
    reasoning_back: bool = False
    """Takes an earlier turn's ``reasoning_details`` and ``extra_content`` back; strict providers refuse members they do not
    know."""
    name: Wire = "openai_chat"

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
        if self.limit_member == "max_tokens" and "max_completion_tokens" in request:
            request["max_tokens"] = request.pop("max_completion_tokens")
        if not self.reasoning_back:
            request["messages"] = [_plain(object_of(message)) for message in list_of(chat.get("messages"))]
        return orjson.dumps(request)

    def to_chat(self, shape: Shape) -> Translation:
        return Unchanged()

    def fold(self) -> Fold:
        return ChatFold()

    def error(self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> ProviderError:
        return provider_error(status, headers, body, now_s=time.time(), secrets=secrets)


_SEALED = ("reasoning_details", "extra_content")


def _plain(message: Object) -> Object:
    """A message without what other providers sealed."""
    if message.get("role") != "assistant":
        return message
    plain = {name: value for name, value in message.items() if name not in _SEALED}
    if calls := list_of(plain.get("tool_calls")):
        plain["tool_calls"] = [{k: v for k, v in object_of(call).items() if k not in _SEALED} for call in calls]
    return plain
