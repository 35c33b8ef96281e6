"""What the fake provider does, by the model's name. Numbers in a name are parameters.

ok  ok-200-tokens  paced-10-tokens-20-ms  tools  unicode  cached  reasoning  deepseek-usage  groq-usage
500  503  401  429  … (any status)            500-once  503-twice  late-500-2s  429-retry-after-2  503-retry-after-date …
400-context  redirect  html-200  empty-200  bad-json-200  short-200  gzip-200  not-gzip-200
close-before-headers  rst-before-headers  drip-headers  not-http  hang  slow-first-3s  big-body
gzip-bomb
cut-after-3  rst-after-3  stall-after-3  one-byte-slices  crlf  cr  comments  bad-event-after-3
error-first-event  error-after-3  429-after-3  no-done  no-usage  done-without-blank-line  json-for-stream  no-first-byte
"""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Callable, Sequence
from email.utils import formatdate
from time import time

from gatewayz.records import Usage
from tests.fakes.provider.exchange import (
    ANSWER_TOKENS,
    PROMPT_TOKENS,
    Cut,
    Exchange,
    Json,
    Reset,
    Script,
    delta,
    event,
    head_of,
    opening,
    play,
    reply,
    stream_of,
    usage_json,
    words,
)

FOREVER_S = 3600.0
BIG_BYTES = 80_000_000
PACKET_S = 0.1
"""A pause after which what follows arrives as a packet of its own, most likely: a busy machine may still see one packet."""


async def ok(
    exchange: Exchange, pieces: Sequence[str] | None = None, usage: Json | None = None, pause_s: float = 0
) -> None:
    pieces = words(ANSWER_TOKENS) if pieces is None else pieces
    usage = usage_json(len(pieces)) if usage is None else usage
    if exchange.stream:
        await play(exchange, stream_of(exchange, pieces, usage), pause_s)
    else:
        await exchange.answer(200, reply(exchange, "".join(pieces), usage))


async def tools(exchange: Exchange) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Lisbon"}'}}
    usage = usage_json(ANSWER_TOKENS)
    if not exchange.stream:
        await exchange.answer(200, reply(exchange, "", usage, tool_calls=[call]))
        return
    opened = {"index": 0, **call, "function": {"name": "weather", "arguments": ""}}
    parts = ['{"city"', ':"Lisbon"}']
    events = [
        delta(exchange, {"role": "assistant", "content": None, "tool_calls": [opened]}),
        *(delta(exchange, {"tool_calls": [{"index": 0, "function": {"arguments": part}}]}) for part in parts),
        delta(exchange, {}, "tool_calls"),
        event(exchange, [], usage=usage),
        b"data: [DONE]\n\n",
    ]
    await play(exchange, events)


UNICODE = ["Grüße ", "aus ", "Lissabon ", "🌍", "!"]

CACHED = usage_json(ANSWER_TOKENS, prompt_tokens_details={"cached_tokens": 7})
REASONED = usage_json(ANSWER_TOKENS, completion_tokens_details={"reasoning_tokens": 3})
DEEPSEEK = usage_json(ANSWER_TOKENS, prompt_cache_hit_tokens=6, prompt_cache_miss_tokens=5)


async def groq_usage(exchange: Exchange) -> None:
    if not exchange.stream:
        await ok(exchange)
        return
    events = stream_of(exchange, words(ANSWER_TOKENS), None)
    events[-2] = delta(exchange, {}, "stop", x_groq={"id": "req_1", "usage": usage_json(ANSWER_TOKENS)})
    await play(exchange, events)


async def no_usage(exchange: Exchange) -> None:
    pieces = words(ANSWER_TOKENS)
    if exchange.stream:
        await play(exchange, stream_of(exchange, pieces, None))
    else:
        await exchange.answer(200, reply(exchange, "".join(pieces), None))


# ---- Refusals ----------------------------------------------------------------------------------------------------


async def status(exchange: Exchange, code: int) -> None:
    await exchange.error(code, f"Scripted failure {code}.", "scripted")


