"""The inner request as a request to a chat provider, reduced to what this provider accepts.

Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from gatewayz.wires.dialect import ReasoningBack, message_for_chat, remove_settings
from gatewayz.wires.json_values import Object, list_of, object_of
from gatewayz.wires.openai_chat.messages import pictures_apart

LimitMember = Literal["max_completion_tokens", "max_tokens"]


def chat_request_to_provider(
    chat: Mapping[str, Any],
    model: str,
    *,
    stream: bool,
    limit_member: LimitMember,
    usage_option: bool,
    reasoning_back: ReasoningBack | None,
) -> Object:
    """The request for a call that came on another wire. The settings are those of ChatProvider."""
    request = {**chat, "model": model}
    if stream:
        request["stream"] = True
        if usage_option:
            request["stream_options"] = {**(chat.get("stream_options") or {}), "include_usage": True}
    else:
        request.pop("stream", None)
        request.pop("stream_options", None)
    remove_settings(request)
    if limit_member == "max_tokens" and "max_completion_tokens" in request:
        request["max_tokens"] = request.pop("max_completion_tokens")
    messages = [message_for_chat(object_of(message), reasoning_back) for message in list_of(chat.get("messages"))]
    request["messages"] = pictures_apart(messages)
    return request
