"""What goes to a provider, and what of its answer goes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gatewayz.config import load_settings
from gatewayz.errors import ProviderBadRequest
from gatewayz.providers.base import Provider, returned_headers
from gatewayz.providers.catalog import load_providers
from gatewayz.wires.openai_chat.errors import error_body
from gatewayz.wires.refusals.by_status import provider_error
from tests.fakes.provider.server import FakeLLM
from tests.unit.providers.requests import chat


@pytest.fixture
def fake() -> Iterator[FakeLLM]:
    with FakeLLM.in_thread() as fake:
        yield fake


@pytest.fixture
def provider(fake: FakeLLM) -> Provider:
    return load_providers(load_settings(), {"OPENAI_API_KEY": "sk-canary-123456789", "OPENAI_BASE_URL": fake.base_url})[
        "openai"
    ]


TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_request_carries_our_key_and_nothing_of_the_callers(fake: FakeLLM, provider: Provider) -> None:
    body = b'{"model":"ok","messages":[{"role":"user"}]}'
    response = await provider.upstream.send(chat(provider, body, stream=False, traceparent=TRACEPARENT))
    assert response.status == 200
    await response.read(100_000)
    await provider.upstream.close()
    received = fake.requests[0]
    assert received.path == "/v1/chat/completions"
    assert received.body == body
    assert set(received.headers) == {
        "host", "content-length", "content-type", "accept", "accept-encoding", "user-agent", "authorization",
    }  # fmt: skip
    assert received.headers["authorization"] == "Bearer sk-canary-123456789"
    assert received.headers["user-agent"].startswith("gatewayz/")


def test_a_trace_is_carried_on_only_to_providers_that_are_ours(provider: Provider) -> None:
    ours = replace(provider, propagate=True)
    assert dict(chat(ours, traceparent=TRACEPARENT).headers)["traceparent"] == TRACEPARENT.decode()
    assert "traceparent" not in dict(chat(provider, traceparent=TRACEPARENT).headers)


def test_a_stream_must_begin_sooner_than_a_whole_answer(provider: Provider) -> None:
    assert provider.timeouts(stream=True).first_byte_s < provider.timeouts(stream=False).first_byte_s


def test_a_caller_may_shorten_an_attempt_but_not_lengthen_it(provider: Provider) -> None:
    assert chat(provider, total_s=3).timeouts.total_s == 3
    assert chat(provider, total_s=1e9).timeouts == provider.timeouts(stream=False)


async def test_only_harmless_headers_come_back(provider: Provider) -> None:
    request = chat(provider, b'{"model":"429-retry-after-2","messages":[{"role":"user"}]}', stream=False)
    response = await provider.upstream.send(request)
    returned = dict(returned_headers(response.headers))
    response.close()
    await provider.upstream.close()
    assert returned == {
        b"content-type": b"application/json",
        b"retry-after": b"2",
        b"x-ratelimit-remaining-requests": b"41",
    }


def test_our_key_is_struck_from_what_a_provider_says(provider: Provider) -> None:
    body = b'{"error":{"message":"bad request with sk-canary-123456789 in it"}}'
    error = provider_error(400, {}, body, now_s=0.0, secrets=provider.secrets)
    assert isinstance(error, ProviderBadRequest)
    assert b"canary" not in error_body(error)
    assert b"bad request with [redacted] in it" in error_body(error)
