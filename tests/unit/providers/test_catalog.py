"""The catalogue: which providers can be called, with what, and the error when an entry or a variable is wrong."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from gatewayz.config import load_settings
from gatewayz.errors import ConfigurationError, ProviderRateLimited
from gatewayz.providers.base import Payload
from gatewayz.providers.catalog import ProviderFactory, load_config, load_providers, shipped_catalog
from gatewayz.providers.registry import Providers
from gatewayz.upstream import AiohttpUpstream
from tests.unit.providers.requests import chat


def load(environment: dict[str, str] | None = None, **settings: object) -> Providers:
    return load_providers(load_settings(**settings), environment or {})


class TestAvailability:
    def test_demo_alone_is_available_without_keys(self) -> None:
        providers = load()
        assert list(providers) == ["demo"]
        assert providers.unavailable["openai"] == "no_key"
        assert providers.unavailable["ollama"] == "not_configured"

    def test_demo_can_be_switched_off(self) -> None:
        providers = load(demo_enabled=False)
        assert list(providers) == []
        assert providers.unavailable["demo"] == "disabled"

    def test_key_makes_its_provider_available_in_catalogue_order(self) -> None:
        providers = load({"GROQ_API_KEY": "gsk-1", "OPENAI_API_KEY": "sk-1"})
        assert list(providers) == ["demo", "openai", "groq"]
        assert all(type(providers[name].upstream) is AiohttpUpstream for name in ("openai", "groq"))
        assert providers["openai"].upstream is providers["groq"].upstream

    def test_blank_key_counts_as_none(self) -> None:
        assert "openai" not in load({"OPENAI_API_KEY": "  "})

    def test_keyless_provider_is_available_when_its_address_is_set(self) -> None:
        providers = load({"OLLAMA_BASE_URL": "http://gpu-box:11434/v1"})
        address = providers["ollama"].address
        assert chat(providers, "ollama").url == "http://gpu-box:11434/v1/chat/completions"
        assert (address.host, address.port) == ("gpu-box", 11434)
        assert "authorization" not in dict(chat(providers, "ollama").headers)

    def test_availability_gauge_shows_available_and_unavailable_providers(self) -> None:
        shown = {attributes["gatewayz.provider.name"]: value for value, attributes in load().availability()}
        assert shown["demo"] == 1
        assert shown["openai"] == 0

    def test_otel_names_follow_the_convention(self) -> None:
        providers = load({"MISTRAL_API_KEY": "k1234567", "TOGETHER_API_KEY": "k1234567"})
        assert providers["mistral"].otel_name == "mistral_ai"
        assert providers["together"].otel_name == "together"


class TestBaseUrls:
    def test_base_url_variable_replaces_the_address(self) -> None:
        providers = load({"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"})
        assert chat(providers, "openai").url == "http://127.0.0.1:9/v1/chat/completions"

    @pytest.mark.parametrize(
        ("given", "called"),
        [
            ("http://127.0.0.1:9", "http://127.0.0.1:9/v1/messages"),
            ("http://127.0.0.1:9/", "http://127.0.0.1:9/v1/messages"),
            ("http://127.0.0.1:9/v1/", "http://127.0.0.1:9/v1/messages"),
            ("http://127.0.0.1:9/proxy/anthropic", "http://127.0.0.1:9/proxy/anthropic/messages"),
        ],
    )
    def test_address_without_a_path_gets_the_usual_path(self, given: str, called: str) -> None:
        provider = load({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": given})["anthropic"]
        assert provider.address.url("anthropic_messages", "/messages") == called

    def test_wire_served_elsewhere_by_the_vendor_moves_along_with_the_base_url(self, tmp_path: Path) -> None:
        def called(environment: dict[str, str], text: str = "") -> str:
            file = tmp_path / "gatewayz.yaml"
            file.write_text(text)
            provider = load({"DEEPSEEK_API_KEY": "k", **environment}, config_file=file)["deepseek"]
            return provider.address.url("anthropic_messages", "/messages")

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
    def test_wrong_address_is_reported_with_its_variable(self, url: str, reason: str) -> None:
        with pytest.raises(ConfigurationError, match=reason) as caught:
            load({"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "sk-1"})
        assert str(caught.value).startswith("OPENAI_BASE_URL: ")
        assert "pass" not in str(caught.value)


class TestSecrets:
    def test_no_repr_shows_a_key(self) -> None:
        providers = load({"OPENAI_API_KEY": "sk-canary"})
        provider, state = providers["openai"], providers.state("openai")
        request = chat(providers, "openai", b"prompt-canary", stream=True)
        keys = provider.keys
        shown = (
            f"{provider!r} {provider} {provider.auth!r} {state!r} {keys!r} {keys[0]} {request!r} {request.headers!r}"
        )
        assert "canary" not in shown
        assert dict(request.headers)["authorization"] == "Bearer sk-canary"

    @pytest.mark.parametrize("key", ["sk-1\nX-Evil: 1", "sk 1", "sk-é", "sk\x00"])
    def test_malformed_key_is_refused_without_showing_it(self, key: str) -> None:
        with pytest.raises(ConfigurationError, match="OPENAI_API_KEY") as caught:
            load({"OPENAI_API_KEY": key})
        assert key not in str(caught.value)


class TestTheShippedCatalogue:
    def test_every_promised_provider_is_in_it(self) -> None:
        promised = (
            "openai anthropic gemini openrouter groq mistral deepseek xai cohere together fireworks perplexity cerebras nvidia "
            "huggingface featherless chutes deepinfra sambanova moonshot ollama vllm lmstudio demo"
        )
        assert set(shipped_catalog()) == set(promised.split())

    def test_every_key_variable_belongs_to_one_provider(self) -> None:
        variables = [variable for entry in shipped_catalog().values() for variable in entry.keys]
        assert len(variables) == len(set(variables))

    def test_prefix_claims_no_model_of_another_vendor(self) -> None:
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
    def test_key_is_sent_in_the_header_of_the_vendor(
        self, name: str, wires: tuple[str, ...], path: str, header: tuple[str, str]
    ) -> None:
        providers = load(dict.fromkeys(shipped_catalog()[name].keys, "k-1"))
        provider = providers[name]
        assert provider.wires == wires
        key = providers.state(name).take_key("x", 0.0)
        request = provider.request(Payload(path, b"{}", stream=False), provider.timeouts(stream=False), key)
        assert request.url == shipped_catalog()[name].base_url + path
        assert header in request.headers
        assert [value for _, value in request.headers].count(header[1]) == 1
        assert ("anthropic-version" in dict(request.headers)) == (name == "anthropic")


class TestKeyPools:
    def test_one_variable_may_hold_several_keys(self) -> None:
        providers = load({"OPENAI_API_KEY": "sk-1, sk-2,,sk-1"})
        sent = [dict(chat(providers, "openai").headers)["authorization"] for _ in range(4)]
        assert sent == ["Bearer sk-1", "Bearer sk-2", "Bearer sk-1", "Bearer sk-2"]

    def test_keys_of_all_variables_are_used_once(self) -> None:
        provider = load({"GEMINI_API_KEY": "g-1", "GOOGLE_API_KEY": "g-1,g-2"})["gemini"]
        assert [key.reveal() for key in provider.keys] == ["g-1", "g-2"]

    def test_no_key_is_given_while_all_are_rate_limited(self) -> None:
        state = load({"OPENAI_API_KEY": "sk-1,sk-2"}).state("openai")
        for _ in range(2):
            key = state.take_key("gpt-4o", 0.0)
            assert key is not None
            state.keys.failed(key, "gpt-4o", 429, 30.0, 0.0)
        with pytest.raises(ProviderRateLimited) as caught:
            state.take_key("gpt-4o", 10.0)
        assert caught.value.retry_after_s == pytest.approx(20.0)
        assert state.keys.wait_s("gpt-4o", 10.0) == pytest.approx(20.0)
        assert state.take_key("o3", 10.0) is not None
        assert state.take_key("gpt-4o", 30.0) is not None

    def test_provider_without_keys_needs_none(self) -> None:
        state = load({"OLLAMA_BASE_URL": "http://gpu-box:11434/v1"}).state("ollama")
        assert state.take_key("x", 0.0) is None
        assert state.keys.wait_s("x", 0.0) == 0


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

    def test_entry_adds_a_provider(self, tmp_path: Path) -> None:
        providers = self.load(tmp_path, {"ACME_API_KEY": "a-1"})
        acme = providers["acme"]
        request = chat(providers, "acme", stream=True)
        assert request.url == "https://api.acme.example/v1/chat/completions"
        assert dict(request.headers)["x-team"] == "search"
        assert (request.timeouts.first_byte_s, request.timeouts.total_s) == (3, 90)
        assert request.timeouts.idle_s == load_settings().idle_timeout_s
        assert acme.timeouts(stream=False).first_byte_s == load_settings().first_byte_timeout_s
        assert acme.max_concurrency == 7
        assert providers.state("acme").serves("acme-large")
        assert next(iter(providers)) == "acme"

    def test_keyless_provider_is_available_when_the_file_names_it(self, tmp_path: Path) -> None:
        providers = self.load(tmp_path, {})
        assert providers["ollama"].address.base_url == "http://127.0.0.1:11434/v1"
        assert providers.unavailable["vllm"] == "not_configured"
        assert providers.unavailable["acme"] == "no_key"

    def test_provider_can_be_switched_off(self, tmp_path: Path) -> None:
        assert self.load(tmp_path, {"GROQ_API_KEY": "g"}).unavailable["groq"] == "disabled"

    def test_groups_of_the_file_are_there(self, tmp_path: Path) -> None:
        assert self.load(tmp_path, {}).groups["smart"].targets[0].model == "openai/gpt-5"

    def load(self, directory: Path, environment: dict[str, str]) -> Providers:
        file = directory / "own.yaml"
        file.write_text(self.TEXT)
        return load(environment, config_file=file)


class TestReplacement:
    async def test_reload_keeps_learned_models_cooldowns_and_the_http_client(self) -> None:
        settings = load_settings()
        factory = ProviderFactory(settings, {"OPENAI_API_KEY": "sk-1,sk-2", "GROQ_API_KEY": "g"})
        providers = factory.make(load_config(settings))
        before = providers.state("openai")
        before.learn_model("gpt-99")
        before.keys.failed(before.keys.secrets[0], "o3", 429, 60.0, 0.0)
        after = factory.make(load_config(settings))
        generation = providers.generation
        assert providers.replace(after) == frozenset()
        state = providers.state("openai")
        assert state is not before
        assert state.known_model("gpt-99") == "gpt-99"
        assert state.provider is providers["openai"]
        assert state.provider.upstream is before.provider.upstream
        taken = [state.take_key("o3", 1.0) for _ in range(2)]
        assert [key.reveal() for key in taken if key is not None] == ["sk-2", "sk-2"]
        assert providers.generation != generation
        await providers.close()

    def test_replace_returns_providers_that_are_gone_moved_or_have_other_keys(self) -> None:
        before = {"OPENAI_API_KEY": "o", "GROQ_API_KEY": "g", "MISTRAL_API_KEY": "m", "XAI_API_KEY": "x"}
        after = {"OPENAI_API_KEY": "o", "GROQ_API_KEY": "g2", "MISTRAL_API_KEY": "m", "COHERE_API_KEY": "c"}
        moved = {"MISTRAL_BASE_URL": "http://127.0.0.1:9/v1"}
        assert load(before).replace(load(after | moved)) == {"groq", "mistral", "xai"}

    def test_provider_that_moved_keeps_model_names_for_metrics_only(self) -> None:
        providers = load({"OPENAI_API_KEY": "k"})
        state = providers.state("openai")
        state.learn_model("gpt-99")
        state.set_listed(["gpt-98"])
        state.keys.failed(state.keys.secrets[0], "o3", 429, 60.0, 0.0)
        state.learn_missing("openai_responses", None)
        providers.replace(load({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}))
        state = providers.state("openai")
        assert state.known_model("gpt-99") == "gpt-99"
        assert "gpt-98" not in list(state.all_models())
        assert state.keys.wait_s("o3", 1.0) == 0
        assert not state.lacks("openai_responses", "o3")

    def test_call_under_way_goes_on_with_the_provider_and_state_that_it_has(self) -> None:
        providers = load({"OPENAI_API_KEY": "k"})
        provider, state = providers["openai"], providers.state("openai")
        providers.replace(load())
        assert state.provider is provider
        assert state.take_key("gpt-4o", 0.0) is provider.keys[0]

    def test_provider_is_frozen(self) -> None:
        provider = load({"OPENAI_API_KEY": "k"})["openai"]
        with pytest.raises(FrozenInstanceError):
            provider.name = "another"  # pyright: ignore[reportAttributeAccessIssue]
        assert not [name for name in provider.__slots__ if isinstance(getattr(provider, name), set | list)]


class TestModels:
    def test_plain_model_name_finds_its_provider(self) -> None:
        providers = load({"OPENAI_API_KEY": "k", "DEEPSEEK_API_KEY": "k", "GROQ_API_KEY": "k"})
        serving = {
            model: [name for name in providers if providers.state(name).serves(model)]
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

    def test_metrics_name_catalogued_models_and_call_others_other(self) -> None:
        state = load({"OPENAI_API_KEY": "k"}).state("openai")
        assert state.known_model("gpt-4o") == "gpt-4o"
        assert state.known_model("gpt-99") == "other"

    def test_metrics_name_a_model_that_has_answered(self) -> None:
        state = load({"OPENAI_API_KEY": "k"}).state("openai")
        state.learn_model("gpt-99")
        assert state.known_model("gpt-99") == "gpt-99"

    def test_number_of_learned_models_is_bounded(self) -> None:
        state = load({"OPENAI_API_KEY": "k"}).state("openai")
        for number in range(1000):
            state.learn_model(f"model-{number}")
        known = [number for number in range(1000) if state.known_model(f"model-{number}") != "other"]
        assert known == list(range(200))

    def test_two_registries_do_not_share_what_they_learn(self) -> None:
        first, second = [load({"OPENAI_API_KEY": "k"}).state("openai") for _ in range(2)]
        first.learn_model("x")
        assert second.known_model("x") == "other"
