"""The three kinds of answer that are measured, and the requests that ask for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal, assert_never

Shape = Literal["unary", "burst", "paced"]
SHAPES: tuple[Shape, ...] = ("unary", "burst", "paced")

EVENTS = 50
"""Events of a stream, ``[DONE]`` included: what the upstream sends and the yardstick imitates."""

SYSTEM = "Answer like a ship's log: short, dated, no adjectives. Say when you do not know. " * 3
USER = "Which lights did we pass between the Skerries and Holyhead, and when did each come into sight? " * 3


def title(shape: Shape) -> str:
    """A heading for people."""
    match shape:
        case "unary":
            return "Whole answers (about 700 bytes in, 480 out)"
        case "burst":
            return f"Streams of {EVENTS} events, back to back"
        case "paced":
            return f"Streams of {EVENTS} events, one each 10 ms"
        case _:
            assert_never(shape)


def chat_body(shape: Shape, model: str) -> bytes:
    """A chat completion request of about 700 bytes."""
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}],
        "temperature": 0.7,
        "max_tokens": 256,
    }
    if shape != "unary":
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    if shape == "paced":
        body["user"] = "paced"  # what the upstream goes by: load/upstream.go
    return json.dumps(body, separators=(",", ":")).encode()


def http_request(path: str, body: bytes, key: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of one HTTP/1.1 request, as an SDK would send it."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: gatewayz-benchmarks",
        "Accept: application/json",
        "Content-Type: application/json",
        f"Authorization: Bearer {key}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
