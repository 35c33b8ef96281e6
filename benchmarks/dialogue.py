"""One conversation in the words of each wire: what is asked (4 KB: a system prompt, turns, tools) and what is answered.

The answer has about 500 tokens, which as a stream come in 100 pieces. Ids, names and figures are made up; which members there
are, and in which order events come, is as the vendors' documentation shows it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, assert_never

from benchmarks.shapes import SYSTEM, USER

Wire = Literal["chat", "responses", "messages", "gemini"]
CALLER_WIRES: tuple[Wire, ...] = ("chat", "responses", "messages")
WIRES: tuple[Wire, ...] = (*CALLER_WIRES, "gemini")

# JSON as it goes over the wire: mixed values by its nature.
Object = dict[str, Any]

PIECES = tuple(f" abeam of light {number:03}" for number in range(100))
TEXT = "".join(PIECES)
INPUT_TOKENS, OUTPUT_TOKENS = 1_012, 500
CREATED_S = 1_790_000_000
CALL_ID = "call_8Jq2LwYx0VbT"
TOOL_RESULT = json.dumps([{"light": f"light {n:02}", "character": "Fl(2) 10s", "range_nm": 18 + n} for n in range(14)])
EARLIER = "The passage plan says to keep two miles off. " * 10
PATHS: Mapping[Wire, str] = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}
"""Where callers of each wire send their requests."""


def _tool(name: str) -> tuple[str, str, Object]:
    described = f"Look up {name} in the ship's almanac for a stretch of coast and a span of time. Times are UTC."
    properties: Object = {
        "coast": {"type": "string", "description": "Its name as on the chart."},
        "since": {"type": "string", "description": "RFC 3339, the earliest time of interest."},
        "limit": {"type": "integer", "description": "Most entries to return; 20 is plenty."},
        "order": {"type": "string", "enum": ["near_first", "bright_first"], "description": "What comes first."},
    }
    schema: Object = {"type": "object", "properties": properties, "required": ["coast"], "additionalProperties": False}
    return name, described, schema


TOOLS = tuple(_tool(name) for name in ("lights", "tides", "traffic"))
ARGUMENTS: Object = {"coast": "Anglesey", "limit": 14}


def request_body(wire: Wire, model: str, *, stream: bool) -> bytes:
    """What a caller sends. Nobody sends Gemini's own wire to the gateway."""
    match wire:
        case "chat":
            body = _chat_request()
            if stream:
                body["stream_options"] = {"include_usage": True}
        case "responses":
            body = _responses_request()
        case "messages":
            body = _messages_request()
        case "gemini":
            raise ValueError("the gateway has no endpoint for Gemini's wire")
        case _:
            assert_never(wire)
    return _bytes({"model": model, **body, "stream": stream})


def reply(wire: Wire) -> bytes:
    """A provider's whole answer."""
    match wire:
        case "chat":
            message: Object = {"role": "assistant", "content": TEXT, "refusal": None, "annotations": []}
            choice: Object = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
            return _bytes({**_CHAT, "object": "chat.completion", "choices": [choice], "usage": _CHAT_USAGE})
        case "responses":
            return _bytes(_response("completed"))
        case "messages":
            return _bytes(_message([{"type": "text", "text": TEXT}], "end_turn", OUTPUT_TOKENS))
        case "gemini":
            return _bytes(_gemini(TEXT, OUTPUT_TOKENS, "STOP"))
        case _:
            assert_never(wire)


def events(wire: Wire, pieces: Sequence[str] = PIECES) -> list[bytes]:
    """The same answer as a provider streams it, event by event; ``pieces``: what comes of its text."""
    match wire:
        case "chat":
            return _chat_events(pieces)
        case "responses":
            return _named(_responses_events(pieces))
        case "messages":
            return _named(_messages_events(pieces))
        case "gemini":
            # Lines end in CR LF there.
            counted = [(piece, 5 * (n + 1), "STOP" if n == len(pieces) - 1 else None) for n, piece in enumerate(pieces)]
            return [b"data: " + _bytes(_gemini(*one)) + b"\r\n\r\n" for one in counted]
        case _:
            assert_never(wire)


def stream_end(caller: Wire) -> str:
    """What a caller on this wire sees at the end of a whole stream, and never in one that was cut."""
    match caller:
        case "chat":
            return "data: [DONE]\n\n"
        case "responses":
            return "event: response.completed\n"
        case "messages":
            return "event: message_stop\n"
        case "gemini":
            raise ValueError("the gateway has no endpoint for Gemini's wire")
        case _:
            assert_never(caller)


def _chat_request() -> Object:
    call = {"id": CALL_ID, "type": "function", "function": {"name": "lights", "arguments": json.dumps(ARGUMENTS)}}
    return {
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": USER},
            {"role": "assistant", "content": EARLIER, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": CALL_ID, "content": TOOL_RESULT},
            {"role": "user", "content": USER},
        ],
        "tools": [
            {"type": "function", "function": {"name": name, "description": described, "parameters": schema}}
            for name, described, schema in TOOLS
        ],
        "temperature": 0.7,
        "max_completion_tokens": 1024,
    }


