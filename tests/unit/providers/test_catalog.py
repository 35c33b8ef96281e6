"""The catalogue: who can be called, with what, and what is said when an entry or a variable is wrong."""

from __future__ import annotations

import pytest

from gatewayz.config import load_settings
from gatewayz.errors import ConfigurationError
from gatewayz.providers.base import Providers
from gatewayz.providers.catalog import check_base_url, load_providers, read_catalog
from gatewayz.upstream import AiohttpUpstream

ENTRY = "acme:\n  base_url: https://api.acme.example/v1\n"


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
        assert provider.chat_url == "http://gpu-box:11434/v1/chat/completions"
        assert (provider.server_address, provider.server_port) == ("gpu-box", 11434)
        assert "authorization" not in dict(provider.chat_request(b"", stream=False).headers)

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
        assert provider.chat_url == "http://127.0.0.1:9/v1/chat/completions"

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

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
    def test_plain_http_is_for_loopback(self, host: str) -> None:
        check_base_url(f"http://{host}:1/v1", "x", plain_http=False)
        with pytest.raises(ConfigurationError, match="must use https"):
            check_base_url("http://api.example.com/v1", "x", plain_http=False)


class TestSecrets:
    def test_no_repr_shows_a_key(self) -> None:
        providers = load({"OPENAI_API_KEY": "sk-canary"})
        provider = providers["openai"]
        request = provider.chat_request(b"prompt-canary", stream=True)
        shown = f"{provider!r} {provider} {provider.keys!r} {request!r} {request.headers!r} {provider.keys[0]}"
        assert "canary" not in shown
        assert dict(request.headers)["authorization"] == "Bearer sk-canary"

    @pytest.mark.parametrize("key", ["sk-1\nX-Evil: 1", "sk 1", "sk-é", "sk\x00"])
    def test_a_key_that_cannot_be_one_is_refused_without_showing_it(self, key: str) -> None:
        with pytest.raises(ConfigurationError, match="OPENAI_API_KEY") as caught:
            load({"OPENAI_API_KEY": key})
        assert key not in str(caught.value)


class TestEntries:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("[", "catalog.yaml, line"),
            ("- a", "must be a mapping"),
            ("", "must be a mapping"),
            ("Acme:\n  base_url: https://x", "'Acme': a provider's name"),
            ("7:\n  base_url: https://x", "7: a provider's name"),
            ("acme:\n  keys: [A]", "acme: Object missing required field `base_url`"),
            ("acme:", "acme: Expected `object`, got `null`"),
            (ENTRY + "  colour: red", "acme: Object contains unknown field `colour`"),
            (ENTRY + "  keys: [1]", "acme: keys[0]: Expected `str`, got `int`"),
            (ENTRY + "  keyless: maybe", "acme: keyless: Expected `bool`, got `str`"),
            (ENTRY + "  keys: [not a variable]", "acme: keys: 'not a variable'"),
            ("acme:\n  base_url: http://api.acme.example", "acme: base_url: must use https"),
        ],
    )
    def test_a_wrong_entry_is_named(self, text: str, says: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            read_catalog(text, "catalog.yaml")
        assert says in str(caught.value)

    def test_a_good_entry_is_read(self) -> None:
        entry = read_catalog(ENTRY + "  keys: [ACME_KEY]\n  model_prefixes: [acme-]\n", "x")["acme"]
        assert entry.keys == ("ACME_KEY",)


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
