"""The catalogue: who can be called, with what, and what is said when an entry or a variable is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayz.config import load_settings
from gatewayz.errors import ConfigurationError, ProviderRateLimited
from gatewayz.providers.base import Providers
from gatewayz.providers.catalog import Opener, load_config, load_providers, shipped_catalog
from gatewayz.upstream import AiohttpUpstream
from tests.unit.providers.requests import chat


def load(environment: dict[str, str] | None = None, **settings: object) -> Providers:
    return load_providers(load_settings(**settings), environment or {})


class TestAvailability:
    def test_without_any_key_there_is_the_demo(self) -> None:
        providers = load()
        assert list(providers) == ["demo"]
        assert providers.unavailable["openai"] == "no_key"
        assert providers.unavailable["ollama"] == "not_configured"

    def test_the_demo_can_be_switched_off(self) -> None:
        providers = load(demo_enabled=False)
        assert list(providers) == []
        assert providers.unavailable["demo"] == "disabled"

    def test_a_key_makes_its_provider_available_and_keeps_the_order_of_the_catalogue(self) -> None:
        providers = load({"GROQ_API_KEY": "gsk-1", "OPENAI_API_KEY": "sk-1"})
        assert list(providers) == ["demo", "openai", "groq"]
        assert all(type(providers[name].upstream) is AiohttpUpstream for name in ("openai", "groq"))
        assert providers["openai"].upstream is providers["groq"].upstream

    def test_an_empty_key_is_none(self) -> None:
        assert "openai" not in load({"OPENAI_API_KEY": "  "})

    def test_a_keyless_provider_is_offered_when_its_address_is_given(self) -> None:
        provider = load({"OLLAMA_BASE_URL": "http://gpu-box:11434/v1"})["ollama"]
        assert chat(provider).url == "http://gpu-box:11434/v1/chat/completions"
        assert (provider.server_address, provider.server_port) == ("gpu-box", 11434)
        assert "authorization" not in dict(chat(provider).headers)

    def test_the_gauge_shows_both_kinds(self) -> None:
        shown = {attributes["gatewayz.provider.name"]: value for value, attributes in load().availability()}
        assert shown["demo"] == 1
        assert shown["openai"] == 0

    def test_names_follow_the_convention(self) -> None:
        providers = load({"MISTRAL_API_KEY": "k1234567", "TOGETHER_API_KEY": "k1234567"})
        assert providers["mistral"].otel_name == "mistral_ai"
        assert providers["together"].otel_name == "together"


class TestBaseUrls:
    def test_any_providers_address_can_be_replaced(self) -> None:
        provider = load({"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"})["openai"]
        assert chat(provider).url == "http://127.0.0.1:9/v1/chat/completions"

    @pytest.mark.parametrize(
        ("given", "called"),
        [
            ("http://127.0.0.1:9", "http://127.0.0.1:9/v1/messages"),
            ("http://127.0.0.1:9/", "http://127.0.0.1:9/v1/messages"),
            ("http://127.0.0.1:9/v1/", "http://127.0.0.1:9/v1/messages"),
            ("http://127.0.0.1:9/proxy/anthropic", "http://127.0.0.1:9/proxy/anthropic/messages"),
        ],
    )
    def test_an_address_without_a_path_gets_the_usual_one(self, given: str, called: str) -> None:
        provider = load({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": given})["anthropic"]
        assert provider.request("/messages", b"", stream=False).url == called

    def test_a_wire_that_the_vendor_serves_elsewhere_is_expected_under_an_address_of_ones_own(
        self, tmp_path: Path
    ) -> None:
        def called(environment: dict[str, str], text: str = "") -> str:
            file = tmp_path / "gatewayz.yaml"
            file.write_text(text)
            provider = load({"DEEPSEEK_API_KEY": "k", **environment}, config_file=file)["deepseek"]
            return provider.request("/messages", b"", stream=False, wire="anthropic_messages").url

        assert called({}) == "https://api.deepseek.com/anthropic/v1/messages"
        assert called({"DEEPSEEK_BASE_URL": "http://127.0.0.1:9/v1"}) == "http://127.0.0.1:9/v1/messages"
        moved = "providers: {deepseek: {base_url: 'https://proxy.example/v1'}}"
        assert called({}, moved) == "https://proxy.example/v1/messages"
        both = moved.replace("}}", ", wire_urls: {anthropic_messages: 'https://proxy.example/claude'}}}")
        assert called({}, both) == "https://proxy.example/claude/messages"

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("ftp://x", "http:// or https://"),
            ("api.openai.com", "http:// or https://"),
            ("https://", "must name a host"),
            ("https://a b", "must name a host"),
            ("https://x:99999", "not a valid address"),
            ("https://x:0", "must name a host"),
            ("https://user:pass@x", "must not hold credentials"),
            ("https://x/v1?key=1", "query"),
            ("https://x/v1#y", "fragment"),
            ("http://[::1", "not a valid address"),
        ],
    )
    def test_a_wrong_address_names_its_variable(self, url: str, reason: str) -> None:
        with pytest.raises(ConfigurationError, match=reason) as caught:
            load({"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "sk-1"})
        assert str(caught.value).startswith("OPENAI_BASE_URL: ")
        assert "pass" not in str(caught.value)


class TestSecrets:
    def test_no_repr_shows_a_key(self) -> None:
        providers = load({"OPENAI_API_KEY": "sk-canary"})
        provider = providers["openai"]
        request = chat(provider, b"prompt-canary", stream=True)
        secrets = provider.keys.secrets
        shown = f"{provider!r} {provider} {provider.keys!r} {secrets!r} {secrets[0]} {request!r} {request.headers!r}"
        assert "canary" not in shown
        assert dict(request.headers)["authorization"] == "Bearer sk-canary"

    @pytest.mark.parametrize("key", ["sk-1\nX-Evil: 1", "sk 1", "sk-é", "sk\x00"])
    def test_a_key_that_cannot_be_one_is_refused_without_showing_it(self, key: str) -> None:
        with pytest.raises(ConfigurationError, match="OPENAI_API_KEY") as caught:
            load({"OPENAI_API_KEY": key})
        assert key not in str(caught.value)


class TestTheShippedCatalogue:
    def test_it_holds_what_is_promised(self) -> None:
        promised = (
            "openai anthropic gemini openrouter groq mistral deepseek xai cohere together fireworks perplexity cerebras nvidia "
            "huggingface featherless chutes deepinfra sambanova moonshot ollama vllm lmstudio demo"
        )
        assert set(shipped_catalog()) == set(promised.split())

    def test_every_key_variable_belongs_to_one_provider(self) -> None:
        variables = [variable for entry in shipped_catalog().values() for variable in entry.keys]
        assert len(variables) == len(set(variables))

    def test_a_prefix_claims_the_models_that_the_entry_lists_and_no_other_makers(self) -> None:
        makers = {name: entry.model_prefixes for name, entry in shipped_catalog().items() if entry.model_prefixes}
        for name, prefixes in makers.items():
            for other, entry in shipped_catalog().items():
                if other != name and other in makers:
                    assert not [model for model in entry.models if model.startswith(prefixes)], (name, other)

    @pytest.mark.parametrize(
        ("name", "wires", "path", "header"),
        [
            ("openai", ("openai_chat", "openai_responses"), "/chat/completions", ("authorization", "Bearer k-1")),
            ("anthropic", ("anthropic_messages",), "/messages", ("x-api-key", "k-1")),
            ("gemini", ("gemini",), "/models/gemini-2.5-pro:generateContent", ("x-goog-api-key", "k-1")),
        ],
    )
    def test_each_wire_gets_its_key_in_its_own_way(
        self, name: str, wires: tuple[str, ...], path: str, header: tuple[str, str]
    ) -> None:
        provider = load(dict.fromkeys(shipped_catalog()[name].keys, "k-1"))[name]
        assert provider.wires == wires
        request = provider.request(path, b"{}", stream=False, key=provider.take_key("x", 0.0))
        assert request.url == shipped_catalog()[name].base_url + path
        assert header in request.headers
        assert [value for _, value in request.headers].count(header[1]) == 1
        assert ("anthropic-version" in dict(request.headers)) == (name == "anthropic")


class TestKeyPools:
    def test_one_variable_may_hold_several_keys(self) -> None:
        provider = load({"OPENAI_API_KEY": "sk-1, sk-2,,sk-1"})["openai"]
        sent = [dict(chat(provider).headers)["authorization"] for _ in range(4)]
        assert sent == ["Bearer sk-1", "Bearer sk-2", "Bearer sk-1", "Bearer sk-2"]

    def test_all_variables_that_are_set_are_used(self) -> None:
        provider = load({"GEMINI_API_KEY": "g-1", "GOOGLE_API_KEY": "g-1,g-2"})["gemini"]
        assert [secret.reveal() for secret in provider.keys.secrets] == ["g-1", "g-2"]

    def test_a_provider_that_asked_to_be_left_alone_with_every_key_is(self) -> None:
        provider = load({"OPENAI_API_KEY": "sk-1,sk-2"})["openai"]
        for _ in range(2):
            key = provider.take_key("gpt-4o", 0.0)
            provider.refused(key, "gpt-4o", 429, 30.0, 0.0)
        with pytest.raises(ProviderRateLimited) as caught:
            provider.take_key("gpt-4o", 10.0)
        assert caught.value.retry_after_s == pytest.approx(20.0)
        assert provider.wait_s("gpt-4o", 10.0) == pytest.approx(20.0)
        assert provider.take_key("o3", 10.0) is not None
        assert provider.take_key("gpt-4o", 30.0) is not None

    def test_a_provider_without_keys_needs_none(self) -> None:
        provider = load({"OLLAMA_BASE_URL": "http://gpu-box:11434/v1"})["ollama"]
        assert provider.take_key("x", 0.0) is None
        assert provider.wait_s("x", 0.0) == 0


class TestOwnProviders:
    TEXT = """
