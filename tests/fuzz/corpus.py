"""Valid request bodies, rich in members, for every endpoint: what the fuzzers start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

PIXEL = "iVBORw0KGgo="
PIXEL_URL = f"data:image/png;base64,{PIXEL}"
SCHEMA: Json = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "enum": ["Köln", "Lisbon"], "description": "where"},
        "days": {"type": ["integer", "null"], "minimum": 1},
        "tags": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/tag"}]}},
    },
    "required": ["city"],
    "additionalProperties": False,
    "$defs": {"tag": {"type": "object", "properties": {"name": {"type": "string"}}}},
}
CYCLIC: Json = {
    "type": "object",
    "properties": {"next": {"$ref": "#/$defs/node"}, "all": {"$ref": "#"}},
    "$defs": {
        "node": {"anyOf": [{"$ref": "#/$defs/node"}, {"$ref": "#/$defs/other"}]},
        "other": {"$ref": "#/$defs/node"},
    },
}
FUNCTION: Json = {"name": "weather", "description": "Tells it.", "parameters": SCHEMA, "strict": True}
CALL: Json = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Köln"}'}}

_CHAT: Sequence[Json] = (
    {"messages": [{"role": "user", "content": "Hello"}]},
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this? 🌍"},
                    {"type": "image_url", "image_url": {"url": PIXEL_URL, "detail": "low"}},
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}},
                ],
            },
        ],
        "max_completion_tokens": 50,
        "temperature": 0.5,
        "top_p": 1,
        "n": 1,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}},
        "reasoning_effort": "low",
        "user": "u",
        "metadata": {"a": "b"},
    },
    {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
            {
                "role": "assistant",
                "content": None,
                "refusal": None,
                "tool_calls": [CALL, {**CALL, "id": "call_2"}],
                "reasoning_details": [{"type": "reasoning.encrypted", "data": "openai:rs_1:gAAA"}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": '{"t":20}'}]},
            {"role": "assistant", "content": [{"type": "text", "text": "It is"}, {"type": "refusal", "refusal": "no"}]},
            {"role": "user", "content": "Thanks"},
        ],
        "tools": [{"type": "function", "function": FUNCTION}, {"type": "function", "function": {"name": "empty"}}],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": True,
        "max_tokens": 100,
        "stream_options": {"include_usage": True},
    },
    {
        "messages": [{"role": "user", "content": "Think"}],
        "tools": [{"type": "function", "function": {"name": "cyclic", "parameters": CYCLIC}}],
        "tool_choice": "required",
        "response_format": {"type": "json_object"},
        "service_tier": "auto",
    },
)
_COMPLETIONS: Sequence[Json] = (
    {"prompt": "Once"},
    {"prompt": ["Once"], "max_tokens": 5, "n": 1, "best_of": 1, "echo": True, "user": "u"},
    {"prompt": "Once", "suffix": None, "logit_bias": {}, "temperature": 0, "stream_options": {"include_usage": True}},
)
_EMBEDDINGS: Sequence[Json] = (
    {"input": "x"},
    {"input": ["x", "Grüße 🌍"], "dimensions": 3, "encoding_format": "base64", "user": "u"},
    {"input": [1, 2], "encoding_format": "float"},
    {"input": [[1, 2], [3]]},
)
_RESPONSES: Sequence[Json] = (
    {"input": "Hello"},
    {
        "instructions": "Be brief.",
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "t"},
                    {"type": "input_image", "image_url": PIXEL_URL, "detail": "low"},
                    {"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "f.pdf"},
                ],
            },
            {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "gatewayz:W3siYSI6MX1d"},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "x", "annotations": []}],
            },
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "r"}]},
        ],
        "tools": [{"type": "function", **FUNCTION}],
        "tool_choice": {"type": "function", "name": "weather"},
        "text": {
            "format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True},
            "verbosity": "medium",
        },
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 50,
        "store": False,
        "metadata": {"a": "b"},
        "service_tier": "auto",
        "parallel_tool_calls": True,
        "temperature": 1.0,
    },
    {
        "input": [{"role": "developer", "content": "d"}, {"role": "user", "content": "u"}],
        "tools": [{"type": "function", "name": "cyclic", "parameters": CYCLIC, "strict": False}],
        "text": {"format": {"type": "json_object"}},
        "truncation": "disabled",
    },
)
_MESSAGES: Sequence[Json] = (
    {"max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]},
    {
        "max_tokens": 5000,
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "t"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                    {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="},
                        "title": "T",
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "h", "signature": "s"},
                    {"type": "redacted_thinking", "data": "openai:rs_1:gAAA"},
                    {"type": "text", "text": "x"},
                    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Köln"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "c1",
                        "is_error": False,
                        "content": [{"type": "text", "text": "r"}],
                    },
                    {"type": "text", "text": "and?"},
                ],
            },
        ],
        "tools": [
            {"name": "weather", "description": "d", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}}
        ],
        "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": False},
        "temperature": 0.3,
        "metadata": {"user_id": "u"},
        "service_tier": "auto",
    },
    {
        "max_tokens": 5000,
        "system": "s",
        "messages": [{"role": "user", "content": "u"}],
        "tools": [{"type": "custom", "name": "cyclic", "input_schema": CYCLIC}],
        "tool_choice": {"type": "any"},
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"},
    },
)

ENDPOINTS: Mapping[str, Sequence[Json]] = {
    "/v1/chat/completions": _CHAT,
    "/v1/completions": _COMPLETIONS,
    "/v1/embeddings": _EMBEDDINGS,
    "/v1/responses": _RESPONSES,
    "/v1/messages": _MESSAGES,
    "/v1/messages/count_tokens": tuple({k: v for k, v in body.items() if k != "max_tokens"} for body in _MESSAGES),
}
"""Path → bodies, without ``model`` and ``stream``."""

EXTRAS: Mapping[str, Json] = {
    "/v1/chat/completions": {
        "stop": ["END"],
        "seed": 7,
        "presence_penalty": 0.1,
        "frequency_penalty": -0.1,
        "logprobs": True,
        "top_logprobs": 2,
        "logit_bias": {"50256": -100},
        "parallel_tool_calls": False,
        "top_k": 5,
        "prediction": {"type": "content", "content": "x"},
        "modalities": ["text"],
        "functions": [{"name": "f"}],
        "tools": [{"type": "custom", "custom": {"name": "shell", "format": {"type": "text"}}}],
        "messages": [
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]},
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "r"},
            {"role": "user", "name": "ann", "content": "u"},
        ],
    },
    "/v1/completions": {
        "prompt": [1, 2, 3],
        "n": 2,
        "best_of": 2,
        "stop": "x",
        "seed": 1,
        "logprobs": 2,
        "presence_penalty": 1,
        "logit_bias": {"50256": -100},
        "suffix": "x",
    },
    "/v1/embeddings": {"input": [[1, 2], [3]], "encoding_format": "base64", "dimensions": 2},
    "/v1/responses": {
        "input": [
            {"type": "custom_tool_call", "call_id": "c2", "name": "shell", "input": "ls"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": "a"},
        ],
        "tools": [
            {"type": "custom", "name": "shell", "format": {"type": "grammar", "definition": "x", "syntax": "lark"}}
        ],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "weather"}]},
        "include": ["message.output_text.logprobs"],
        "top_logprobs": 2,
        "truncation": "auto",
        "previous_response_id": "resp_1",
        "stream_options": {"include_obfuscation": False},
    },
    "/v1/messages": {
        "messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "begun"}],
        "stop_sequences": ["x"],
        "top_k": 4,
        "top_p": 0.9,
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "thinking": {"type": "adaptive"},
        "mcp_servers": [{"type": "url", "url": "https://example.org", "name": "n"}],
    },
    "/v1/messages/count_tokens": {"tool_choice": {"type": "none"}},
}
"""Members that not every provider's wire has an equal for: a body with one of them is often refused for it alone."""

STREAMING = frozenset(ENDPOINTS) - {"/v1/embeddings", "/v1/messages/count_tokens"}
PROVIDERS = ("chat", "responses", "messages", "gemini")
"""Provider names in the gateway under test, each of the wire it is named for."""
