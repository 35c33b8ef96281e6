"""Valid answers of every provider wire, whole and streamed, with everything that a model may say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gatewayz.wires.base import Wire

Json = dict[str, Any]

CITATION = {"url": "https://x.org", "title": "X", "start_index": 0, "end_index": 2}
TOKENS = {
    "content": [{"token": "x", "bytes": [120], "logprob": -1.0, "top_logprobs": [{"token": "x", "logprob": -1.0}]}]
}
ARGUMENTS = '{"city":"Köln"}'


@dataclass(frozen=True, slots=True)
class Said:
    """One answer in both forms."""

    whole: Json
    events: Sequence[Json]
    """What the events' data say, in order; chat's ``[DONE]`` comes on top."""


def stream_bytes(wire: Wire, events: Sequence[object]) -> list[bytes]:
    """Each event as the wire's vendor sends it."""
    out: list[bytes] = []
    for event in events:
        data = event if isinstance(event, bytes) else orjson.dumps(event)
        name = event.get("type") if isinstance(event, dict) and wire in _NAMED else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        start = f"event: {name}\n".encode() if isinstance(name, str) and name.isprintable() and name.isascii() else b""
        out.append(start + b"data: " + data + (b"\r\n\r\n" if wire == "gemini" else b"\n\n"))
    if wire == "openai_chat":
        out.append(b"data: [DONE]\n\n")
    return out


_NAMED: frozenset[Wire] = frozenset(("openai_responses", "anthropic_messages"))


def _chunk(delta: Json, reason: str | None = None, **more: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": reason, **more}
    return {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [choice]}


_CHAT_USAGE: Json = {
    "prompt_tokens": 10,
    "completion_tokens": 7,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
_TOOL: Json = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}
_CHAT_HEAD: Json = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "m-1"}
_CHAT_USAGE_EVENT: Json = {**_CHAT_HEAD, "object": "chat.completion.chunk", "choices": [], "usage": _CHAT_USAGE}
_THOUGHT: Json = {"type": "reasoning.text", "text": "hm", "signature": "s"}

CHAT = (
    Said(
        {
            **_CHAT_HEAD,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "Grüße 🌍", "refusal": None},
                    "finish_reason": "stop",
                    "logprobs": TOKENS,
                }
            ],
            "usage": _CHAT_USAGE,
            "service_tier": "default",
        },
        [
            _chunk({"role": "assistant", "content": ""}),
            _chunk({"content": "Grüße "}, logprobs=TOKENS),
            _chunk({"content": "🌍"}),
            _chunk({}, "stop"),
            _CHAT_USAGE_EVENT,
        ],
    ),
    Said(
        {
            **_CHAT_HEAD,
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": "x",
                        "reasoning_content": "hm",
                        "reasoning_details": [_THOUGHT],
                        "annotations": [{"type": "url_citation", "url_citation": CITATION}],
                        "tool_calls": [_TOOL],
                    },
                    "finish_reason": "tool_calls",
                }
            ],
            "usage": _CHAT_USAGE,
        },
        [
            _chunk({"role": "assistant", "reasoning_content": "hm", "reasoning_details": [_THOUGHT]}),
            _chunk({"content": "x", "annotations": [{"type": "url_citation", "url_citation": CITATION}]}),
            _chunk({"tool_calls": [{"index": 0, **_TOOL, "function": {"name": "weather", "arguments": ""}}]}),
            _chunk({"tool_calls": [{"index": 0, "function": {"arguments": ARGUMENTS[:7]}}]}),
            _chunk({"tool_calls": [{"index": 0, "function": {"arguments": ARGUMENTS[7:]}}]}),
            _chunk({}, "tool_calls"),
            _CHAT_USAGE_EVENT,
        ],
    ),
)

_OUTPUT: list[Json] = [
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "hm"}],
        "encrypted_content": "gAAA",
    },
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [
            {
                "type": "output_text",
                "text": "x",
                "annotations": [{"type": "url_citation", **CITATION}],
                "logprobs": TOKENS["content"],
            },
            {"type": "refusal", "refusal": "no"},
        ],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": ARGUMENTS},
]
_RESPONSE: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "m-1",
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "service_tier": "default",
    "output": _OUTPUT,
    "usage": {
        "input_tokens": 10,
        "output_tokens": 7,
        "total_tokens": 17,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 3},
    },
}
_BEGUN: Json = {**_RESPONSE, "status": "in_progress", "output": [], "usage": None}


def _numbered(events: Sequence[Json]) -> list[Json]:
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _of(word: str, place: int, **more: Any) -> Json:
    return {"type": f"response.{word}", "output_index": place, "item_id": _OUTPUT[place]["id"], **more}


RESPONSES = (
    Said(
        _RESPONSE,
        _numbered(
            [
                {"type": "response.created", "response": _BEGUN},
                {"type": "response.in_progress", "response": _BEGUN},
                _of("output_item.added", 0, item={**_OUTPUT[0], "summary": []}),
                _of("reasoning_summary_text.delta", 0, summary_index=0, delta="hm"),
                _of("output_item.done", 0, item=_OUTPUT[0]),
                _of("output_item.added", 1, item={**_OUTPUT[1], "content": []}),
                _of("content_part.added", 1, content_index=0, part={"type": "output_text", "text": ""}),
                _of("output_text.delta", 1, content_index=0, delta="x", logprobs=TOKENS["content"]),
                _of(
                    "output_text.annotation.added",
                    1,
                    content_index=0,
                    annotation_index=0,
                    annotation={"type": "url_citation", **CITATION},
                ),
                _of("refusal.delta", 1, content_index=1, delta="no"),
                _of("output_item.done", 1, item=_OUTPUT[1]),
                _of("output_item.added", 2, item={**_OUTPUT[2], "arguments": ""}),
                _of("function_call_arguments.delta", 2, delta=ARGUMENTS),
                _of("function_call_arguments.done", 2, arguments=ARGUMENTS),
                _of("output_item.done", 2, item=_OUTPUT[2]),
                {"type": "response.completed", "response": _RESPONSE},
            ]
        ),
    ),
)

