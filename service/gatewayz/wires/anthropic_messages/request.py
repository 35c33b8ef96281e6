"""Anthropic's Messages API, as bytes: what a request asks for, and what it becomes where the provider speaks the same wire.

Pure: no I/O, no clock. As in chat.py every member that is not understood is kept, and of every value the raw bytes.
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
    """What ``messages/count_tokens`` takes: a request that asks for no answer."""

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
"""What to look for before anything is taken apart: megabytes of images are searched in no time, but not parsed."""

_PEEK = msgspec.json.Decoder(_Request)
_PEEK_COUNT = msgspec.json.Decoder(_CountRequest)


def parse_messages_request(body: bytes) -> Call:
    """What the caller asks for. Raises InvalidRequest, which names the member at fault.

    ``include_usage`` is set, because usage is part of every answer of this wire.
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
    """What is to be counted. Raises InvalidRequest, which names the member at fault."""
    request, fields = read_body(body, _PEEK_COUNT)
    return Call(operation="count_tokens", model=request.model, stream=False, fields=fields, body=body)


def messages_to_upstream(call: Call, model: str) -> bytes:
    """The body for a provider of the same wire, under its own name of the model; the caller's very bytes where nothing has to
    change.

    Of earlier turns, the thinking is left out that some other provider's answer had, before this one took its place: Anthropic
    refuses a conversation with thinking in it that is not its own.
    """
    fields = call.fields
    messages = fields["messages"]
    if any(mark in messages for mark in _FOREIGN):
        fields = {**fields, "messages": _without_foreign_thinking(messages)}
    elif model == call.model:
        return call.body
    return join_members({**fields, "model": orjson.dumps(model)})


def _without_foreign_thinking(messages: bytes) -> bytes:
    """Raises InvalidRequest for JSON that can be handed on but not be taken apart: numbers beyond a double, and depths."""
    try:
        return orjson.dumps([_own(message) for message in list_of(orjson.loads(messages))])
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(
            f"The body is not valid JSON: {error.msg}.", code="invalid_json", param="messages"
        ) from None
    except (orjson.JSONEncodeError, RecursionError):
        raise InvalidRequest("The body is nested too deeply.", code="invalid_json", param="messages") from None


def _own(message: Any) -> Any:
    """A turn without foreign thinking; as it is where that would leave nothing."""
    turn = object_of(message)
    content = list_of(turn.get("content"))
    if turn.get("role") != "assistant":
        return message
    kept = [block for block in content if not is_foreign(object_of(block))]
    return {**turn, "content": kept} if kept and len(kept) < len(content) else message
