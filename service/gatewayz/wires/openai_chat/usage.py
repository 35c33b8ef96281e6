"""Chat's usage object: the one place that reads it and the one that writes it. Pure: no I/O, no clock."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from gatewayz.records import Usage
from gatewayz.wires.fold import EMPTY, UNREADABLE, token_count
from gatewayz.wires.json_values import Object


class _PromptDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _CompletionDetails(Struct):
    reasoning_tokens: int | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek's name for cached_tokens


_USAGE = msgspec.json.Decoder(_Usage)


def usage_in(raw: bytes) -> Usage | None:
    """The usage that a chat answer reports; None where it is not a usage object or counts nothing."""
    if raw in EMPTY:
        return None
    try:
        usage = _USAGE.decode(raw)
    except UNREADABLE:
        return None
    if usage.prompt_tokens is None and usage.completion_tokens is None:
        return None
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    cached = (prompt.cached_tokens if prompt else None) or usage.prompt_cache_hit_tokens
    return Usage(
        input_tokens=token_count(usage.prompt_tokens),
        output_tokens=token_count(usage.completion_tokens),
        cache_read_tokens=token_count(cached),
        cache_write_tokens=token_count(prompt.cache_write_tokens if prompt else None),
        reasoning_tokens=token_count(completion.reasoning_tokens if completion else None),
        source="provider",
    )


def chat_usage(usage: Usage) -> Object:
    """Usage as a chat answer reports it."""
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
