"""Providers as an operator adds them, seen at the socket: three lines, every quirk at once, a server that lacks what is listed,
and what becomes of calls that go on from a stored response."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.fakes.clients import anthropic_client, openai_client
from tests.fakes.gateway import LiveGateway, running_gateway
from tests.fakes.provider.endpoints import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    EVERY_PATH,
    MESSAGES,
    RESPONSES,
    WellProvider,
    well_provider,
)

FILE = """
providers:
  plain:
    base_url: {plain.url}
    keys: [PLAIN_KEY]
  odd:
    base_url: {odd.url}
    wire_urls: {{anthropic_messages: {elsewhere.url}}}
    wires: [openai_chat, openai_completions, anthropic_messages]
    embeddings: true
    auth: x-api-key
    keys: [ODD_KEYS, ODD_KEY_2]
    headers: {{x-tenant: blue}}
    otel_name: oddly
    model_prefixes: [odd-]
    models: [odd-1]
    list_models: false
    usage_option: false
    max_tokens_name: max_completion_tokens
    reasoning_back: content
    propagate: true
    timeouts: {{connect_s: 2, first_chunk_s: 3, first_byte_s: 4, idle_s: 5, total_s: 6}}
    max_concurrency: 8
    prices_as: openai
    prices: {{odd-1: {{input: 1, output: 2, cache_read: 0.5, cache_write: 1, reasoning: 3}}}}
    enabled: true
  router:
    base_url: {router.url}
    keys: [ROUTER_KEY]
    wires: [openai_chat, openai_responses]
    reasoning_back: details
  keeper:
    base_url: {keeper.url}
    keys: [KEEPER_KEY]
    wires: [openai_chat, openai_responses]
models:
  stored: [router/m, keeper/m]
  stored-too: [keeper/m, router/m]
