"""Requests of OpenAI's Responses API as bytes: what a request asks for, and its form for a provider of the same wire. Pure:
no I/O, no clock."""

from __future__ import annotations

from typing import Annotated

import msgspec
import orjson
from msgspec import Meta, Struct

from gatewayz.records import Call, RequestParameters
from gatewayz.wires.body import MAX_MODEL_CHARACTERS, Count, join_members, read_body


class _Item(Struct):
    type: str | None = None


class _Request(Struct):
    model: Annotated[str, Meta(min_length=1, max_length=MAX_MODEL_CHARACTERS)]
    input: str | list[_Item] | None = None
    stream: bool | None = None
    max_output_tokens: Count | None = None
    temperature: float | None = None
    top_p: float | None = None


_PEEK = msgspec.json.Decoder(_Request)


def parse_responses_request(body: bytes) -> Call:
    """What the caller asks for. Raises InvalidRequest naming the member at fault."""
    request, fields = read_body(body, _PEEK)
    return Call(
        operation="chat",
        model=request.model,
        stream=bool(request.stream),
        fields=fields,
        body=body,
        include_usage=True,  # it is part of the last event, not an event of its own
        parameters=RequestParameters(
            max_tokens=request.max_output_tokens, temperature=request.temperature, top_p=request.top_p
        ),
    )


def responses_to_upstream(call: Call, model: str) -> bytes:
    """The caller's bytes with the provider's name of the model. Usage is reported without asking."""
    if model == call.model:
        return call.body
    return join_members({**call.fields, "model": orjson.dumps(model)})