providers:
  acme:
    base_url: https://api.acme.example/v1
    keys: [ACME_API_KEY]
    models: [acme-large]
    timeouts: {first_chunk_s: 3, total_s: 90}
    max_concurrency: 7
    headers: {X-Team: search}
  ollama: {}
  groq: {enabled: false}
models:
  smart: openai/gpt-5
"""

    def test_one_entry_adds_a_provider(self, tmp_path: Path) -> None:
        providers = self.load(tmp_path, {"ACME_API_KEY": "a-1"})
        acme = providers["acme"]
        request = chat(acme, stream=True)
        assert request.url == "https://api.acme.example/v1/chat/completions"
        assert dict(request.headers)["x-team"] == "search"
        assert (request.timeouts.first_byte_s, request.timeouts.total_s) == (3, 90)
        assert request.timeouts.idle_s == load_settings().upstream.idle_timeout_s
        assert acme.timeouts(stream=False).first_byte_s == load_settings().upstream.first_byte_timeout_s
        assert acme.max_concurrency == 7
        assert acme.serves("acme-large")
        assert next(iter(providers)) == "acme"

    def test_a_keyless_provider_is_offered_when_the_file_names_it(self, tmp_path: Path) -> None:
        providers = self.load(tmp_path, {})
        assert providers["ollama"].base_url == "http://127.0.0.1:11434/v1"
        assert providers.unavailable["vllm"] == "not_configured"
        assert providers.unavailable["acme"] == "no_key"

    def test_a_provider_can_be_switched_off(self, tmp_path: Path) -> None:
        assert self.load(tmp_path, {"GROQ_API_KEY": "g"}).unavailable["groq"] == "disabled"

    def test_groups_come_along(self, tmp_path: Path) -> None:
        assert self.load(tmp_path, {}).groups["smart"].targets[0].model == "openai/gpt-5"

    def load(self, directory: Path, environment: dict[str, str]) -> Providers:
        file = directory / "own.yaml"
        file.write_text(self.TEXT)
        return load(environment, config_file=file)


class TestReplacement:
    async def test_a_reload_keeps_what_was_learned_and_the_http_client(self) -> None:
        settings = load_settings()
        opener = Opener(settings, {"OPENAI_API_KEY": "sk-1,sk-2", "GROQ_API_KEY": "g"})
        providers = opener.providers(load_config(settings))
        before = providers["openai"]
        before.learn("gpt-99")
        before.refused(before.take_key("o3", 0.0), "o3", 429, 60.0, 0.0)
        after = opener.providers(load_config(settings))
        generation = providers.generation
        providers.replace(after)
        assert providers["openai"] is not before
        assert providers["openai"].known_model("gpt-99") == "gpt-99"
        assert providers["openai"].upstream is before.upstream
        taken = [providers["openai"].take_key("o3", 1.0) for _ in range(2)]
        assert [key.reveal() for key in taken if key is not None] == ["sk-2", "sk-2"]
        assert providers.generation != generation
        await providers.close()


class TestModels:
    def test_plain_names_find_their_provider(self) -> None:
        providers = load({"OPENAI_API_KEY": "k", "DEEPSEEK_API_KEY": "k", "GROQ_API_KEY": "k"})
        serving = {
            model: [name for name, provider in providers.items() if provider.serves(model)]
            for model in (
                "gpt-4o",
                "gpt-99-turbo",
                "o3-mini",
                "deepseek-chat",
                "llama-3.1-8b-instant",
                "fast",
                "unheard-of",
            )
        }
        assert serving == {
            "gpt-4o": ["openai"],
            "gpt-99-turbo": ["openai"],
            "o3-mini": ["openai"],
            "deepseek-chat": ["deepseek"],
            "llama-3.1-8b-instant": ["groq"],
            "fast": ["demo"],
            "unheard-of": [],
        }

    def test_metrics_name_what_the_catalogue_knows(self) -> None:
        provider = load({"OPENAI_API_KEY": "k"})["openai"]
        assert provider.known_model("gpt-4o") == "gpt-4o"
        assert provider.known_model("gpt-99") == "other"

    def test_metrics_name_what_has_answered(self) -> None:
        provider = load({"OPENAI_API_KEY": "k"})["openai"]
        provider.learn("gpt-99")
        assert provider.known_model("gpt-99") == "gpt-99"

    def test_there_is_an_end_to_learning(self) -> None:
        provider = load({"OPENAI_API_KEY": "k"})["openai"]
        for number in range(1000):
            provider.learn(f"model-{number}")
        known = [number for number in range(1000) if provider.known_model(f"model-{number}") != "other"]
        assert known == list(range(200))

    def test_providers_learn_each_for_themselves(self) -> None:
        first, second = load({"OPENAI_API_KEY": "k"})["openai"], load({"OPENAI_API_KEY": "k"})["openai"]
        first.learn("x")
        assert second.known_model("x") == "other"
