"""Answers under status 200 that are not what they should be, on no wire in particular: too long, packed, cut, of another shape.

says-<text>  (that text for a body, or as a stream's one event before [DONE])       endless-body  endless-comments  gzip-bomb
gzip  deflate  raw-deflate  br  zstd  (a chat answer, packed)                          cut-gzip  not-gzip  not-br  two-encodings
short-body  long-refusal-<status>  slow-refusal-<status>  redirect-<status>-<host:port>
"""

from __future__ import annotations

import asyncio
import gzip
import re
import zlib

import orjson

from tests.fakes.provider.exchange import Cut, Exchange, Script, head_of, reply, usage_json
from tests.fakes.provider.scripts import FOREVER_S

BLOCK = 65_536
GIGABYTE = 10**9
JSON = "application/json"


async def says(exchange: Exchange, text: str) -> None:
    if not exchange.stream:
        await exchange.answer(200, text.encode())
        return
    await exchange.start_stream()
    await exchange.chunk(f"data: {text}\n\ndata: [DONE]\n\n".encode())
    await exchange.end_stream()


async def endless_body(exchange: Exchange) -> None:
    """A gigabyte of blanks inside a string: made as it is taken, never held."""
    await exchange.send(head_of(200, {"content-type": JSON, "transfer-encoding": "chunked"}))
    await exchange.chunk(b'{"id":"')
    block = b"x" * BLOCK
    for _ in range(GIGABYTE // BLOCK):
        await exchange.chunk(block)
    await exchange.end_stream()


async def endless_comments(exchange: Exchange) -> None:
    await exchange.start_stream()
    block = b": PROCESSING\n\n" * 1024
    for _ in range(GIGABYTE // len(block)):
        await exchange.chunk(block)


async def endless_event(exchange: Exchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(b"data: ")
    block = b"x" * BLOCK
    for _ in range(GIGABYTE // BLOCK):
        await exchange.chunk(block)


async def gzip_bomb(exchange: Exchange) -> None:
    """A megabyte that unpacks to a gigabyte: the same packed block a thousand times, for after a full flush it stands alone."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(b" " * 10**6) + packer.flush(zlib.Z_FULL_FLUSH)
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    await exchange.answer(200, head + block * (GIGABYTE // 10**6) + b"\x03\0" + bytes(8), content_encoding="gzip")


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _brotli(data: bytes) -> bytes:
    """One meta-block that is not compressed (RFC 7932, section 9.2), and an empty last one."""
    assert len(data) <= BLOCK
    head = (len(data) - 1) << 4 | 1 << 20
    return head.to_bytes(3, "little") + data + b"\x03"


def _zstd(data: bytes) -> bytes:
    """One frame with one raw block (RFC 8878, section 3.1.1)."""
    assert 256 <= len(data) < BLOCK
    return (
        b"\x28\xb5\x2f\xfd\x60"
        + (len(data) - 256).to_bytes(2, "little")
        + (len(data) << 3 | 1).to_bytes(3, "little")
        + data
    )


PACKED = {"gzip": gzip.compress, "deflate": zlib.compress, "raw-deflate": _raw_deflate, "br": _brotli, "zstd": _zstd}


async def packed(exchange: Exchange, how: str) -> None:
    body = reply(exchange, "hello " * 60, usage_json(60))
    await exchange.answer(200, PACKED[how](body), content_encoding=how.removeprefix("raw-"))


async def mislabelled(exchange: Exchange, encoding: str) -> None:
    await exchange.answer(200, reply(exchange, "hello", usage_json(1)), content_encoding=encoding)


async def unlabelled(exchange: Exchange) -> None:
    await exchange.answer(200, gzip.compress(reply(exchange, "hello", usage_json(1))))


async def cut_gzip(exchange: Exchange) -> None:
    await exchange.answer(200, gzip.compress(reply(exchange, "hello", usage_json(1)))[:-12], content_encoding="gzip")


async def short_body(exchange: Exchange) -> None:
    """Less than was announced."""
    whole = reply(exchange, "hello", usage_json(1))
    kind = "text/event-stream" if exchange.stream else JSON
    await exchange.send(head_of(200, {"content-type": kind, "content-length": str(len(whole))}) + whole[:-20])
    raise Cut


async def long_refusal(exchange: Exchange, status: int) -> None:
    await exchange.answer(status, b"<html>" + b" " * (4 * BLOCK), "text/html", retry_after="0")


async def slow_refusal(exchange: Exchange, status: int) -> None:
    """The status at once, the body never."""
    await exchange.send(head_of(status, {"content-type": JSON, "content-length": "100", "retry-after": "60"}))
    await asyncio.sleep(FOREVER_S)


async def cut_refusal(exchange: Exchange, status: int) -> None:
    await exchange.send(head_of(status, {"content-type": JSON, "content-length": "100"}) + b'{"error":')
    raise Cut


async def redirect(exchange: Exchange, status: int, place: str) -> None:
    body = orjson.dumps({"error": {"message": "over there"}})
    await exchange.answer(status, body, location=f"http://{place}/latest/meta-data/")


def body_script(name: str) -> Script | None:
    kind, _, rest = name.partition("-")
    match kind, rest:
        case "says", text:
            return lambda exchange: says(exchange, text)
        case "endless", "body":
            return endless_body
        case "endless", "comments":
            return endless_comments
        case "endless", "event":
            return endless_event
        case "gzip", "bomb":
            return gzip_bomb
        case "cut", "gzip":
            return cut_gzip
        case "unlabelled", "gzip":
            return unlabelled
        case "short", "body":
            return short_body
        case "not", encoding:
            return (lambda exchange: mislabelled(exchange, encoding)) if encoding != "http" else None
        case _ if name in PACKED:
            return lambda exchange: packed(exchange, name)
        case _:
            return _with_status(name)


_REFUSALS = {"long": long_refusal, "slow": slow_refusal, "cut": cut_refusal}


def _with_status(name: str) -> Script | None:
    if (found := re.fullmatch(r"(long|slow|cut)-refusal-(\d{3})", name)) is not None:
        return lambda exchange: _REFUSALS[found.group(1)](exchange, int(found.group(2)))
    if (found := re.fullmatch(r"redirect-(\d{3})-([\d.:]+)", name)) is not None:
        return lambda exchange: redirect(exchange, int(found.group(1)), found.group(2))
    return None