_SHELL: Json = {"type": "custom_tool_call", "id": "ct_1", "call_id": "call_2", "name": "shell", "input": "ls"}
_CUSTOM: Json = {**_RESPONSE, "output": [_SHELL]}
CUSTOM_TOOL = (
    Said(
        _CUSTOM,
        _numbered(
            [
                {"type": "response.created", "response": _BEGUN},
                {"type": "response.output_item.added", "output_index": 0, "item": {**_SHELL, "input": ""}},
                {"type": "response.custom_tool_call_input.delta", "output_index": 0, "item_id": "ct_1", "delta": "ls"},
                {"type": "response.output_item.done", "output_index": 0, "item": _SHELL},
                {"type": "response.completed", "response": _CUSTOM},
            ]
        ),
    ),
)
"""Only for callers of wires that have such tools."""

_BLOCKS: list[Json] = [
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "redacted_thinking", "data": "s"},
    {"type": "text", "text": "Grüße 🌍", "citations": None},
    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln"}},
]
_MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m-1",
    "content": _BLOCKS,
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 6,
        "cache_read_input_tokens": 3,
        "cache_creation_input_tokens": 1,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 3},
    },
}


def _block(place: int, start: Json, *deltas: Json) -> list[Json]:
    return [
        {"type": "content_block_start", "index": place, "content_block": start},
        *({"type": "content_block_delta", "index": place, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": place},
    ]


MESSAGES = (
    Said(
        _MESSAGE,
        [
            {
                "type": "message_start",
                "message": {**_MESSAGE, "content": [], "stop_reason": None},
            },
            {"type": "ping"},
            *_block(
                0,
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "hm"},
                {"type": "signature_delta", "signature": "s"},
            ),
            *_block(1, _BLOCKS[1]),
            *_block(
                2,
                {"type": "text", "text": ""},
                {"type": "text_delta", "text": "Grüße "},
                {"type": "text_delta", "text": "🌍"},
            ),
            *_block(
                3,
                {**_BLOCKS[3], "input": {}},
                {"type": "input_json_delta", "partial_json": ARGUMENTS[:7]},
                {"type": "input_json_delta", "partial_json": ARGUMENTS[7:]},
            ),
            {
                "type": "message_delta",
                "delta": {"stop_reason": "tool_use", "stop_sequence": None},
                "usage": _MESSAGE["usage"],
            },
            {"type": "message_stop"},
        ],
    ),
)

_GEMINI_USAGE: Json = {
    "promptTokenCount": 10,
    "candidatesTokenCount": 4,
    "thoughtsTokenCount": 3,
    "cachedContentTokenCount": 4,
    "totalTokenCount": 17,
}
_GEMINI_PARTS: list[Json] = [
    {"text": "hm", "thought": True},
    {"text": "Grüße 🌍"},
    {"functionCall": {"name": "weather", "args": {"city": "Köln"}, "id": "fc-1"}, "thoughtSignature": "c2ln"},
]


def _candidate(parts: Sequence[Json], reason: str | None = None, **more: Any) -> Json:
    made: Json = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **more}
    return made if reason is None else {**made, "finishReason": reason}


def _gemini(candidate: Json, **more: Any) -> Json:
    return {
        "candidates": [candidate],
        "modelVersion": "m-1",
        "responseId": "r-1",
        "usageMetadata": _GEMINI_USAGE,
        **more,
    }


_CITED: Json = {"citationMetadata": {"citationSources": [{"startIndex": 0, "endIndex": 2, "uri": "https://x.org"}]}}
_LOGPROBS: Json = {
    "avgLogprobs": -1.0,
    "logprobsResult": {
        "chosenCandidates": [{"token": "x", "logProbability": -1.0}],
        "topCandidates": [{"candidates": [{"token": "x", "logProbability": -1.0}]}],
    },
}
GEMINI = (
    Said(
        _gemini(_candidate(_GEMINI_PARTS, "STOP", **_CITED, **_LOGPROBS, safetyRatings=[])),
        [
            _gemini(_candidate(_GEMINI_PARTS[:1])),
            _gemini(_candidate([{"text": "Grüße "}], **_LOGPROBS)),
            _gemini(_candidate([{"text": "🌍"}], **_CITED)),
            _gemini(_candidate(_GEMINI_PARTS[2:], "STOP")),
        ],
    ),
)

ANSWERS: Mapping[str, tuple[Wire, Sequence[Said]]] = {
    "chat": ("openai_chat", CHAT),
    "responses": ("openai_responses", RESPONSES),
    "messages": ("anthropic_messages", MESSAGES),
    "gemini": ("gemini", GEMINI),
}
"""Provider name → its wire and what it says."""


def embeddings(count: int) -> Json:
    """Of OpenAI's wire."""
    data = [{"object": "embedding", "index": i, "embedding": [0.5, 0.5]} for i in range(count)]
    return {"object": "list", "data": data, "model": "m-1", "usage": {"prompt_tokens": 2, "total_tokens": 2}}


def gemini_embeddings(count: int) -> Json:
    return {"embeddings": [{"values": [0.5, 0.5]} for _ in range(count)]}
