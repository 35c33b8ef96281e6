"""The HTTP client against a real server that misbehaves on demand: every way to fail has its own error, and none hangs."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from msgspec import structs

from gatewayz.config import load_settings
from gatewayz.errors import (
    GatewayError,
    Overloaded,
    ProviderConnectionFailed,
    ProviderConnectTimeout,
    ProviderFirstChunkTimeout,
    ProviderIdleTimeout,
    ProviderMalformedResponse,
    ProviderStreamCut,
    Unavailable,
)
from gatewayz.upstream import AiohttpUpstream, UpstreamRequest, UpstreamResponse
from gatewayz.upstream.connections import Target
from tests.fakes.provider.server import FakeLLM
from tests.polling import until
from tests.unit.upstream.conftest import HEADERS, PATIENT, ask, request_for

DEADLINE_S = 5


async def collect(response: UpstreamResponse, into: bytearray) -> None:
    async for chunk in response.chunks():
        into += chunk


async def test_connection_is_used_again_after_a_whole_answer(fake: FakeLLM, upstream: AiohttpUpstream) -> None:
    for _ in range(3):
        body = await ask(upstream, request_for(fake, "ok"))
        assert orjson.loads(body)["usage"]["prompt_tokens"] == 11
    assert fake.connections == 1


async def test_nothing_is_added_to_the_headers(fake: FakeLLM, upstream: AiohttpUpstream) -> None:
    await ask(upstream, request_for(fake, "ok"))
    assert set(fake.requests[0].headers) == {"host", "content-length", *(name for name, _ in HEADERS)}


async def test_path_and_query_are_sent_as_they_are_given(fake: FakeLLM, upstream: AiohttpUpstream) -> None:
    """A provider may hold a signature over them against what arrives."""
    for target in ("/v1/model/us.x-v1%3A0/invoke", "/v1/a%2Fb@c:d?alt=sse&x=%20", "/v1/é ü"):
        request = request_for(fake, "ok")
        await ask(upstream, structs.replace(request, url=fake.base_url.removesuffix("/v1") + target))
    sent = [one.path for one in fake.requests]
    assert sent == ["/v1/model/us.x-v1%3A0/invoke", "/v1/a%2Fb@c:d?alt=sse&x=%20", "/v1/%C3%A9%20%C3%BC"]


async def test_changing_headers_are_sent_and_not_remembered(fake: FakeLLM, upstream: AiohttpUpstream) -> None:
    for changing in ((("traceparent", "1"),), (), (("traceparent", "2"),)):
        await ask(upstream, structs.replace(request_for(fake, "ok"), changing_headers=changing))
    assert [one.headers.get("traceparent") for one in fake.requests] == ["1", None, "2"]


async def test_line_break_in_a_header_is_refused(fake: FakeLLM) -> None:
    request = request_for(fake, "ok")
    target = Target(request.url, asyncio.get_running_loop())
    smuggled = (("x-one", "1\r\nx-two: 2"),)
    for members in ({"changing_headers": smuggled}, {"headers": smuggled}):
        with pytest.raises(ValueError, match="line break"):
            target.head(structs.replace(request, **members))


async def test_headers_are_found_by_their_lower_case_name(fake: FakeLLM, upstream: AiohttpUpstream) -> None:
    response = await upstream.send(request_for(fake, "429-retry-after-2"))
    assert response.status == 429
    assert response.headers["retry-after"] == "2"
    response.close()


async def test_cookies_are_not_kept(fake: FakeLLM, upstream: AiohttpUpstream) -> None:
    for _ in range(2):
        await ask(upstream, request_for(fake, "ok"))
    assert "cookie" not in fake.requests[1].headers


async def test_stream_arrives_chunk_by_chunk(fake: FakeLLM, upstream: AiohttpUpstream) -> None:
    response = await upstream.send(request_for(fake, "paced-5-tokens-20-ms", stream=True))
    chunks = [chunk async for chunk in response.chunks()]
    assert len(chunks) > 5
    assert b"".join(chunks).endswith(b"data: [DONE]\n\n")


async def test_redirect_is_returned_and_not_followed(fake: FakeLLM, upstream: AiohttpUpstream) -> None:
    response = await upstream.send(request_for(fake, "redirect"))
    assert response.status == 302
    response.close()
    assert len(fake.requests) == 1


async def test_compressed_answer_is_decoded_although_identity_was_asked_for(
    fake: FakeLLM, upstream: AiohttpUpstream
) -> None:
    assert orjson.loads(await ask(upstream, request_for(fake, "gzip-200")))["id"] == "chatcmpl-fake"


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("close-before-headers", ProviderConnectionFailed),
        ("rst-before-headers", ProviderConnectionFailed),
        ("not-http", ProviderMalformedResponse),
        ("short-200", ProviderStreamCut),
        ("not-gzip-200", ProviderStreamCut),
    ],
)
async def test_each_kind_of_broken_answer_has_its_own_error(
    fake: FakeLLM, upstream: AiohttpUpstream, model: str, error: type[GatewayError]
) -> None:
    with pytest.raises(error) as caught:
        await ask(upstream, request_for(fake, model))
    assert "127.0.0.1" in caught.value.message
    assert "sk-test" not in repr(caught.value)
    assert await ask(upstream, request_for(fake, "ok"))
    assert len(fake.requests) == 2


@pytest.mark.parametrize("model", ["cut-after-3", "rst-after-3"])
async def test_cut_stream_fails_after_the_chunks_before_the_cut(
    fake: FakeLLM, upstream: AiohttpUpstream, model: str
) -> None:
    response = await upstream.send(request_for(fake, model, stream=True))
    received = bytearray()
    with pytest.raises(ProviderStreamCut):
        await collect(response, received)
    assert received.count(b"word") == 3


async def test_closed_port_is_a_failed_connection_that_names_the_reason(upstream: AiohttpUpstream) -> None:
    with FakeLLM.in_thread() as gone:
        request = request_for(gone, "ok")
    with pytest.raises(ProviderConnectionFailed, match=r"127\.0\.0\.1 could not be reached: .*refused"):
        await upstream.send(request)


async def test_unknown_host_name_is_a_failed_connection(fake: FakeLLM, upstream: AiohttpUpstream) -> None:
    request = structs.replace(request_for(fake, "ok"), url="http://nobody.invalid/v1/chat/completions")
    with pytest.raises(ProviderConnectionFailed, match=r"nobody\.invalid could not be resolved"):
        await upstream.send(request)


async def test_plain_text_instead_of_tls_is_a_failed_connection(fake: FakeLLM, upstream: AiohttpUpstream) -> None:
    request = request_for(fake, "ok")
    with pytest.raises(ProviderConnectionFailed, match="TLS with"):
        await upstream.send(structs.replace(request, url=request.url.replace("http:", "https:")))
    assert fake.requests == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
async def test_self_signed_certificate_is_refused_before_anything_is_sent(
    upstream: AiohttpUpstream, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, *subject]
    await asyncio.to_thread(subprocess.run, make, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with FakeLLM.in_thread(tls=context) as fake:
        with pytest.raises(
            ProviderConnectionFailed, match=r"certificate of 127\.0\.0\.1 was not accepted: self.signed"
        ):
            await upstream.send(request_for(fake, "ok"))
        assert fake.requests == []


class TestTimeouts:
    """Each limit has its own error, and the connection is closed afterwards."""

    async def test_headers_that_do_not_come_are_a_first_chunk_timeout(
        self, fake: FakeLLM, upstream: AiohttpUpstream
    ) -> None:
        with pytest.raises(ProviderFirstChunkTimeout, match=r"did not begin to answer within 0\.1 s"):
            await upstream.send(request_for(fake, "hang", timeouts=replace(PATIENT, first_byte_s=0.1)))
        await until(lambda: fake.open_connections == 0, deadline_s=DEADLINE_S)

    async def test_headers_that_drip_are_a_first_chunk_timeout(self, fake: FakeLLM, upstream: AiohttpUpstream) -> None:
        with pytest.raises(ProviderFirstChunkTimeout):
            await upstream.send(request_for(fake, "drip-headers", timeouts=replace(PATIENT, first_byte_s=0.5)))

    async def test_stream_without_a_first_byte_is_a_first_chunk_timeout(
        self, fake: FakeLLM, upstream: AiohttpUpstream
    ) -> None:
        timeouts = replace(PATIENT, first_byte_s=0.2, idle_s=30)
        response = await upstream.send(request_for(fake, "no-first-byte", stream=True, timeouts=timeouts))
        with pytest.raises(ProviderFirstChunkTimeout):
            await anext(response.chunks())
        await until(lambda: fake.open_connections == 0, deadline_s=DEADLINE_S)

    async def test_silence_in_the_middle_is_an_idle_timeout(self, fake: FakeLLM, upstream: AiohttpUpstream) -> None:
        response = await upstream.send(
            request_for(fake, "stall-after-3", stream=True, timeouts=replace(PATIENT, idle_s=0.2))
        )
        received = bytearray()
        with pytest.raises(ProviderIdleTimeout, match="silent"):
            await collect(response, received)
        assert received.count(b"word") == 3
        await until(lambda: fake.open_connections == 0, deadline_s=DEADLINE_S)

    async def test_stream_longer_than_the_total_is_an_idle_timeout(
        self, fake: FakeLLM, upstream: AiohttpUpstream
    ) -> None:
        request = request_for(fake, "paced-1000-tokens-10-ms", stream=True, timeouts=replace(PATIENT, total_s=0.3))
        response = await upstream.send(request)
        with pytest.raises(ProviderIdleTimeout, match=r"did not finish within 0\.3 s"):
            async for _ in response.chunks():
                pass
        await until(lambda: fake.open_connections == 0, deadline_s=DEADLINE_S)

    async def test_total_shorter_than_the_first_byte_limit_wins(self, fake: FakeLLM, upstream: AiohttpUpstream) -> None:
        with pytest.raises(ProviderFirstChunkTimeout, match=r"did not finish within 0\.1 s"):
            await upstream.send(request_for(fake, "hang", timeouts=replace(PATIENT, total_s=0.1)))

    async def test_slow_reader_does_not_count_as_a_silent_provider(
        self, fake: FakeLLM, upstream: AiohttpUpstream
    ) -> None:
        request = request_for(fake, "paced-20-tokens-10-ms", stream=True, timeouts=replace(PATIENT, idle_s=0.15))
        response = await upstream.send(request)
        chunks = response.chunks()
        await anext(chunks)
        await asyncio.sleep(0.4)
        assert b"".join([chunk async for chunk in chunks]).endswith(b"[DONE]\n\n")

    async def test_slow_reader_still_ends_at_the_total(self, fake: FakeLLM, upstream: AiohttpUpstream) -> None:
        request = request_for(fake, "stall-after-3", stream=True, timeouts=replace(PATIENT, total_s=0.2))
        response = await upstream.send(request)
        chunks = response.chunks()
        await anext(chunks)
        await until(lambda: fake.open_connections == 0, deadline_s=DEADLINE_S)
        with pytest.raises(ProviderIdleTimeout):
            async for _ in chunks:
                pass

    async def test_steady_progress_outlives_every_limit_but_the_total(
        self, fake: FakeLLM, upstream: AiohttpUpstream
    ) -> None:
        timeouts = replace(PATIENT, connect_s=0.2, first_byte_s=0.2, idle_s=0.2)
        response = await upstream.send(request_for(fake, "paced-30-tokens-20-ms", stream=True, timeouts=timeouts))
        assert b"".join([chunk async for chunk in response.chunks()]).endswith(b"[DONE]\n\n")

    async def test_server_that_never_answers_the_tls_hello_is_a_connect_timeout(
        self, upstream: AiohttpUpstream
    ) -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        request = UpstreamRequest(
            f"https://127.0.0.1:{port}/v1/chat/completions", HEADERS, b"{}", replace(PATIENT, connect_s=0.2), False
        )
        with pytest.raises(ProviderConnectTimeout, match=r"No connection to 127\.0\.0\.1 within 0\.2 s"):
            await upstream.send(request)
        server.close()
        await server.wait_closed()

    async def test_full_pool_is_an_overload_of_ours_and_no_fault_of_the_provider(self, fake: FakeLLM) -> None:
        upstream = AiohttpUpstream(load_settings(upstream_connections=1))
        first = await upstream.send(request_for(fake, "stall-after-3", stream=True))
        with pytest.raises(Overloaded):
            await upstream.send(request_for(fake, "ok", timeouts=replace(PATIENT, connect_s=0.1)))
        first.close()
        assert await ask(upstream, request_for(fake, "ok"))
        await upstream.close()


class TestCancelling:
    """A caller that stops waiting ends the provider's connection at once."""

    async def test_cancelling_before_the_headers_closes_the_connection(
        self, fake: FakeLLM, upstream: AiohttpUpstream
    ) -> None:
        task = asyncio.create_task(upstream.send(request_for(fake, "hang")))
        await until(lambda: len(fake.requests) == 1, deadline_s=DEADLINE_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: fake.open_connections == 0, deadline_s=DEADLINE_S)
        assert fake.aborted == 1

    async def test_cancelling_in_the_middle_of_a_stream_closes_the_connection(
        self, fake: FakeLLM, upstream: AiohttpUpstream
    ) -> None:
        response = await upstream.send(request_for(fake, "stall-after-3", stream=True))

        async def read_on() -> None:
            async for _ in response.chunks():
                pass

        task = asyncio.create_task(read_on())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: fake.open_connections == 0, deadline_s=DEADLINE_S)

    async def test_closing_an_unread_answer_closes_the_connection(
        self, fake: FakeLLM, upstream: AiohttpUpstream
    ) -> None:
        response = await upstream.send(request_for(fake, "stall-after-3", stream=True))
        response.close()
        response.close()
        await until(lambda: fake.open_connections == 0, deadline_s=DEADLINE_S)
        assert [chunk async for chunk in response.chunks()] == []

    async def test_unsent_bytes_of_a_request_are_dropped_with_its_connection(self, upstream: AiohttpUpstream) -> None:
        """An orderly close would wait until all of it has been taken, which may be never."""
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1/chat/completions"
            timeouts = replace(PATIENT, first_byte_s=0.2)
            with pytest.raises(ProviderFirstChunkTimeout):
                await upstream.send(UpstreamRequest(url, HEADERS, b" " * 20_000_000, timeouts, False))
            connection, _ = deaf.accept()
            await asyncio.sleep(0)  # the loop closes what was aborted in its next turn
            with connection:
                received = await asyncio.to_thread(_drain, connection)
        assert received < 20_000_000

    async def test_timeout_does_not_swallow_a_cancellation_from_outside(
        self, fake: FakeLLM, upstream: AiohttpUpstream
    ) -> None:
        async def call() -> None:
            await upstream.send(request_for(fake, "hang", timeouts=replace(PATIENT, first_byte_s=0.05)))

        task = asyncio.create_task(call())
        with pytest.raises(ProviderFirstChunkTimeout):
            await task
        assert task.cancelling() == 0

    async def test_closed_client_sends_nothing(self, fake: FakeLLM) -> None:
        upstream = AiohttpUpstream(load_settings())
        await upstream.close()
        with pytest.raises(Unavailable):
            await upstream.send(request_for(fake, "ok"))


