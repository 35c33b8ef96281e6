"""Clients whose base URL has one /v1 too many, or none, or a slash behind it, reach what they mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest

from gatewayz.dataplane.paths import full_path, is_data_plane
from tests.fakes.gateway import LiveGateway
from tests.polling import eventually
from tests.unit.dataplane.conftest import Raw, chat

PROMPT: Any = [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", "//v1"])
@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_sdks_work_with_every_base_url_that_users_write(gateway: LiveGateway, suffix: str, vendor: str) -> None:
    base_url, key = gateway.url + suffix, gateway.api_key
    if vendor == "openai":
        with openai.OpenAI(base_url=base_url, api_key=key, max_retries=0) as client:
            assert client.chat.completions.create(model="demo/fast", messages=PROMPT).choices[0].message.content
            assert client.responses.create(model="demo/fast", input="Hello").output_text
            assert client.models.retrieve("demo/fast").id == "demo/fast"
            assert "demo/fast" in [model.id for model in client.models.list()]
    else:
        with anthropic.Anthropic(base_url=base_url, api_key=key, max_retries=0) as client:
            assert client.messages.create(model="demo/fast", max_tokens=50, messages=PROMPT).content
            assert client.messages.count_tokens(model="demo/fast", messages=PROMPT).input_tokens
            assert "demo/fast" in [model.id for model in client.models.list()]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/v1/chat/completions",
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "//chat/completions",
        "/chat/completions?api-version=1",
    ],
)
def test_extra_prefix_or_slash_is_ignored(send: Raw, path: str) -> None:
    assert send("POST", path, chat()).status == 200


def test_record_has_the_route_that_the_path_means(gateway: LiveGateway, send: Raw) -> None:
    request_id = send("POST", "/messages/", b"{").headers["x-request-id"]

    def find() -> dict[str, object] | None:
        return next((one for one in gateway.records() if one["request_id"] == request_id), None)

    assert eventually(find)["route"] == "/v1/messages"


def test_error_has_the_format_of_the_endpoint_that_the_path_means(send: Raw) -> None:
    assert json.loads(send("POST", "/v1/v1/messages", b"{").body)["type"] == "error"


def test_unknown_path_stays_unknown(send: Raw) -> None:
    for path in ("/v1/", "/v1/v1/v1/models", "/v1/chat", "/v1/nothing/"):
        assert send("GET", path).error["code"] == "unknown_url"
    for path in ("/modelsx", "/v2/models", "/chat"):
        assert send("GET", path).error["code"] == "not_found"


def test_control_plane_keeps_its_paths(send: Raw) -> None:
    for path in ("/", "/health", "/metrics", "/openapi.json"):
        assert not is_data_plane(path)
        assert send("GET", path).status == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/metrics", "/metrics/json", "/metrics/health", "/metrics/reset"),
        *(
            f"/prometheus/metrics/{kind}"
            for kind in ("all", "system", "providers", "models", "business", "performance")
        ),
        *("/prometheus/metrics/summary", "/prometheus/metrics/docs", "/prometheus/data/metrics"),
        *("/health", "/health/dashboard", "/models/stats", "/api/monitoring/stats/realtime", "/api/chat"),
        *("//models/stats", "/models/stats/", "/models//stats"),
    ],
)
def test_control_plane_path_is_served_or_unknown_there_and_never_asks_for_a_key(send: Raw, path: str) -> None:
    reply = send("GET", path, authorization="")
    assert reply.status in (200, 404)
    assert "x-request-id" not in reply.headers, "the data plane answered"
    if reply.status == 404:
        assert reply.error["code"] == "not_found"


@pytest.mark.parametrize("path", ["/models", "/models/demo/fast", "/models/stats-model", "/v1/models/stats"])
def test_models_are_the_data_planes_with_and_without_v1(send: Raw, path: str) -> None:
    assert is_data_plane(path)
    assert send("GET", path, authorization="").status == 401


@pytest.mark.parametrize("of", [is_data_plane, full_path])
def test_path_of_slashes_is_read_in_linear_time(of: Callable[[str], object]) -> None:
    for path in ("/" * 30_000, "/v1" * 10_000, "/v1/" * 8_000 + "models", "//v1" * 8_000, "/models" + "/" * 30_000):
        of(path)
