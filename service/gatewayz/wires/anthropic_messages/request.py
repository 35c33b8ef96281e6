"""Requests of Anthropic's Messages API as bytes: what a request asks for, and its form for a provider of the same wire.

Pure: no I/O, no clock. As in openai_chat/request.py, unknown members are kept, and every value stays the raw bytes that came.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import orjson
from msgspec import Meta, Struct

from gatewayz.errors import InvalidRequest
from gatewayz.records import Call, RequestParameters
from gatewayz.wires.anthropic_messages.thinking_blocks import is_foreign
from gatewayz.wires.body import MAX_MODEL_CHARACTERS, Count, join_members, read_body
from gatewayz.wires.json_values import list_of, object_of


class _Message(Struct):
    role: str


class _CountRequest(Struct):
    """A ``messages/count_tokens`` request: it asks for no answer."""

    model: Annotated[str, Meta(min_length=1, max_length=MAX_MODEL_CHARACTERS)]
    messages: Annotated[list[_Message], Meta(min_length=1)]


class _Request(_CountRequest):
    max_tokens: Count
    stream: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: float | None = None
    top_k: float | None = None
    stop_sequences: list[str] | None = None


_FOREIGN = (b'"openai:', b'"signature":""', b'"signature": ""')
"""Byte patterns of foreign thinking. They are searched before any parsing: a search through megabytes of images is cheap,
parsing them is not."""

_PEEK = msgspec.json.Decoder(_Request)
_PEEK_COUNT = msgspec.json.Decoder(_CountRequest)


def parse_messages_request(body: bytes) -> Call:
    """What the caller asks for. Raises InvalidRequest naming the member at fault.

    ``include_usage`` is set, because usage is part of every answer on this wire.
    """
    request, fields = read_body(body, _PEEK)
    return Call(
        operation="chat",
        model=request.model,
        stream=bool(request.stream),
        fields=fields,
        body=body,
        include_usage=True,
        parameters=RequestParameters(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            top_k=request.top_k,
            stop_sequences=tuple(request.stop_sequences or ()),
        ),
    )


def parse_count_tokens_request(body: bytes) -> Call:
    """The request to count. Raises InvalidRequest naming the member at fault."""
    request, fields = read_body(body, _PEEK_COUNT)
    return Call(operation="count_tokens", model=request.model, stream=False, fields=fields, body=body)


def messages_to_upstream(call: Call, model: str) -> bytes:
    """The body for a provider of the same wire, with the provider's name of the model. The bytes are unchanged where nothing
    has to change.

    Thinking that another provider produced in earlier turns is left out: Anthropic refuses a conversation that contains it.
    """
    fields = call.fields
    messages = fields["messages"]
    if any(mark in messages for mark in _FOREIGN):
        fields = {**fields, "messages": _without_foreign_thinking(messages)}
    elif model == call.model:
        return call.body
    return join_members({**fields, "model": orjson.dumps(model)})


def _without_foreign_thinking(messages: bytes) -> bytes:
    """Raises InvalidRequest for JSON that can be forwarded but not parsed here: numbers beyond a double, and too deep
    nesting."""
    try:
        return orjson.dumps([_own(message) for message in list_of(orjson.loads(messages))])
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(
            f"The body is not valid JSON: {error.msg}.", code="invalid_json", param="messages"
        ) from None
    except (orjson.JSONEncodeError, RecursionError):
        raise InvalidRequest("The body is nested too deeply.", code="invalid_json", param="messages") from None


def _own(message: Any) -> Any:
    """A turn without foreign thinking; unchanged where nothing else would remain."""
    turn = object_of(message)
    content = list_of(turn.get("content"))
    if turn.get("role") != "assistant":
        return message
    kept = [block for block in content if not is_foreign(object_of(block))]
    return {**turn, "content": kept} if kept and len(kept) < len(content) else message