"""
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
USER_TURN: Any = {"role": "user", "content": "Weather?"}
NAMES = ("plain", "odd", "elsewhere", "router", "keeper", "openai", "vllm")


@dataclass
class Rig:
    gateway: LiveGateway
    servers: dict[str, WellProvider]
    openai: openai.OpenAI
    anthropic: anthropic.Anthropic

    def paths(self, name: str) -> list[str]:
        return self.servers[name].paths


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rig]:
    directory: Path = tmp_path_factory.mktemp("providers")
    only_chat = {"openai": (CHAT, EMBEDDINGS), "vllm": (CHAT, COMPLETIONS)}
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(well_provider(name, paths=only_chat.get(name, EVERY_PATH))) for name in NAMES
        }
        servers["vllm"].scripts.missing = (404, b'{"detail":"Not Found"}')
        file = directory / "gatewayz.yaml"
        file.write_text(FILE.format(**servers))
        environment = {
            "GATEWAYZ_CONFIG_FILE": str(file),
            "PLAIN_KEY": "plain-key",
            "ODD_KEYS": "odd-1, odd-2",
            "ODD_KEY_2": "odd-3",
            "ROUTER_KEY": "k",
            "KEEPER_KEY": "k",
            "OPENAI_API_KEY": "sk-1",
            "OPENAI_BASE_URL": servers["openai"].url,
            "VLLM_BASE_URL": servers["vllm"].url.removesuffix("/v1"),
        }
        live = stack.enter_context(running_gateway(directory / "data", environment))
        sdk = stack.enter_context(openai_client(live))
        other = stack.enter_context(anthropic_client(live))
        yield Rig(live, servers, sdk, other)


@pytest.fixture
def rig(running: Rig) -> Rig:
    for server in running.servers.values():
        server.forget()
    return running


class TestOneEntryIsAProvider:
    def test_name_address_and_key_are_enough_for_every_endpoint(self, rig: Rig) -> None:
        chat = rig.openai.chat.completions.create(model="plain/m", messages=HELLO, max_tokens=5)
        text = rig.openai.completions.create(model="plain/m", prompt="Hello")
        response = rig.openai.responses.create(model="plain/m", input="Hello", max_output_tokens=5)
        message = rig.anthropic.messages.create(model="plain/m", messages=HELLO, max_tokens=5)
        said = {
            chat.choices[0].message.content,
            text.choices[0].text,
            response.output_text,
            message.content[0].text if message.content[0].type == "text" else "",
        }
        assert said == {"plain says hello"}
        assert rig.paths("plain") == [CHAT] * 4
        assert {one.headers["authorization"] for one in rig.servers["plain"].requests} == {"Bearer plain-key"}
        assert [one.json.get("max_tokens") for one in rig.servers["plain"].requests] == [5, 16, 5, 5]

    def test_every_quirk_of_a_provider_takes_effect(self, rig: Rig) -> None:
        odd = rig.servers["odd"]
        rig.openai.responses.create(model="odd-1", input="Hello", max_output_tokens=5)
        sent = odd.last
        assert (sent.path, sent.json["max_completion_tokens"]) == ("/v1/chat/completions", 5)
        assert sent.headers["x-tenant"] == "blue"
        assert "authorization" not in sent.headers
        assert "traceparent" in sent.headers
        rig.openai.completions.create(model="odd/x", prompt=["one", "two"])  # as it is: chat could not say it
        assert (odd.last.path, odd.last.json["prompt"]) == ("/v1/completions", ["one", "two"])
        rig.openai.embeddings.create(model="odd/e", input="Hello")
        assert odd.last.path == "/v1/embeddings"
        rig.openai.chat.completions.create(model="odd/x", messages=HELLO)
        assert [one.headers["x-api-key"] for one in odd.requests] == ["odd-1", "odd-2", "odd-3", "odd-1"]

    def test_wire_with_an_address_of_its_own_is_called_there(self, rig: Rig) -> None:
        message = rig.anthropic.messages.create(model="odd/x", messages=HELLO, max_tokens=5)
        assert message.content[0].type == "text"
        assert message.content[0].text == "elsewhere says hello"
        assert rig.anthropic.messages.count_tokens(model="odd/x", messages=HELLO).input_tokens == 7
        assert rig.paths("elsewhere") == [MESSAGES, "/messages/count_tokens"]
        version = rig.anthropic.default_headers["anthropic-version"]
        assert rig.servers["elsewhere"].last.headers["anthropic-version"] == version
        assert rig.paths("odd") == []


class TestReasoningGoesBack:
    TOOL_TURN: Any = (
        {"type": "tool_use", "id": "c1", "name": "f", "input": {}},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "sunny"}]},
    )

    def sent(self, rig: Rig, provider: str, thinking: Any) -> Any:
        """The assistant's turn as it reaches the provider, after a caller of messages gave it back."""
        use, result = self.TOOL_TURN
        turns: list[Any] = [USER_TURN, {"role": "assistant", "content": [thinking, use]}, result]
        tool: Any = {"name": "f", "input_schema": {"type": "object"}}
        # Stop sequences, which Responses has no word for: a provider of both is asked by chat.
        rig.anthropic.messages.create(
            model=f"{provider}/m", messages=turns, max_tokens=5, tools=[tool], stop_sequences=["###"]
        )
        return rig.servers[provider].last.json["messages"][1]

    def test_reasoning_is_not_sent_back_unless_configured(self, rig: Rig) -> None:
        for signature in ("", "sig"):
            turn = self.sent(rig, "plain", {"type": "thinking", "thinking": "Hm.", "signature": signature})
            assert set(turn) == {"role", "content", "tool_calls"}

    def test_reasoning_details_keep_signatures(self, rig: Rig) -> None:
        turn = self.sent(rig, "router", {"type": "thinking", "thinking": "Hm.", "signature": "sig"})
        assert (turn["reasoning_details"][0]["text"], turn["reasoning_details"][0]["signature"]) == ("Hm.", "sig")
        turn = self.sent(rig, "router", {"type": "thinking", "thinking": "Hm.", "signature": ""})
        assert turn["reasoning"] == "Hm."

    def test_reasoning_content_is_the_plain_thought(self, rig: Rig) -> None:
        items: list[Any] = [
            USER_TURN,
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "Hm."}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        ]
        rig.openai.responses.create(model="odd/x", input=items)
        turn = rig.servers["odd"].last.json["messages"][1]
        assert turn["reasoning_content"] == "Hm."
        assert turn["tool_calls"][0]["id"] == "c1"