class TestSize:
    async def test_request_of_megabytes_arrives(self, fake: FakeLLM, upstream: AiohttpUpstream) -> None:
        request = request_for(fake, "ok")
        body = request.body + b" " * 3_000_000
        assert await ask(upstream, structs.replace(request, body=body))
        assert fake.requests[0].body == body

    @pytest.mark.parametrize("model", ["big-body", "gzip-bomb"])
    async def test_endless_answer_is_given_up_at_the_limit(
        self, fake: FakeLLM, upstream: AiohttpUpstream, model: str
    ) -> None:
        response = await upstream.send(request_for(fake, model))
        with pytest.raises(ProviderMalformedResponse, match="more than 1000000 bytes"):
            await response.read(1_000_000)
        await until(lambda: fake.open_connections == 0, deadline_s=DEADLINE_S)

    async def test_provider_waits_while_the_caller_does_not_read(
        self, fake: FakeLLM, upstream: AiohttpUpstream
    ) -> None:
        response = await upstream.send(request_for(fake, "big-body", stream=True))
        await anext(response.chunks())
        await asyncio.sleep(0.3)
        response.close()
        await until(lambda: fake.open_connections == 0, deadline_s=DEADLINE_S)
        assert fake.aborted == 1

    async def test_announced_size_beyond_the_limit_is_not_read_at_all(
        self, fake: FakeLLM, upstream: AiohttpUpstream
    ) -> None:
        response = await upstream.send(request_for(fake, "ok-200-tokens"))
        with pytest.raises(ProviderMalformedResponse):
            await response.read(100)

    async def test_long_answer_within_the_limit_is_read(self, fake: FakeLLM, upstream: AiohttpUpstream) -> None:
        body = await ask(upstream, request_for(fake, "ok-50000-tokens"))
        assert orjson.loads(body)["usage"]["completion_tokens"] == 50_000


