"""Which headers reach a provider, and which come back: seen at the socket, on the first attempt and on a fallback."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.fakes.clients import anthropic_client, openai_client
from tests.fakes.gateway import LiveGateway, running_gateway
from tests.fakes.provider.endpoints import HEADERS, WellProvider, well_provider

FILE = """
providers:
  claude:
    base_url: {claude.url}
    wires: [anthropic_messages]
    auth: x-api-key
    keys: [CLAUDE_KEY]
    headers: {{anthropic-beta: operators-beta-1}}
  second:
    base_url: {second.url}
    wires: [anthropic_messages, openai_chat]
    keys: [SECOND_KEY]
  chatty:
    base_url: {chatty.url}
    keys: [CHATTY_KEY]
    embeddings: true
"""
OURS = {"accept", "accept-encoding", "content-length", "content-type", "host", "user-agent"}
NOSY = {
    "cookie": "a=canary",
    "x-forwarded-for": "203.0.113.9",
    "x-forwarded-host": "canary",
    "forwarded": "for=canary",
    "x-real-ip": "203.0.113.9",
    "baggage": "canary=1",
    "tracestate": "canary=1",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "openai-organization": "org-canary",
    "openai-project": "proj-canary",
    "x-api-key": "canary",
    "proxy-authorization": "Basic canary",
    "x-custom": "canary",
    "anthropic-dangerous-direct-browser-access": "true",
    "x-stainless-canary": "canary",
}


@dataclass
class Rig:
    gateway: LiveGateway
    claude: WellProvider
    second: WellProvider
    chatty: WellProvider

    def post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], Any]:
        request = urllib.request.Request(  # noqa: S310 - an address of ours
            self.gateway.url + path,
            data=orjson.dumps(body),
            headers={
                "Authorization": f"Bearer {self.gateway.api_key}",
                "Content-Type": "application/json",
                **headers,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}, orjson.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, {k.lower(): v for k, v in refused.headers.items()}, orjson.loads(refused.read())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rig]:
    directory: Path = tmp_path_factory.mktemp("headers")
    with (
        well_provider("claude") as claude,
        well_provider("second") as second,
        well_provider("chatty") as chatty,
    ):
        file = directory / "gatewayz.yaml"
        file.write_text(FILE.format(claude=claude, second=second, chatty=chatty))
        environment = {
            "GATEWAYZ_CONFIG_FILE": str(file),
            "CLAUDE_KEY": "claude-key",
            "SECOND_KEY": "second-key",
            "CHATTY_KEY": "chatty-key",
        }
        with running_gateway(directory / "data", environment) as live:
            yield Rig(live, claude, second, chatty)


@pytest.fixture
def rig(running: Rig) -> Rig:
    for server in (running.claude, running.second, running.chatty):
        server.forget()
    return running


MESSAGE: Mapping[str, Any] = {"max_tokens": 10, "messages": [{"role": "user", "content": "Hello"}]}
BETAS = {
    "anthropic-beta": "context-1m-2025-08-07, fine-grained-tool-streaming-2025-05-14",
    "anthropic-version": "2024-01-01",
}


def test_anthropic_beta_and_version_of_a_messages_caller_are_forwarded(rig: Rig) -> None:
    status, _, _ = rig.post("/v1/messages", {"model": "claude/m", **MESSAGE}, BETAS)
    assert status == 200
    headers = rig.claude.last.headers
    assert headers["anthropic-beta"] == f"operators-beta-1,{BETAS['anthropic-beta']}"
    assert headers["anthropic-version"] == "2024-01-01"
    assert headers["x-api-key"] == "claude-key"


def test_anthropic_version_defaults_to_the_usual_one(rig: Rig) -> None:
    rig.post("/v1/messages", {"model": "claude/m", **MESSAGE}, {})
    headers = rig.claude.last.headers
    assert (headers["anthropic-version"], headers["anthropic-beta"]) == ("2023-06-01", "operators-beta-1")
    rig.post("/v1/chat/completions", {"model": "claude/m", "messages": MESSAGE["messages"]}, BETAS)
    headers = rig.claude.last.headers
    assert (headers["anthropic-version"], headers["anthropic-beta"]) == ("2023-06-01", "operators-beta-1")


def test_no_other_header_of_a_caller_is_forwarded(rig: Rig) -> None:
    for path, body in (
        ("/v1/messages", {"model": "claude/m", **MESSAGE}),
        ("/v1/messages/count_tokens", {"model": "claude/m", "messages": MESSAGE["messages"]}),
        ("/v1/chat/completions", {"model": "chatty/m", "messages": MESSAGE["messages"]}),
        ("/v1/embeddings", {"model": "chatty/m", "input": "Hello"}),
        ("/v1/responses", {"model": "chatty/m", "input": "Hello"}),
    ):
        status, _, _ = rig.post(path, body, {**NOSY, **BETAS, "openai-beta": "assistants=v2"})
        assert status == 200, path
    arrived = [*rig.claude.requests, *rig.chatty.requests]
    assert len(arrived) == 5
    for one in arrived:
        allowed = {"authorization", "openai-beta"}
        if one in rig.claude.requests:
            allowed = {"anthropic-version", "anthropic-beta", "x-api-key"}
        elif one is rig.chatty.last:  # translated: another wire
            allowed = {"authorization"}
        assert set(one.headers) <= OURS | allowed, one.path
        told = " ".join(one.headers.values())
        assert "canary" not in told
        assert rig.gateway.api_key not in told
        assert "203.0.113.9" not in told


def test_openai_beta_is_forwarded_only_on_the_same_wire(rig: Rig) -> None:
    beta = {"openai-beta": "assistants=v2"}
    rig.post("/v1/chat/completions", {"model": "chatty/m", "messages": MESSAGE["messages"]}, beta)
    assert rig.chatty.last.headers["openai-beta"] == "assistants=v2"
    rig.post("/v1/responses", {"model": "chatty/m", "input": "Hello"}, beta)  # translated
    assert rig.chatty.last.path == "/v1/chat/completions"
    assert "openai-beta" not in rig.chatty.last.headers
    rig.post("/v1/chat/completions", {"model": "claude/m", "messages": MESSAGE["messages"]}, beta)
    assert "openai-beta" not in rig.claude.last.headers


def test_fallback_gets_the_headers_that_its_own_wire_allows(rig: Rig) -> None:
    rig.claude.scripts.status = 529
    body = {"model": "claude/m", "models": ["second/m", "chatty/m"], **MESSAGE}
    status, headers, _ = rig.post("/v1/messages", body, BETAS)
    assert (status, headers["x-gatewayz-provider"]) == (200, "second")
    sent = rig.second.last.headers
    assert sent["anthropic-beta"] == BETAS["anthropic-beta"]  # the same wire: the operator of that one has set none
    assert (sent["authorization"], "x-api-key" in sent) == ("Bearer second-key", False)

    rig.second.scripts.status = 529
    status, headers, _ = rig.post("/v1/messages", body, BETAS)
    assert (status, headers["x-gatewayz-provider"]) == (200, "chatty")
    sent = rig.chatty.last.headers
    assert set(sent) == OURS | {"authorization"}
    assert sent["authorization"] == "Bearer chatty-key"


@pytest.mark.parametrize("value", ["x" * 2049, "a b", "a;b", "é", "a,,b", ",", "a/b", "{}"])
def test_malformed_beta_header_is_refused_by_name_and_not_sent(rig: Rig, value: str) -> None:
    status, _, body = rig.post("/v1/messages", {"model": "claude/m", **MESSAGE}, {"anthropic-beta": value})
    assert status == 400
    assert "anthropic-beta" in body["error"]["message"]
    assert rig.claude.requests == []


def test_sdk_betas_are_forwarded_and_its_telemetry_headers_are_not(rig: Rig) -> None:
    with anthropic_client(rig.gateway) as client:
        answer = client.beta.messages.create(
            model="claude/m", max_tokens=5, messages=[{"role": "user", "content": "Hello"}], betas=["one-1", "two-2"]
        )
    assert answer.id == "msg_1"
    sent = rig.claude.last.headers
    assert sent["anthropic-beta"] == "operators-beta-1,one-1,two-2"
    with openai_client(rig.gateway) as client:
        client.chat.completions.create(model="chatty/m", messages=[{"role": "user", "content": "Hello"}])
    for one in (sent, rig.chatty.last.headers):
        assert not [name for name in one if name.startswith("x-stainless")]
        assert one["user-agent"].startswith("gatewayz/")


@pytest.mark.parametrize("status", [200, 429, 400])
def test_only_useful_headers_of_a_provider_are_returned(rig: Rig, status: int) -> None:
    rig.claude.scripts.status = status
    seen, headers, _ = rig.post("/v1/messages", {"model": "claude/m", **MESSAGE}, {})
    assert seen == status
    for name in ("openai-processing-ms", "x-ratelimit-remaining-tokens", "anthropic-ratelimit-requests-remaining"):
        assert headers[name] == HEADERS[name]
    assert headers["x-gatewayz-provider-request-id"] == "req_theirs"
    assert headers["request-id"] == headers["x-request-id"] != "req_theirs"  # ours, which leads to the trace
    assert "secret" not in " ".join(f"{name}: {value}" for name, value in headers.items())
    assert not {"set-cookie", "openai-organization", "openai-project", "anthropic-organization-id"} & set(headers)
