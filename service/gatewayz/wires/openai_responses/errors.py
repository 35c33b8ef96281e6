"""Errors in a stream of OpenAI's Responses API; elsewhere they are worded as chat's. Pure: no I/O, no clock."""

from __future__ import annotations

import orjson

from gatewayz.errors import GatewayError
from gatewayz.wires.openai_chat.errors import error_body


def error_event(error: GatewayError, sequence_number: int = 0) -> bytes:
    """The stream's ``error`` event. It holds the error twice: flat, as the reference has it, and as the member by which the
    SDKs know that they have to raise."""
    told = orjson.loads(error_body(error))["error"]
    said = {"type": "error", "sequence_number": sequence_number, "error": told}
    for name in ("code", "message", "param"):
        said[name] = told.get(name)
    return b"event: error\ndata: " + orjson.dumps(said) + b"\n\n"
