"""Model lists of providers, fetched in the background from a real socket; no call ever waits for one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from itertools import pairwise

import msgspec
import orjson
import pytest

from gatewayz.config import load_settings
from gatewayz.providers.catalog import load_providers
from gatewayz.providers.model_lists import MAX_RETRY_S, REFRESH_S, RETRY_S, ModelLists, models_request, read_models
from gatewayz.providers.registry import Providers
from gatewayz.providers.state import MAX_LISTED
from tests.polling import until


class ListServer:
    """Answers every request with ``status`` and ``body``, and keeps the requests' heads."""

    def __init__(self) -> None:
        self.status = 200
        self.body = orjson.dumps({"object": "list", "data": [{"id": "gpt-of-today"}]})
        self.seen: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None
        """Happens before an answer."""
        self.address = ""

    async def __aenter__(self) -> ListServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.seen.append(head.decode())
        self.meanwhile()
        writer.write(
            b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            % (self.status, len(self.body))
        )
        writer.write(self.body)
        await writer.drain()
        writer.close()


@pytest.fixture
async def server() -> AsyncGenerator[ListServer]:
    async with ListServer() as server:
        yield server


@pytest.fixture
async def providers(server: ListServer) -> AsyncGenerator[Providers]:
    providers = configured(server)
    yield providers
    await providers.close()


def configured(server: ListServer) -> Providers:
    return load_providers(load_settings(), {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": server.address})


async def test_listed_models_are_served(server: ListServer, providers: Providers) -> None:
    before = providers.generation
    await ModelLists(providers).refresh(0.0)
    assert server.seen[0].startswith("GET /v1/models HTTP/1.1\r\n")
    assert "authorization: Bearer sk-1" in server.seen[0]
    assert "gpt-of-today" in list(providers.state("openai").all_models())
    assert next(iter(providers.state("openai").all_models())) == providers["openai"].models[0]
    assert providers.state("openai").known_model("gpt-of-today") == "other"
    assert providers.generation != before


async def test_list_that_arrives_during_a_reload_is_kept(server: ListServer, providers: Providers) -> None:
    server.meanwhile = lambda: providers.replace(configured(server))
    await ModelLists(providers).refresh(0.0)
    assert "gpt-of-today" in list(providers.state("openai").all_models())


async def test_list_is_fetched_again_when_due_and_not_before(server: ListServer, providers: Providers) -> None:
    lists = ModelLists(providers)
    await lists.refresh(0.0)
    generation = providers.generation
    await lists.refresh(REFRESH_S - 1)
    assert len(server.seen) == 1
    await lists.refresh(REFRESH_S)
    assert len(server.seen) == 2
    assert providers.generation == generation  # nothing new


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]]", b'{"data":7}', b"7", b'{"error":{"message":"not now"}}'])
async def test_answer_that_is_no_list_changes_nothing(server: ListServer, providers: Providers, body: bytes) -> None:
    server.body = body
    await ModelLists(providers).refresh(0.0)
    assert list(providers.state("openai").all_models()) == list(providers["openai"].models)


async def test_failed_fetch_keeps_the_list_before(server: ListServer, providers: Providers) -> None:
    lists = ModelLists(providers)
    await lists.refresh(0.0)
    server.body = b'{"error":{"message":"not now"}}'
    await lists.refresh(REFRESH_S)
    assert len(server.seen) == 2
    assert "gpt-of-today" in list(providers.state("openai").all_models())


async def test_failing_provider_is_asked_less_and_less_often(server: ListServer, providers: Providers) -> None:
    server.status = 500
    lists = ModelLists(providers)
    now_s, asked_at = 0.0, [0.0]
    await lists.refresh(now_s)
    while now_s < 20_000:
        now_s += RETRY_S / 2
        before = len(server.seen)
        await lists.refresh(now_s)
        if len(server.seen) > before:
            asked_at.append(now_s)
    pauses = [later - earlier for earlier, later in pairwise(asked_at)]
    assert pauses[:3] == [RETRY_S, 2 * RETRY_S, 4 * RETRY_S]
    assert max(pauses) == MAX_RETRY_S


async def test_unreachable_provider_keeps_its_configured_models(providers: Providers, server: ListServer) -> None:
    await server.__aexit__()
    await ModelLists(providers).refresh(0.0)
    assert list(providers.state("openai").all_models()) == list(providers["openai"].models)
    await server.__aenter__()


async def test_task_fetches_by_itself_until_closed(server: ListServer, providers: Providers) -> None:
    lists = ModelLists(providers, tick_s=0.02)
    lists.open()
    await until(lambda: "gpt-of-today" in list(providers.state("openai").all_models()))
    await lists.close()


async def test_shipped_providers_without_a_list_are_not_asked() -> None:
    providers = load_providers(load_settings(), {"PERPLEXITY_API_KEY": "p"})
    assert not providers["demo"].list_models
    assert not providers["perplexity"].list_models


def test_list_of_thousands_is_cut() -> None:
    state = load_providers(load_settings(), {"OPENAI_API_KEY": "k"}).state("openai")
    state.set_listed(f"model-{number}" for number in range(10 * MAX_LISTED))
    assert len(list(state.all_models())) == MAX_LISTED + len(state.provider.models)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"data":[{"id":"a"},{"id":"b"}]}', ["a", "b"]),
        (b'[{"id":"a"},{"id":"b"}]', ["a", "b"]),
        (b'{"models":[{"name":"models/gemini-2.5-pro"}],"nextPageToken":"x"}', ["gemini-2.5-pro"]),
        (b'{"data":[{"id":"a","type":"model","display_name":"A"}],"has_more":false}', ["a"]),
        (b'{"data":[{},{"id":""},{"id":"a\\nb"},{"id":"ok"}]}', ["ok"]),
        (b'{"data":[]}', []),
        (b'{"object":"list","data":["a",{"id":7},{"id":"b","created":"today"},null,[1]],"models":null}', ["a", "b"]),
    ],
)
def test_every_format_of_list_is_read(body: bytes, names: list[str]) -> None:
    assert list(read_models(body)) == names


def test_bytes_that_are_no_list_raise() -> None:
    with pytest.raises(msgspec.DecodeError):
        list(read_models(b"nothing"))


@pytest.mark.parametrize(
    ("variable", "name", "url"),
    [
        ("OPENAI_API_KEY", "openai", "https://api.openai.com/v1/models"),
        ("ANTHROPIC_API_KEY", "anthropic", "https://api.anthropic.com/v1/models?limit=1000"),
        ("GEMINI_API_KEY", "gemini", "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000"),
    ],
)
def test_each_wire_has_its_own_models_path(variable: str, name: str, url: str) -> None:
    provider = load_providers(load_settings(), {variable: "k"})[name]
    request = models_request(provider, provider.keys[0])
    assert (request.url, request.method, request.body) == (url, "GET", b"")
