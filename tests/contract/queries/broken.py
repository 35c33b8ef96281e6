"""A server that fails in one way at everything it is asked, and says nothing of what it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

Fault = Literal[
    "hangs",
    "drips",
    "cuts the head",
    "cuts the body",
    "500",
    "429",
    "401",
    "400",
    "302",
    "404",
    "empty",
    "garbage",
    "a page",
    "other JSON",
    "deep JSON",
    "not UTF-8",
    "too large",
    "endless",
]

PAGE = b"<!doctype html><title>Router login</title>"


@asynccontextmanager
async def broken_server(fault: Fault) -> AsyncGenerator[str]:
    """Its address."""
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                if not await _answer(fault, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            connections.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in connections:
            task.cancel()


async def _answer(fault: Fault, writer: asyncio.StreamWriter) -> bool:
    """Whether the connection may be used again."""
    match fault:
        case "hangs":
            await asyncio.sleep(3600)
        case "drips":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
            while True:  # never silent for long, never done
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        case "cuts the head":
            writer.write(b"HTTP/1.1 200 O")
            return False
        case "cuts the body":
            writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"data":')
            return False
        case "endless":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(b'{"data":[]}\n' * 1000)
                await writer.drain()
        case _:
            status, body = _whole(fault)
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n".encode())
            writer.write((b"location: http://127.0.0.1:1/\r\n" if status == 302 else b"") + b"\r\n" + body)
            await writer.drain()
    return True


def _whole(fault: Fault) -> tuple[int, bytes]:
    match fault:
        case "500" | "429" | "401" | "400" | "302" | "404":
            return int(fault), b"said \x1b[31mby the [bold]server[/bold]\nitself"
        case "empty":
            return 200, b""
        case "garbage":
            return 200, b'{"data": [{"trace'
        case "a page":
            return 200, PAGE
        case "other JSON":
            return 200, b'{"data":{"result":7},"result":7,"trace":7,"traces":7,"tagValues":7,"hits":7,"_time":7}'
        case "deep JSON":
            return 200, b'{"data":' + b"[" * 50_000
        case "not UTF-8":
            return 200, b'{"data":["\xff\xfe"],"result":"\xff","trace":"\xff","traces":["\xff"],"tagValues":"\xff"}'
        case _:
            return 200, b'{"data":[' + b" " * 200_000 + b"]}"
