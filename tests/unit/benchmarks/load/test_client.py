"""The load generator counts what was answered whole, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import pytest

from benchmarks.load.program import ClientResult, Server, run_client
from benchmarks.processes import Cores
from benchmarks.shapes import EVENTS, SHAPES, Shape, chat_body, http_request

Load = Callable[..., Awaitable[ClientResult]]

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def load(program: Path, cores: Cores, tmp_path: Path) -> Load:
    """One short run against an address."""

    async def run(address: str, shape: Shape = "unary", connections: int = 2) -> ClientResult:
        request = tmp_path / "request.http"
        request.write_bytes(http_request("/v1/chat/completions", chat_body(shape, "gpt-4o-mini"), "key"))
        seen, _ = await asyncio.to_thread(
            run_client,
            program,
            address=address,
            request=request,
            connections=connections,
            seconds=0.2,
            core=cores.others,
        )
        return seen

    return run


@asynccontextmanager
async def answering(*pieces: bytes, closes: bool = False) -> AsyncGenerator[str]:
    """A server that answers each request with these pieces, each in a write of its own, and may then hang up."""

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        serving.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if closes:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            serving.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"
        # The client has gone, so each connection ends by itself; until then its socket is open.
        await asyncio.gather(*serving)


def chunked(*events: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in events) + b"0\r\n\r\n"


def bytewise(data: bytes) -> Sequence[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_answer_of_the_upstream_counts(serve: Callable[[str], Server], load: Load, shape: Shape) -> None:
    seen = await load(serve("upstream").address, shape)

    assert seen.sent == seen.ok > 0
    assert (seen.not_200, seen.broken, seen.reason) == (0, 0, "")
    assert seen.events == (0 if shape == "unary" else EVENTS * seen.ok)
    assert 0 < seen.first_byte_p50_us <= seen.p50_us <= seen.p99_us <= seen.max_us


async def test_a_paced_stream_takes_as_long_as_its_events(serve: Callable[[str], Server], load: Load) -> None:
    seen = await load(serve("upstream").address, "paced")

    assert seen.p50_us >= (EVENTS - 1) * 10_000
    assert seen.first_byte_p50_us < seen.p50_us / 2


async def test_another_status_is_no_answer(load: Load) -> None:
    async with answering(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}") as address:
        seen = await load(address)

    assert seen.ok == 0
    assert seen.not_200 == seen.sent > 0
    assert seen.reason == "status 503"


async def test_a_stream_without_done_is_broken(load: Load) -> None:
    async with answering(STREAM_HEAD + chunked(b"data: 1\n\n", b"data: 2\n\n")) as address:
        seen = await load(address)

    assert seen.ok == 0
    assert seen.broken == seen.sent > 0
    assert "[DONE]" in seen.reason


async def test_a_connection_lost_within_the_answer_is_broken(load: Load) -> None:
    async with answering(STREAM_HEAD + b"ff\r\ndata: 1", closes=True) as address:
        seen = await load(address)

    assert seen.ok == 0
    assert seen.broken == seen.sent > 0


async def test_a_stream_cut_into_single_bytes_is_read_whole(load: Load) -> None:
    whole = STREAM_HEAD + chunked(b"data: 1\n", b"\ndata: 2\n\ndata: [DO", b"NE]\n\n")
    async with answering(*bytewise(whole)) as address:
        seen = await load(address)

    assert seen.ok == seen.sent > 0
    assert seen.events == 3 * seen.ok


async def test_a_connection_that_the_server_closes_is_opened_anew(load: Load) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    async with answering(answer, closes=True) as address:
        seen = await load(address)

    assert seen.ok == seen.sent > 2
