"""What goes to a provider, and what of its answer goes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gatewayz.config import load_settings
from gatewayz.errors import ProviderBadRequest
from gatewayz.providers.base import Payload
from gatewayz.providers.catalog import load_providers
from gatewayz.providers.forwarded_headers import merged
from gatewayz.providers.registry import Providers
from gatewayz.providers.returned_headers import answer_headers, refusal_headers
from gatewayz.wires.openai_chat.errors import error_body
from gatewayz.wires.refusals.by_status import provider_error
from tests.fakes.provider.server import FakeLLM
from tests.unit.providers.requests import chat


@pytest.fixture
def fake() -> Iterator[FakeLLM]:
    with FakeLLM.in_thread() as fake:
        yield fake


@pytest.fixture
def providers(fake: FakeLLM) -> Providers:
    environment = {"OPENAI_API_KEY": "sk-canary-123456789", "OPENAI_BASE_URL": fake.base_url}
    return load_providers(load_settings(), environment)


TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_request_carries_our_key_and_no_header_of_the_caller(fake: FakeLLM, providers: Providers) -> None:
    body = b'{"model":"ok","messages":[{"role":"user"}]}'
    provider = providers["openai"]
    response = await provider.send(chat(providers, "openai", body, traceparent=TRACEPARENT))
    assert response.status == 200
    await response.read(100_000)
    await providers.close()
    received = fake.requests[0]
    assert received.path == "/v1/chat/completions"
    assert received.body == body
    assert set(received.headers) == {
        "host", "content-length", "content-type", "accept", "accept-encoding", "user-agent", "authorization",
    }  # fmt: skip
    assert received.headers["authorization"] == "Bearer sk-canary-123456789"
    assert received.headers["user-agent"].startswith("gatewayz/")


async def test_trace_is_propagated_only_where_the_entry_says_so(fake: FakeLLM, providers: Providers) -> None:
    assert not chat(providers, "openai", traceparent=TRACEPARENT).changing_headers
    provider = replace(providers["openai"], propagate=True)
    payload = Payload("/chat/completions", b'{"model":"ok","messages":[{"role":"user"}]}', stream=False)
    request = provider.request(payload, provider.timeouts(stream=False), provider.keys[0], traceparent=TRACEPARENT)
    response = await provider.send(request)
    await response.read(100_000)
    await providers.close()
    assert fake.requests[0].headers["traceparent"] == TRACEPARENT.decode()


def test_requests_with_the_same_key_share_their_headers(providers: Providers) -> None:
    assert chat(providers, "openai").headers is chat(providers, "openai").headers


def test_callers_header_takes_the_place_of_ours_and_joins_the_operators_list() -> None:
    ours = (("anthropic-version", "2023-06-01"), ("anthropic-beta", "operators"))
    assert merged(ours, (("anthropic-version", "2023-06-01"),)) is None
    changed = merged(ours, (("anthropic-version", "2026-10-21"), ("anthropic-beta", "callers")))
    assert changed == (("anthropic-version", "2026-10-21"), ("anthropic-beta", "operators,callers"))


def test_stream_must_begin_sooner_than_a_whole_answer(providers: Providers) -> None:
    provider = providers["openai"]
    assert provider.timeouts(stream=True).first_byte_s < provider.timeouts(stream=False).first_byte_s


def test_caller_may_shorten_timeouts_but_not_lengthen_them(providers: Providers) -> None:
    provider = providers["openai"]
    own = provider.timeouts(stream=False)
    assert provider.timeouts(stream=False, total_s=3, first_byte_s=1e9) == replace(own, total_s=3)
    assert provider.timeouts(stream=False, first_byte_s=2) == replace(own, first_byte_s=2)
    assert provider.timeouts(stream=False, total_s=1e9, first_byte_s=1e9) is own


async def test_rate_limits_and_provider_request_id_are_returned_and_nothing_else(providers: Providers) -> None:
    body = b'{"model":"429-retry-after-2","messages":[{"role":"user"}]}'
    response = await providers["openai"].send(chat(providers, "openai", body))
    received = response.headers
    response.close()
    await providers.close()
    assert dict(answer_headers(received, "openai")) == {
        b"retry-after": b"2",
        b"x-ratelimit-remaining-requests": b"41",
        b"x-gatewayz-provider": b"openai",
    }
    assert dict(refusal_headers(received)) == {b"x-ratelimit-remaining-requests": b"41"}


def test_our_key_is_struck_from_provider_error_message(providers: Providers) -> None:
    body = b'{"error":{"message":"bad request with sk-canary-123456789 in it"}}'
    error = provider_error(400, {}, body, now_s=0.0, secrets=providers["openai"].secrets)
    assert isinstance(error, ProviderBadRequest)
    assert b"canary" not in error_body(error)
    assert b"bad request with [redacted] in it" in error_body(error)
