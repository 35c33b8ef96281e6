"""OpenAI's chat completions, as bytes: what a request asks for, what it becomes upstream, and how errors are worded.

Pure: no I/O, no clock. Every member that is not understood is kept, and of every value the raw bytes, so that a number
written as 1.0 arrives as 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec
import orjson
from msgspec import Meta, Raw, Struct

from gatewayz.errors import GatewayError, InvalidRequest, ProviderError
from gatewayz.records import Call, RequestParameters
from gatewayz.wires.sse import event_of

MAX_MODEL_CHARACTERS = 256  # longer than any model name in use; a name ends up in spans and logs

Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]  # what a span attribute holds
Count = Annotated[int, Meta(ge=0, le=2**53)]


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
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_INCLUDE_USAGE = b'{"include_usage":true}'


def parse_chat_request(body: bytes, total_timeout_s: float | None = None) -> Call:
    """What the caller asks for.

    Raises InvalidRequest, which names the member at fault, for anything that is not a chat request in strict JSON: no
    NaN, no byte-order mark, no half of a surrogate pair, no key twice (the provider might read the other one).
    """
    try:
        if not body.isascii():
            body.decode()
        raw_fields = _FIELDS.decode(body)
        request = _PEEK.decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.", code="invalid_json") from None
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The body is not valid UTF-8 (byte {error.start}).", code="invalid_json") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.", code="invalid_json") from None
    fields = {name: bytes(value) for name, value in raw_fields.items()}
    if (name := _repeated_key(body, fields)) is not None:
        raise InvalidRequest(f"The member {name!r} is given twice.", code="invalid_json", param=name)
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
        total_timeout_s=total_timeout_s,
    )


def chat_to_upstream(call: Call, model: str, *, usage_option: bool = True) -> bytes:
    """The body for a provider of the same wire: under its own name of the model, and asking for usage where it streams.

    ``usage_option``: the provider knows ``stream_options.include_usage``; one that does not reports usage unasked, and is
    spared the question even if the caller asks it. The caller's very bytes where nothing has to change.
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
    return _object(fields)


def _object(members: Mapping[str, bytes]) -> bytes:
    return b"{" + b",".join([orjson.dumps(name) + b":" + value for name, value in members.items()]) + b"}"


def _with_usage(options: bytes | None) -> bytes:
    if options is None or options == b"null":
        return _INCLUDE_USAGE
    members = {name: bytes(value) for name, value in _FIELDS.decode(options).items()}
    return _object({**members, "include_usage": b"true"})


def _without_usage(options: bytes) -> bytes | None:
    if options == b"null":
        return None
    members = {name: bytes(value) for name, value in _FIELDS.decode(options).items() if name != "include_usage"}
    return _object(members) if members else None


_PATH = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_MISSING = re.compile(r"missing required field `([^`]+)`")


def _invalid(message: str) -> InvalidRequest:
    """msgspec's sentence, with the path in its tail made OpenAI's ``param``."""
    path = _PATH.search(message)
    param = path.group(1) if path else ""
    reason = message[: path.start()] if path else message
    if (missing := _MISSING.search(reason)) is not None:
        param = f"{param}.{missing.group(1)}" if param else missing.group(1)
        return InvalidRequest(f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param)
    if not param:
        return InvalidRequest(f"The body must be a JSON object: {reason}.")
    return InvalidRequest(f"Invalid value for '{param}': {reason}.", code="invalid_value", param=param)


_SPACE = re.compile(rb"[ \t\n\r]*")
_MEMBER = re.compile(rb'[ \t\n\r]*("(?:[^"\\]|\\.)*")[ \t\n\r]*:[ \t\n\r]*', re.DOTALL)


def _repeated_key(body: bytes, fields: Mapping[str, bytes]) -> str | None:
    """The name of a top-level member that occurs twice.

    A decoder keeps the last of two; so if the members that were kept fill the body, there was no other. Compact JSON
    shows that by its length alone; else the members are walked in their order.
    """
    filled = 1 + 4 * len(fields)  # braces, and per member two quotes, a colon and a comma (the last one has none)
    for name, value in fields.items():
        filled += len(name) + len(value)
    if filled == len(body):
        return None
    position = body.index(b"{") + 1
    for name, value in fields.items():
        member = _MEMBER.match(body, position)
        if member is None:  # cannot be, since the body was decoded
            return name
        found = orjson.loads(member.group(1))
        if found != name:
            return str(found)
        if not body.startswith(value, member.end()):
            return name
        space = _SPACE.match(body, member.end() + len(value))
        position = (space.end() if space else member.end() + len(value)) + 1
    extra = _MEMBER.match(body, position)
    return None if extra is None else str(orjson.loads(extra.group(1)))


def error_body(error: GatewayError) -> bytes:
    """The error as OpenAI's clients read it: the provider's own object where it may be handed on, else ours."""
    if isinstance(error, ProviderError) and error.body is not None:
        return error.body
    return orjson.dumps(
        {"error": {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}}
    )


def error_event(error: GatewayError) -> bytes:
    """The error inside a stream that has begun: OpenAI's clients raise it when ``error`` is a member of the data."""
    return event_of(error_body(error))
