"""An answer of Anthropic's as a chat answer, whole or event by event.

Thinking becomes ``reasoning_content``; what its next turn needs of it (the signature, or what is encrypted) goes into
``reasoning_details``, in the form that OpenRouter made customary, and comes back from there in messages_from_chat.py.
"""

from __future__ import annotations

import orjson

from gatewayz.errors import ProviderMalformedResponse
from gatewayz.records import Usage
from gatewayz.wires.anthropic_messages.fold import MessagesFold
from gatewayz.wires.anthropic_messages.thinking_blocks import encrypted_detail, signed_detail
from gatewayz.wires.base import Shape
from gatewayz.wires.ids import bare_id
from gatewayz.wires.json_values import Object, list_of, object_of, text_of
from gatewayz.wires.sse import data_of, event_of

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class MessagesToChat:
    """One answer on its way. Whole answers and streams are independent of each other."""

    __slots__ = (
        "_arguments",
        "_block",
        "_call",
        "_details",
        "_ended",
        "_finish_reason",
        "_fold",
        "_shape",
        "_thinking",
    )

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._fold = MessagesFold()
        self._block: Object = {}
        self._call = -1
        self._details = 0
        self._arguments = False
        self._thinking: list[str] = []
        self._finish_reason = "stop"
        self._ended = False

    def reply(self, body: bytes) -> bytes:
        """A whole answer. Raises ProviderMalformedResponse when it is not one."""
        self._fold.reply(body)
        texts: list[str] = []
        thoughts: list[str] = []
        details: list[Object] = []
        calls: list[Object] = []
        answer = object_of(orjson.loads(body))
        for block in map(object_of, list_of(answer.get("content"))):
            match block.get("type"):
                case "text":
                    texts.append(text_of(block.get("text")))
                case "thinking":
                    thoughts.append(text_of(block.get("thinking")))
                    details.append(signed_detail(thoughts[-1], text_of(block.get("signature")), len(details)))
                case "redacted_thinking":
                    details.append(encrypted_detail(text_of(block.get("data")), len(details)))
                case "tool_use":
                    arguments = orjson.dumps(block.get("input") or {}).decode()
                    calls.append(_call(block, arguments))
                case _:
                    pass
        message: Object = {"role": "assistant", "content": "".join(texts) if texts else None, "refusal": None}
        if calls:
            message["tool_calls"] = calls
        if thoughts:
            message["reasoning_content"] = "".join(thoughts)
        if details:
            message["reasoning_details"] = details
        reason = FINISH_REASONS.get(text_of(answer.get("stop_reason")), "stop")
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        return orjson.dumps(
            {**self._head("chat.completion"), "choices": [choice], "usage": chat_usage(self._fold.usage)}
        )

    def event(self, event: bytes) -> bytes:
        """What one event becomes. An error event becomes nothing: its wording is the gateway's."""
        data = data_of(event)
        if not data:
            return b""
        try:
            said = object_of(orjson.loads(data))
        except orjson.JSONDecodeError:
            raise ProviderMalformedResponse("The provider sent an event that is not valid JSON.") from None
        if "usage" in said or "message" in said:
            self._fold.event(event)
        match said.get("type"):
            case "message_start":
                return self._chunk({"role": "assistant", "content": ""})
            case "content_block_start":
                return self._start(object_of(said.get("content_block")))
            case "content_block_delta":
                return self._delta(object_of(said.get("delta")))
            case "content_block_stop":
                return self._stop()
            case "message_delta":
                # Kept back until message_stop: a stream that is cut in between must not look finished.
                if reason := text_of(object_of(said.get("delta")).get("stop_reason")):
                    self._finish_reason = FINISH_REASONS.get(reason, "stop")
                return b""
            case "message_stop":
                return self.end()
            case _:
                return b""

    def end(self) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        last = self._chunk({}, self._finish_reason)
        if not self._shape.include_usage:
            return last + b"data: [DONE]\n\n"
        chunk: Object = {**self._head("chat.completion.chunk"), "choices": [], "usage": chat_usage(self._fold.usage)}
        return last + event_of(orjson.dumps(chunk)) + b"data: [DONE]\n\n"

    def _start(self, block: Object) -> bytes:
        self._block = block
        self._arguments = False
        self._thinking = []
        match block.get("type"):
            case "text" if block.get("text"):
                return self._chunk({"content": text_of(block["text"])})
            case "tool_use":
                self._call += 1
                return self._chunk({"tool_calls": [{"index": self._call, **_call(block, "")}]})
            case "redacted_thinking":
                return self._detail(encrypted_detail(text_of(block.get("data")), self._details))
            case _:
                return b""

    def _delta(self, delta: Object) -> bytes:
        match delta.get("type"):
            case "text_delta" if delta.get("text"):
                return self._chunk({"content": text_of(delta["text"])})
            case "thinking_delta" if delta.get("thinking"):
                self._thinking.append(text_of(delta["thinking"]))
                return self._chunk({"reasoning_content": self._thinking[-1]})
            case "signature_delta" if delta.get("signature"):
                return self._sign(text_of(delta["signature"]))
            case "input_json_delta" if delta.get("partial_json") and self._block.get("type") == "tool_use":
                self._arguments = True
                return self._part(text_of(delta["partial_json"]))
            case _:
                return b""

    def _stop(self) -> bytes:
        """A tool call without a piece of its input: it has none, or had it from the start. Callers parse the arguments as JSON,
        which nothing is not."""
        block, self._block = self._block, {}
        if block.get("type") != "tool_use" or self._arguments:
            return b""
        return self._part(orjson.dumps(object_of(block.get("input"))).decode())

    def _sign(self, signature: str) -> bytes:
        return self._detail(signed_detail("".join(self._thinking), signature, self._details))

    def _detail(self, detail: Object) -> bytes:
        self._details += 1
        return self._chunk({"reasoning_details": [detail]})

    def _part(self, arguments: str) -> bytes:
        return self._chunk({"tool_calls": [{"index": self._call, "function": {"arguments": arguments}}]})

    def _chunk(self, delta: Object, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return event_of(orjson.dumps({**self._head("chat.completion.chunk"), "choices": [choice]}))

    def _head(self, kind: str) -> Object:
        shape = self._shape
        answer_id = f"chatcmpl-{bare_id(shape.response_id)}"
        return {"id": answer_id, "object": kind, "created": shape.created_s, "model": shape.model}


def chat_usage(usage: Usage) -> Object:
    """Usage as a chat reports it."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _call(block: Object, arguments: str) -> Object:
    name = text_of(block.get("name"))
    if not name:
        raise ProviderMalformedResponse("The provider called a tool without a name.")
    return {
        "id": text_of(block.get("id")),
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
