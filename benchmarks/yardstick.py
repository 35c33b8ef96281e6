"""The yardstick: the least that an answer from Python under uvicorn can cost. Run as ``python -m benchmarks.yardstick PORT``.

A raw ASGI callable, uvloop and httptools; it reads the body and answers bytes made beforehand, as many and as large as
the gateway's. What the gateway takes beyond this is the gateway's own.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

# ASGI's messages are plain dicts of mixed values by specification.
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

EVENTS = 50
PACE_S = 0.01

REPLY = b'{"object":"chat.completion","choices":[{"index":0,"message":{"content":"' + b"x" * 400 + b'"}}]}'
EVENT = (
    b'data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"' + b"x" * 150 + b'"}}]}\n\n'
)
LAST_EVENT = b"data: [DONE]\n\n"

REPLY_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(REPLY)).encode())]
STREAM_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8")]


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Answer ``/unary``, ``/burst`` and ``/paced``; anything else is answered like ``/unary``."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    path: str = scope["path"]
    if path not in {"/burst", "/paced"}:
        await send({"type": "http.response.start", "status": 200, "headers": REPLY_HEADERS})
        await send({"type": "http.response.body", "body": REPLY})
        return
    await send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
    due_s = asyncio.get_running_loop().time()
    for number in range(EVENTS):
        if path == "/paced":
            # Kept from the start, so that lateness does not add up.
            due_s += PACE_S
            await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))
        event = LAST_EVENT if number == EVENTS - 1 else EVENT
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
