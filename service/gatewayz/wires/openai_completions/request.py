"""Requests of OpenAI's older completions as bytes. For a provider of the same wire they change as chat requests do.

Documented at platform.openai.com/docs/api-reference/completions. Pure: no I/O, no clock.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from gatewayz.records import Call, RequestParameters
from gatewayz.wires.body import MAX_MODEL_CHARACTERS, Count, Integer, read_body


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Request(Struct):
    model: Annotated[str, Meta(min_length=1, max_length=MAX_MODEL_CHARACTERS)]
    prompt: str | list[str | int | list[int]] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=2**31)] | None = None
    max_tokens: Count | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: Integer | None = None
    stop: str | list[str] | None = None
    echo: bool | None = None


_PEEK = msgspec.json.Decoder(_Request)


def parse_completions_request(body: bytes) -> Call:
    """What the caller asks for. Raises InvalidRequest naming the member at fault."""
    request, fields = read_body(body, _PEEK)
    options = request.stream_options
    stop = request.stop
    return Call(
        operation="text_completion",
        model=request.model,
        stream=bool(request.stream),
        fields=fields,
        body=body,
        include_usage=options is not None and bool(options.include_usage),
        parameters=RequestParameters(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            top_k=request.top_k,
            frequency_penalty=request.frequency_penalty,
            presence_penalty=request.presence_penalty,
            seed=request.seed,
            choice_count=request.n,
            stop_sequences=() if stop is None else (stop,) if isinstance(stop, str) else tuple(stop),
        ),
    )
