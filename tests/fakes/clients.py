"""The vendors' own clients of a gateway under test, and a plain one.

All of them speak plain HTTP to this machine, so none of them reads the certificates that it trusts: that would take longer
(30 ms) than most tests do. They try nothing twice: what happens is what is tested.
"""

from __future__ import annotations

from typing import Any

import anthropic
import httpx
import openai

from tests.fakes.gateway import LiveGateway


def openai_client(gateway: LiveGateway, *, api_key: str | None = None, max_retries: int = 0) -> openai.OpenAI:
    return openai_at(gateway.url, api_key or gateway.api_key, max_retries=max_retries)


def openai_at(url: str, api_key: str, *, max_retries: int = 0) -> openai.OpenAI:
    """``url``: without /v1."""
    http = openai.DefaultHttpxClient(verify=False)
    return openai.OpenAI(base_url=f"{url}/v1", api_key=api_key, max_retries=max_retries, http_client=http)


def async_openai_client(gateway: LiveGateway) -> openai.AsyncOpenAI:
    http = openai.DefaultAsyncHttpxClient(verify=False)
    return openai.AsyncOpenAI(base_url=gateway.openai_url, api_key=gateway.api_key, max_retries=0, http_client=http)


def anthropic_client(gateway: LiveGateway, *, api_key: str | None = None) -> anthropic.Anthropic:
    return anthropic_at(gateway.url, api_key or gateway.api_key)


def anthropic_at(url: str, api_key: str) -> anthropic.Anthropic:
    http = anthropic.DefaultHttpxClient(verify=False)
    return anthropic.Anthropic(base_url=url, api_key=api_key, max_retries=0, http_client=http)


def http_client(**options: Any) -> httpx.Client:
    """Any: whatever httpx.Client takes."""
    return httpx.Client(trust_env=False, verify=False, **options)  # noqa: S501 - plain HTTP


def get(url: str) -> httpx.Response:
    """Over a connection of its own, as ``post``."""
    with http_client(timeout=60) as client:
        return client.get(url)


def post(url: str, **options: Any) -> httpx.Response:
    """Any: whatever httpx.Client.post takes."""
    with http_client(timeout=60) as client:
        return client.post(url, **options)
