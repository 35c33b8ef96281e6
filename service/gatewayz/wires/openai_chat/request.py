"""Requests of OpenAI's chat completions as bytes: what a request asks for, and its form for a provider of the same wire.

Pure: no I/O, no clock. Unknown members are kept, and every value stays the raw bytes that came: 1.0 arrives as 1.0.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import orjson
from msgspec import Meta, Struct

from gatewayz.records import Call, RequestParameters
from gatewayz.wires.body import MAX_MODEL_CHARACTERS, Count, Integer, join_members, members_of, read_body


class _Message(Struct):
    role: str


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Request(Struct):
    model: Annotated[str, Meta(min_length=1, max_length=MAX_MODEL_CHARACTERS)]
    messages: Annotated[list[_Message], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=2**31)] | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: Integer | None = None
    stop: str | list[str] | None = None


_PEEK = msgspec.json.Decoder(_Request)
_INCLUDE_USAGE = b'{"include_usage":true}'


def parse_chat_request(body: bytes) -> Call:
    """What the caller asks for.

    Raises InvalidRequest naming the member at fault for anything but a chat request in strict JSON.
    """
    request, fields = read_body(body, _PEEK)
    options = request.stream_options
    stop = request.stop
    max_tokens = request.max_completion_tokens
    return Call(
        operation="chat",
        model=request.model,
        stream=bool(request.stream),
        fields=fields,
        body=body,
        include_usage=options is not None and bool(options.include_usage),
        parameters=RequestParameters(
            max_tokens=request.max_tokens if max_tokens is None else max_tokens,
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


def chat_to_upstream(call: Call, model: str, *, usage_option: bool = True) -> bytes:
    """The body for a provider of the same wire: with the provider's name of the model, and asking for usage if it streams.

    ``usage_option``: the provider supports ``stream_options.include_usage``. A provider that does not reports usage unasked,
    and the option is removed even if the caller set it. The bytes are unchanged where nothing has to change.
    """
    options = call.fields.get("stream_options")
    add_usage = call.stream and usage_option and not call.include_usage
    drop_usage = not usage_option and options is not None
    if not add_usage and not drop_usage and model == call.model:
        return call.body
    fields = dict(call.fields)
    fields["model"] = orjson.dumps(model)
    if add_usage:
        fields["stream_options"] = _with_usage(options)
    elif drop_usage and options is not None:
        del fields["stream_options"]
        if (rest := _without_usage(options)) is not None:
            fields["stream_options"] = rest
    return join_members(fields)


def _with_usage(options: bytes | None) -> bytes:
    if options is None or options == b"null":
        return _INCLUDE_USAGE
    return join_members({**members_of(options), "include_usage": b"true"})


def _without_usage(options: bytes) -> bytes | None:
    if options == b"null":
        return None
    members = {name: value for name, value in members_of(options).items() if name != "include_usage"}
    return join_members(members) if members else None
