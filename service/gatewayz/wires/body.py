"""Reads a request body as strict JSON: some members are typed, and every member is kept as the bytes that came.

Shared by all wires whose request is one JSON object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
import orjson
from msgspec import Meta, Raw

from gatewayz.errors import InvalidRequest

MAX_MODEL_CHARACTERS = 256  # longer than any model name in use; a name ends up in spans and logs
MAX_REASON_CHARACTERS = 200

Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]  # the range of a span attribute
Count = Annotated[int, Meta(ge=0, le=2**53)]

Peek = TypeVar("Peek")

_FIELDS = msgspec.json.Decoder(dict[str, Raw])


def read_body(body: bytes, peek: msgspec.json.Decoder[Peek]) -> tuple[Peek, dict[str, bytes]]:
    """The members that ``peek`` types, and all top-level members as raw JSON.

    Raises InvalidRequest naming the member at fault for anything but strict JSON of the right types: no NaN, no byte-order
    mark, no unpaired surrogate, no key twice (the provider might read the other one).
    """
    try:
        if not body.isascii():
            body.decode()
        raw_fields = _FIELDS.decode(body)
        request = peek.decode(body)
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
    return request, fields


def members_of(raw: bytes) -> dict[str, bytes]:
    """The members of a JSON object, each as the bytes that came. The bytes must be an object."""
    return {name: bytes(value) for name, value in _FIELDS.decode(raw).items()}


def join_members(fields: Mapping[str, bytes]) -> bytes:
    """The JSON object with these members."""
    return b"{" + b",".join([orjson.dumps(name) + b":" + value for name, value in fields.items()]) + b"}"


_PATH = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_MISSING = re.compile(r"missing required field `([^`]+)`")


_TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
    "NoneType": "null",
}
_QUOTED = re.compile("`[^`]*`")
_TYPE = re.compile(rf"\b({'|'.join(_TYPES)})\b")


def with_json_types(message: str) -> str:
    """msgspec's message with JSON's names of types in place of Python's, which it puts in backticks. msgspec quotes the
    caller's text at any length; here the message is shortened."""
    renamed = _QUOTED.sub(lambda quoted: _TYPE.sub(lambda found: _TYPES[found.group()], quoted.group()), message)
    return renamed if len(renamed) <= MAX_REASON_CHARACTERS else renamed[:MAX_REASON_CHARACTERS] + "…"


def _invalid(message: str) -> InvalidRequest:
    """msgspec's message as InvalidRequest, with the path at its end as OpenAI's ``param``."""
    path = _PATH.search(message)
    param = path.group(1) if path else ""
    reason = with_json_types(message[: path.start()] if path else message)
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

    A decoder keeps the last of two. If the kept members fill the whole body, there was no other. In compact JSON the length
    alone shows that; otherwise the members are compared in their order.
    """
    filled = 1 + 4 * len(fields)  # braces, and per member two quotes, a colon and a comma (the last one has none)
    for name, value in fields.items():
        filled += len(name) + len(value)
    if filled == len(body):
        return None
    position = body.index(b"{") + 1
    for name, value in fields.items():
        member = _MEMBER.match(body, position)
        if member is None:  # impossible: the body was decoded
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