class TestReleasing:
    """A connection whose answer is complete belongs to the pool, whatever the one who asked does next."""

    async def test_late_close_does_not_touch_a_connection_that_serves_another_request(
        self, fake: FakeLLM, upstream: AiohttpUpstream
    ) -> None:
        first = await upstream.send(request_for(fake, "ok"))
        await asyncio.sleep(0.05)  # the whole answer has come, and nobody has read it
        second = asyncio.create_task(ask(upstream, request_for(fake, "slow-first-0.1s")))
        await until(lambda: len(fake.requests) == 2, deadline_s=DEADLINE_S)
        first.close()
        assert await second
        assert {request.connection for request in fake.requests} == {1}

    async def test_answer_before_the_whole_request_was_sent_ends_the_connection(
        self, upstream: AiohttpUpstream
    ) -> None:
        """What is left of the question would be taken for the beginning of the next one."""

        async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\n{}")
            ended.set_result(await _read_to_the_end(reader))
            writer.close()

        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(hasty, "127.0.0.1", 0, limit=1024)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        response = await upstream.send(UpstreamRequest(url, HEADERS, b" " * 20_000_000, PATIENT, False))
        assert response.status == 413
        assert await response.read(100) == b"{}"
        assert await asyncio.wait_for(ended, DEADLINE_S) < 20_000_000
        server.close()


async def _read_to_the_end(reader: asyncio.StreamReader) -> int:
    size = 0
    await asyncio.sleep(0.2)  # read slowly, so that the answer overtakes the question
    try:
        while data := await reader.read(65_536):
            size += len(data)
    except ConnectionError:
        pass
    return size


def _drain(connection: socket.socket) -> int:
    """How much there is to read until the other side is gone."""
    connection.settimeout(DEADLINE_S)
    received = 0
    try:
        while data := connection.recv(65_536):
            received += len(data)
    except ConnectionResetError:
        pass
    return received