def _responses_request() -> Object:
    return {
        "instructions": SYSTEM,
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": USER}]},
            {"role": "assistant", "content": [{"type": "output_text", "text": EARLIER}]},
            {"type": "function_call", "call_id": CALL_ID, "name": "lights", "arguments": json.dumps(ARGUMENTS)},
            {"type": "function_call_output", "call_id": CALL_ID, "output": TOOL_RESULT},
            {"role": "user", "content": [{"type": "input_text", "text": USER}]},
        ],
        "tools": [
            {"type": "function", "name": name, "description": described, "parameters": schema, "strict": False}
            for name, described, schema in TOOLS
        ],
        "temperature": 0.7,
        "max_output_tokens": 1024,
        "store": False,
    }


def _messages_request() -> Object:
    return {
        "system": [{"type": "text", "text": SYSTEM}],
        "messages": [
            {"role": "user", "content": USER},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": EARLIER},
                    {"type": "tool_use", "id": CALL_ID, "name": "lights", "input": ARGUMENTS},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": CALL_ID, "content": TOOL_RESULT},
                    {"type": "text", "text": USER},
                ],
            },
        ],
        "tools": [
            {"name": name, "description": described, "input_schema": schema} for name, described, schema in TOOLS
        ],
        "temperature": 0.7,
        "max_tokens": 1024,
    }


_CHAT: Object = {
    "id": "chatcmpl-B7k2MnQ4xYtR9wVzLpE3aHs6",
    "created": CREATED_S,
    "model": "gpt-4o-mini-2024-07-18",
    "service_tier": "default",
    "system_fingerprint": "fp_9c1e7b24d0",
}
_CHAT_USAGE: Object = {
    "prompt_tokens": INPUT_TOKENS,
    "completion_tokens": OUTPUT_TOKENS,
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}


def _chat_events(pieces: Sequence[str]) -> list[bytes]:
    def chunk(delta: Object, reason: str | None = None) -> Object:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**_CHAT, "object": "chat.completion.chunk", "choices": [choice], "usage": None}

    chunks = [chunk({"role": "assistant", "content": "", "refusal": None})]
    chunks += [chunk({"content": piece}) for piece in pieces]
    chunks += [chunk({}, "stop"), {**chunk({}), "choices": [], "usage": _CHAT_USAGE}]
    return [*(b"data: " + _bytes(one) + b"\n\n" for one in chunks), b"data: [DONE]\n\n"]


_ITEM_ID = "msg_68a1f0c2d4e881a0b6c2"


def _response(status: str) -> Object:
    done = status == "completed"
    usage: Object = {
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }
    return {
        "id": "resp_68a1f0c1b7f481a0a5c2",
        "object": "response",
        "created_at": CREATED_S,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": SYSTEM,
        "max_output_tokens": 1024,
        "model": "gpt-4o-mini-2024-07-18",
        "output": [_item(status)] if done else [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "temperature": 0.7,
        "tool_choice": "auto",
        "tools": _responses_request()["tools"],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage if done else None,
        "metadata": {},
    }


def _item(status: str) -> Object:
    content = [_text_part(TEXT)] if status == "completed" else []
    return {"id": _ITEM_ID, "type": "message", "status": status, "role": "assistant", "content": content}


def _text_part(text: str) -> Object:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _responses_events(pieces: Sequence[str]) -> list[Object]:
    place: Object = {"item_id": _ITEM_ID, "output_index": 0, "content_index": 0}
    told: list[Object] = [
        {"type": "response.created", "response": _response("in_progress")},
        {"type": "response.in_progress", "response": _response("in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": _item("in_progress")},
        {"type": "response.content_part.added", **place, "part": _text_part("")},
        *({"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []} for piece in pieces),
        {"type": "response.output_text.done", **place, "text": TEXT, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": _text_part(TEXT)},
        {"type": "response.output_item.done", "output_index": 0, "item": _item("completed")},
        {"type": "response.completed", "response": _response("completed")},
    ]
    return [{**one, "sequence_number": number} for number, one in enumerate(told)]


def _message(content: list[Object], reason: str | None, output_tokens: int) -> Object:
    return {
        "id": "msg_01XkQmBz5tTnWd3uVpRs7LfC",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": INPUT_TOKENS,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output_tokens,
            "service_tier": "standard",
        },
    }


def _messages_events(pieces: Sequence[str]) -> list[Object]:
    return [
        {"type": "message_start", "message": _message([], None, 1)},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": OUTPUT_TOKENS},
        },
        {"type": "message_stop"},
    ]


def _gemini(text: str, output_tokens: int, reason: str | None) -> Object:
    candidate: Object = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": INPUT_TOKENS,
            "candidatesTokenCount": output_tokens,
            "totalTokenCount": INPUT_TOKENS + output_tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": INPUT_TOKENS}],
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": "Zk2PaLm3xYzQ1PIP",
    }


def _named(told: Iterable[Object]) -> list[bytes]:
    return [b"event: " + str(one["type"]).encode() + b"\ndata: " + _bytes(one) + b"\n\n" for one in told]


def _bytes(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