async def late(exchange: Exchange, code: int, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await status(exchange, code)


async def limited(exchange: Exchange, code: int, retry_after: str) -> None:
    value = formatdate(time() + 5, usegmt=True) if retry_after == "date" else retry_after
    await exchange.error(code, "Slow down.", "rate_limit_exceeded", retry_after=value)


async def fails_first(exchange: Exchange, code: int, times: int) -> None:
    await (status(exchange, code) if exchange.times <= times else ok(exchange))


async def context(exchange: Exchange) -> None:
    await exchange.error(400, "This model's maximum context length is 8 tokens.", "context_length_exceeded")


async def redirect(exchange: Exchange) -> None:
    await exchange.answer(302, b"", location="http://169.254.169.254/latest/meta-data/")


# ---- Broken answers ----------------------------------------------------------------------------------------------


async def html(exchange: Exchange) -> None:
    await exchange.answer(200, b"<html><body>Welcome to our Wi-Fi</body></html>", "text/html")


async def empty(exchange: Exchange) -> None:
    await exchange.answer(200, b"")


async def bad_json(exchange: Exchange) -> None:
    await exchange.answer(200, b'{"id":"chatcmpl-fake","choices":[{"index":0')


async def short(exchange: Exchange) -> None:
    """Less than was announced."""
    whole = reply(exchange, "hello", usage_json(1))
    await exchange.send(
        head_of(200, {"content-type": "application/json", "content-length": str(len(whole))}) + whole[:-20]
    )
    raise Cut


async def gzipped(exchange: Exchange) -> None:
    await exchange.answer(200, gzip.compress(reply(exchange, "hello", usage_json(1))), content_encoding="gzip")


async def gzip_bomb(exchange: Exchange) -> None:
    await exchange.answer(200, gzip.compress(b" " * BIG_BYTES, 9), content_encoding="gzip")


async def not_gzipped(exchange: Exchange) -> None:
    await exchange.answer(200, reply(exchange, "hello", usage_json(1)), content_encoding="gzip")


async def json_for_stream(exchange: Exchange) -> None:
    await exchange.answer(200, reply(exchange, "hello", usage_json(1)))


async def close_before_headers(exchange: Exchange) -> None:
    raise Cut


async def reset_before_headers(exchange: Exchange) -> None:
    raise Reset


async def drip_headers(exchange: Exchange) -> None:
    for byte in head_of(200, {"content-type": "application/json", "content-length": "2"}):
        await exchange.send(bytes([byte]))
        await asyncio.sleep(0.2)


async def not_http(exchange: Exchange) -> None:
    await exchange.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    await asyncio.sleep(FOREVER_S)


async def hang(exchange: Exchange) -> None:
    await asyncio.sleep(FOREVER_S)


async def slow_first(exchange: Exchange, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await ok(exchange)


async def big_body(exchange: Exchange) -> None:
    await exchange.send(head_of(200, {"content-type": "application/json", "transfer-encoding": "chunked"}))
    block = b" " * 65_536
    for _ in range(BIG_BYTES // len(block)):
        await exchange.chunk(block)
    await exchange.end_stream()


# ---- Broken streams ----------------------------------------------------------------------------------------------


async def begin(exchange: Exchange, count: int) -> None:
    """A stream's first ``count`` words."""
    await exchange.start_stream()
    await exchange.chunk(opening(exchange))
    for piece in words(count):
        await exchange.chunk(delta(exchange, {"content": piece}))


async def cut_after(exchange: Exchange, count: int) -> None:
    await begin(exchange, count)
    raise Cut


async def reset_after(exchange: Exchange, count: int) -> None:
    await begin(exchange, count)
    await asyncio.sleep(PACKET_S)  # an RST overtakes bytes that the reader has not taken yet
    raise Reset


async def stall_after(exchange: Exchange, count: int) -> None:
    await begin(exchange, count)
    await asyncio.sleep(FOREVER_S)


async def bad_event_after(exchange: Exchange, count: int) -> None:
    await begin(exchange, count)
    await asyncio.sleep(PACKET_S)
    await exchange.chunk(b'data: {"id":"chatcmpl-fake","choi\n\n')
    await exchange.end_stream()


async def error_after(exchange: Exchange, count: int) -> None:
    await begin(exchange, count)
    await asyncio.sleep(PACKET_S)
    await exchange.chunk(
        b'data: {"error":{"message":"The server is overloaded","type":"overloaded_error","code":503}}\n\n'
    )
    await exchange.end_stream()


async def limited_after(exchange: Exchange, count: int) -> None:
    await begin(exchange, count)
    await asyncio.sleep(PACKET_S)
    await exchange.chunk(
        b'data: {"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}\n\n'
    )
    await exchange.end_stream()


async def error_first_event(exchange: Exchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(
        b'data: {"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}\n\n'
    )
    await exchange.end_stream()


async def no_first_byte(exchange: Exchange) -> None:
    """Headers at once, and then nothing."""
    await exchange.start_stream()
    await asyncio.sleep(FOREVER_S)


async def no_done(exchange: Exchange) -> None:
    await play(exchange, stream_of(exchange, words(ANSWER_TOKENS), usage_json(ANSWER_TOKENS))[:-1])


async def done_without_blank_line(exchange: Exchange) -> None:
    events = stream_of(exchange, words(ANSWER_TOKENS), usage_json(ANSWER_TOKENS))
    await play(exchange, [*events[:-1], b"data: [DONE]"])


async def rewritten(exchange: Exchange, rewrite: Callable[[bytes], Sequence[bytes]]) -> None:
    """The usual stream, as other bytes that mean the same."""
    if not exchange.stream:
        await ok(exchange, UNICODE)
        return
    whole = b"".join(stream_of(exchange, UNICODE, usage_json(len(UNICODE))))
    await play(exchange, rewrite(whole), 0)


def _one_byte_slices(stream: bytes) -> list[bytes]:
    return [stream[place : place + 1] for place in range(len(stream))]


def _crlf(stream: bytes) -> list[bytes]:
    return [stream.replace(b"\n", b"\r\n")]


def _cr(stream: bytes) -> list[bytes]:
    return [stream.replace(b"\n", b"\r")]


def _comments(stream: bytes) -> list[bytes]:
    return [b": PROCESSING\n\n" + stream.replace(b"data: ", b": keep-alive\nevent: message\nid: 7\ndata: ")]


# ---- The table ---------------------------------------------------------------------------------------------------

_SIMPLE: dict[str, Script] = {
    "ok": ok,
    "tools": tools,
    "unicode": lambda exchange: ok(exchange, UNICODE),
    "cached": lambda exchange: ok(exchange, usage=CACHED),
    "reasoning": lambda exchange: ok(exchange, usage=REASONED),
    "deepseek-usage": lambda exchange: ok(exchange, usage=DEEPSEEK),
    "groq-usage": groq_usage,
    "no-usage": no_usage,
    "400-context": context,
    "redirect": redirect,
    "html-200": html,
    "empty-200": empty,
    "bad-json-200": bad_json,
    "short-200": short,
    "gzip-200": gzipped,
    "gzip-bomb": gzip_bomb,
    "not-gzip-200": not_gzipped,
    "json-for-stream": json_for_stream,
    "close-before-headers": close_before_headers,
    "rst-before-headers": reset_before_headers,
    "drip-headers": drip_headers,
    "not-http": not_http,
    "hang": hang,
    "big-body": big_body,
    "error-first-event": error_first_event,
    "no-first-byte": no_first_byte,
    "no-done": no_done,
    "done-without-blank-line": done_without_blank_line,
    "one-byte-slices": lambda exchange: rewritten(exchange, _one_byte_slices),
    "crlf": lambda exchange: rewritten(exchange, _crlf),
    "cr": lambda exchange: rewritten(exchange, _cr),
    "comments": lambda exchange: rewritten(exchange, _comments),
}

_TIMES = {"once": 1, "twice": 2}

Make = Callable[[Sequence[str]], Script]  # the numbers in the name → what to do

_PATTERNS: tuple[tuple[str, Make], ...] = (
    (r"ok-(\d+)-tokens", lambda given: lambda exchange: ok(exchange, words(int(given[0])))),
    (
        r"paced-(\d+)-tokens-(\d+)-ms",
        lambda given: lambda exchange: ok(exchange, words(int(given[0])), pause_s=int(given[1]) / 1000),
    ),
    (r"(429|503)-retry-after-(.+)", lambda given: lambda exchange: limited(exchange, int(given[0]), given[1])),
    (r"(\d{3})-(once|twice)", lambda given: lambda exchange: fails_first(exchange, int(given[0]), _TIMES[given[1]])),
    (r"(\d{3})", lambda given: lambda exchange: status(exchange, int(given[0]))),
    (r"slow-first-([\d.]+)s", lambda given: lambda exchange: slow_first(exchange, float(given[0]))),
    (r"late-(\d{3})-([\d.]+)s", lambda given: lambda exchange: late(exchange, int(given[0]), float(given[1]))),
    (r"cut-after-(\d+)", lambda given: lambda exchange: cut_after(exchange, int(given[0]))),
    (r"rst-after-(\d+)", lambda given: lambda exchange: reset_after(exchange, int(given[0]))),
    (r"stall-after-(\d+)", lambda given: lambda exchange: stall_after(exchange, int(given[0]))),
    (r"error-after-(\d+)", lambda given: lambda exchange: error_after(exchange, int(given[0]))),
    (r"429-after-(\d+)", lambda given: lambda exchange: limited_after(exchange, int(given[0]))),
    (r"bad-event-after-(\d+)", lambda given: lambda exchange: bad_event_after(exchange, int(given[0]))),
)


def script_of(model: str) -> Script:
    if model in _SIMPLE:
        return _SIMPLE[model]
    for pattern, make in _PATTERNS:
        if (match := re.fullmatch(pattern, model)) is not None:
            return make(match.groups())
    return lambda exchange: exchange.error(404, f"The model `{exchange.model}` does not exist.", "model_not_found")


_COUNTED = re.compile(r"(?:ok|paced)-(\d+)-tokens.*")


def known_usage(model: str) -> Usage:
    """What a script that answers in full reports; for those that fail, nothing is reported."""
    counted = _COUNTED.fullmatch(model)
    return Usage(
        input_tokens=PROMPT_TOKENS,
        output_tokens=int(counted.group(1)) if counted else ANSWER_TOKENS,
        cache_read_tokens={"cached": 7, "deepseek-usage": 6}.get(model, 0),
        reasoning_tokens=3 if model == "reasoning" else 0,
        source="provider",
    )
