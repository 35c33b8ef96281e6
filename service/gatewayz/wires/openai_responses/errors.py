"""Error events of OpenAI's Responses API. Outside a stream its errors have the format of chat's. Pure: no I/O, no clock."""

from __future__ import annotations

import orjson

from gatewayz.errors import GatewayError
from gatewayz.wires.openai_chat.errors import error_body


def error_event(error: GatewayError, sequence_number: int = 0) -> bytes:
    """The stream's ``error`` event. It holds the error twice: flat, as the reference documents it, and as the ``error``
    member that makes the SDKs raise."""
    members = orjson.loads(error_body(error))["error"]
    event = {"type": "error", "sequence_number": sequence_number, "error": members}
    for name in ("code", "message", "param"):
        event[name] = members.get(name)
    return b"event: error\ndata: " + orjson.dumps(event) + b"\n\n"
