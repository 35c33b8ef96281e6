"""Whatever a store does instead of answering, each question ends in one sentence, in time, and in little memory."""

from __future__ import annotations

import asyncio
import base64
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx
import pytest

from gatewayz.queries.collector import Collector
from gatewayz.queries.errors import (
    BadAddress,
    BadQuestion,
    ConnectionBroken,
    Denied,
    NotReady,
    QueryError,
    TooLarge,
    TooSlow,
    Unreachable,
    WrongStore,
)
from gatewayz.queries.logs import LogSearch
from gatewayz.queries.prometheus import Prometheus
from gatewayz.queries.reader import Part, Reader
from gatewayz.queries.stores import logs_at, traces_at
from gatewayz.queries.traces import TraceSearch
from tests.contract.queries.broken import Fault, broken_server

pytestmark = pytest.mark.asyncio(loop_scope="session")

DEADLINE_S = 10.0
SHORT_DEADLINE_S = 0.2
"""Where it is the deadline that is waited for; elsewhere a busy machine shall not reach it."""
MAX_BYTES = 100_000
TRACE_ID = "ab" * 16
SEARCH = TraceSearch(0, 10**18, service="gatewayz-api")
LINES = LogSearch(0, 10**18)

Ask = Callable[[str, httpx.AsyncClient, float], Awaitable[object]]


def _traces(store: str, question: str) -> Ask:
    async def ask(url: str, client: httpx.AsyncClient, deadline_s: float) -> object:
        traces = traces_at(f"{store}+{url}", client, setting="--traces", deadline_s=deadline_s, max_bytes=MAX_BYTES)
        match question:
            case "trace":
                return await traces.trace(TRACE_ID)
            case "search":
                return await traces.search(SEARCH)
            case "search of any service":
                return await traces.search(TraceSearch(0, 10**18))
            case _:
                return await traces.operations("gatewayz-api")

    return ask


def _logs(store: str, question: str) -> Ask:
    async def ask(url: str, client: httpx.AsyncClient, deadline_s: float) -> object:
        logs = logs_at(f"{store}+{url}", client, setting="--logs", deadline_s=deadline_s, max_bytes=MAX_BYTES)
        match question:
            case "of a trace":
                return await logs.of_trace(TRACE_ID, since_ns=0, until_ns=10**18)
            case "search":
                return await logs.search(LINES)
            case "counts":
                return await logs.counts(LINES, step_s=60)
            case _:
                return await anext(logs.tail(LINES))

    return ask


def _reader(url: str, client: httpx.AsyncClient, deadline_s: float = DEADLINE_S) -> Reader:
    return Reader(Part("Prometheus", url, "--prometheus"), client, deadline_s, MAX_BYTES)


QUESTIONS: Mapping[str, Ask] = {
    **{
        f"{store}: {question}": _traces(store, question)
        for store in ("jaeger", "tempo")
        for question in ("trace", "search", "search of any service", "operations")
    },
    **{
        f"{store}: {question}": _logs(store, question)
        for store in ("victorialogs", "loki")
        for question in ("of a trace", "search", "counts", "tail")
    },
    "prometheus: requests": lambda url, client, deadline_s: Prometheus(
        _reader(url, client, deadline_s)
    ).requests_counted("/", "GET", 200),
    "prometheus: exemplars": lambda url, client, deadline_s: Prometheus(
        _reader(url, client, deadline_s)
    ).exemplar_trace_ids("/", since_s=0, until_s=1),
    "prometheus: flags": lambda url, client, deadline_s: Prometheus(
        _reader(url, client, deadline_s)
    ).stores_exemplars(),
    "collector: spans": lambda url, client, deadline_s: Collector(_reader(url, client, deadline_s)).received_spans(),
}

FAULTS: Mapping[Fault, tuple[type[QueryError], str]] = {
    "hangs": (TooSlow, "within 0.2 s"),
    "drips": (TooSlow, "within 0.2 s"),
    "cuts the head": (ConnectionBroken, "breaks the connection"),
    "cuts the body": (ConnectionBroken, "breaks the connection"),
    "500": (NotReady, "answers 500"),
    "429": (NotReady, "answers 429"),
    "401": (Denied, "credentials"),
    "400": (BadQuestion, "refuses the question"),
    "302": (WrongStore, "answers 302"),
    "404": (WrongStore, "is not "),
    "garbage": (WrongStore, "is not "),
    "a page": (WrongStore, "is not "),
    "other JSON": (WrongStore, "is not "),
    "deep JSON": (WrongStore, "is not "),
    "not UTF-8": (WrongStore, "is not "),
    "too large": (TooLarge, "more than 97 KiB"),
    "endless": (TooLarge, "more than 97 KiB"),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_every_failure_is_one_sentence_with_the_address(
    http: httpx.AsyncClient, question: str, fault: Fault
) -> None:
    kind, words = FAULTS[fault]
    deadline_s = SHORT_DEADLINE_S if kind is TooSlow else DEADLINE_S
    async with broken_server(fault) as url:
        began = time.monotonic()
        with pytest.raises(QueryError) as raised:
            await QUESTIONS[question](url, http, deadline_s)

    assert time.monotonic() - began < DEADLINE_S
    assert type(raised.value) is kind, str(raised.value)
    assert words in str(raised.value)
    assert url in str(raised.value)
    assert str(raised.value).isprintable(), "what a server says may not steer a terminal"


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_port_where_nothing_listens_says_what_to_start(http: httpx.AsyncClient, question: str) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{one.getsockname()[1]}"
    with pytest.raises(Unreachable, match=f"Nothing listens at {url}: start .*--") as raised:
        await QUESTIONS[question](url, http, DEADLINE_S)

    assert not raised.value.temporary


@dataclass(frozen=True, slots=True)
class Address:
    url: str
    kind: type[QueryError]
    words: str


@pytest.mark.parametrize(
    "address",
    [
        Address("ftp://127.0.0.1:1", BadAddress, "is no address for"),
        Address("http://[::1", BadAddress, "is no address for"),
        Address("http://127.0.0.1:99999", BadAddress, "is no address for"),
        Address("http://no-such-host.invalid:1", Unreachable, "host in http://no-such-host.invalid:1 is not known"),
    ],
    ids=lambda address: address.url,
)
async def test_a_wrong_address_is_told_from_a_store_that_is_away(http: httpx.AsyncClient, address: Address) -> None:
    with pytest.raises(address.kind, match="--prometheus") as raised:
        await _reader(address.url, http).get("/")

    assert address.words in str(raised.value)


async def test_a_certificate_that_is_none_is_said_to_be_the_trouble(http: httpx.AsyncClient) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 this speaks no TLS\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(Unreachable, match="certificate"):
            await _reader(f"https://127.0.0.1:{port}", http).get("/")


async def test_a_password_reaches_the_store_and_no_message(http: httpx.AsyncClient) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(NotReady) as raised:
            await _reader(f"http://me:s3cret@127.0.0.1:{port}", http).get("/")

    assert b"Basic " + base64.b64encode(b"me:s3cret") in asked[0]
    assert "s3cret" not in str(raised.value)


async def test_an_empty_answer_of_victoria_logs_means_no_lines(http: httpx.AsyncClient) -> None:
    async with broken_server("empty") as url:
        assert await _logs("victorialogs", "search")(url, http, DEADLINE_S) == []