class TestAnAddressThatSpeaksOnlyChat:
    def test_call_falls_back_to_chat_and_the_next_one_goes_there_at_once(self, rig: Rig) -> None:
        for _ in range(3):
            assert (
                rig.openai.responses.create(model="openai/only-chat", input="Hello").output_text == "openai says hello"
            )
        assert rig.paths("openai") == [RESPONSES, CHAT, CHAT, CHAT]

    def test_missing_endpoint_is_remembered_for_every_model(self, rig: Rig) -> None:
        for model in ("vllm/a", "vllm/b"):
            rig.anthropic.messages.create(model=model, messages=HELLO, max_tokens=5)
        assert rig.paths("vllm") == [MESSAGES, CHAT, CHAT]
        rig.openai.completions.create(model="vllm/a", prompt=["one", "two"])
        assert rig.paths("vllm")[-1] == COMPLETIONS
        # An estimate, since nobody there counts.
        assert rig.anthropic.messages.count_tokens(model="vllm/a", messages=HELLO).input_tokens > 0

    def test_call_that_chat_cannot_express_gets_the_providers_error(self, rig: Rig) -> None:
        with pytest.raises(openai.NotFoundError, match="Not Found"):
            rig.openai.responses.create(model="openai/other", input="Hello", previous_response_id="resp_1")
        assert rig.paths("openai") == [RESPONSES]

    def test_unknown_model_is_not_asked_for_twice(self, rig: Rig) -> None:
        scripts = rig.servers["openai"].scripts
        before = scripts.missing
        scripts.missing = (404, b'{"error":{"message":"The model x does not exist","code":"model_not_found"}}')
        try:
            with pytest.raises(openai.NotFoundError, match="does not exist"):
                rig.openai.responses.create(model="openai/absent", input="Hello")
        finally:
            scripts.missing = before
        assert rig.paths("openai") == [RESPONSES]


class TestResponsesAndState:
    def test_previous_response_id_routes_to_the_provider_that_stored_it(self, rig: Rig) -> None:
        first = rig.openai.responses.create(model="stored-too", input="Hello", store=True)
        assert first.output_text == "keeper says hello"
        second = rig.openai.responses.create(model="stored", input="And?", previous_response_id=first.id)
        assert second.output_text == "keeper says hello"
        sent = rig.servers["keeper"].last.json
        assert (sent["previous_response_id"], sent["model"]) == (first.id, "m")
        assert rig.paths("router") == []
        # Nobody else could go on from it: its provider's failure is the answer.
        rig.servers["keeper"].scripts.status = 503
        with pytest.raises(openai.InternalServerError):
            rig.openai.responses.create(model="stored", input="And?", previous_response_id=second.id)
        assert rig.paths("router") == []

    def test_unknown_previous_response_id_goes_to_the_first_candidate(self, rig: Rig) -> None:
        rig.openai.responses.create(model="stored", input="And?", previous_response_id="resp_of_another_day")
        assert rig.paths("router") == [RESPONSES]

    @pytest.mark.parametrize(
        ("members", "hint"),
        [
            ({"previous_response_id": "resp_1"}, "whole history"),
            ({"conversation": "conv_1"}, "whole history"),
            ({"background": True}, "while the caller waits"),
        ],
    )
    def test_member_that_needs_stored_state_is_refused_by_name(
        self, rig: Rig, members: dict[str, Any], hint: str
    ) -> None:
        with pytest.raises(openai.BadRequestError) as caught:
            rig.openai.responses.create(model="plain/m", input="Hello", **members)
        assert caught.value.param == next(iter(members))
        assert hint in str(caught.value)
        assert rig.paths("plain") == []

    def test_stored_responses_endpoints_say_that_nothing_is_stored(self, rig: Rig) -> None:
        asked = (
            lambda: rig.openai.responses.retrieve("resp_1"),
            lambda: rig.openai.responses.delete("resp_1"),
            lambda: rig.openai.responses.cancel("resp_1"),
            lambda: rig.openai.responses.input_items.list("resp_1"),
        )
        for ask in asked:
            with pytest.raises(openai.NotFoundError, match="stores no responses") as caught:
                ask()
            assert caught.value.code == "responses_not_stored"
            assert "'input'" in str(caught.value)
