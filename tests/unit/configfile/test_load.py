"""gatewayz.yaml: what it can say, and what is said, with the line, when something in it is wrong."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gatewayz.config import ConfigurationError, load_settings
from gatewayz.configfile.load import find_config, parse_config, read_catalog, read_config
from gatewayz.configfile.schema import (
    EXAMPLE,
    GROUP_MEMBERS,
    PROVIDER_MEMBERS,
    ConfigFile,
    GroupEntry,
    ProviderEntry,
)
from gatewayz.configfile.urls import wrong_base_url
from gatewayz.providers.catalog import shipped_catalog
from gatewayz.records import ModelGroup, Target

ACME = """providers:
  acme:
    base_url: https://api.acme.example/v1
    keys: [ACME_API_KEY]
"""


def parse(text: str) -> ConfigFile:
    return parse_config(text, "gatewayz.yaml", shipped_catalog())


class TestProviders:
    def test_three_lines_make_a_provider(self) -> None:
        entry = parse(ACME).providers["acme"]
        assert entry == ProviderEntry(base_url="https://api.acme.example/v1", keys=("ACME_API_KEY",))
        assert entry.wires == ("openai_chat",)

    def test_what_the_file_names_comes_first_in_its_order(self) -> None:
        config = parse(ACME + "  groq: {}\n")
        assert list(config.providers)[:3] == ["acme", "groq", "demo"]
        assert len(config.providers) == len(shipped_catalog()) + 1
        assert config.named == {"acme", "groq"}

    def test_a_shipped_entry_is_changed_member_by_member(self) -> None:
        entry = parse("providers:\n  openai:\n    max_concurrency: 3\n    timeouts: {idle_s: 9}\n").providers["openai"]
        shipped = shipped_catalog()["openai"]
        assert (entry.max_concurrency, entry.timeouts.idle_s) == (3, 9)
        assert (entry.base_url, entry.keys, entry.models, entry.wires) == (
            shipped.base_url,
            shipped.keys,
            shipped.models,
            shipped.wires,
        )

    def test_one_price_more_leaves_the_others(self) -> None:
        entry = parse("providers:\n  ollama:\n    prices:\n      big: {input: 1, output: 2}\n").providers["ollama"]
        assert set(entry.prices) == {"*", "big"}

    def test_an_entry_may_be_empty(self) -> None:
        assert parse("providers:\n  ollama:\n").providers["ollama"] == shipped_catalog()["ollama"]

    def test_anchors_and_merge_keys_work(self) -> None:
        config = parse(
            ACME.replace("  acme:", "  acme: &acme") + "  acme_two:\n    <<: *acme\n    keys: [ACME_TWO_KEY]\n"
        )
        assert config.providers["acme_two"].base_url == config.providers["acme"].base_url
        assert config.providers["acme_two"].keys == ("ACME_TWO_KEY",)


class TestTheDocumentation:
    def test_its_example_is_right(self) -> None:
        config = parse(EXAMPLE)
        assert config.providers["acme"].prices["acme-large"].cache_read == 0.5
        assert set(config.groups) == {"default", "smart", "canary"}

    @pytest.mark.parametrize(("kind", "told"), [(ProviderEntry, PROVIDER_MEMBERS), (GroupEntry, GROUP_MEMBERS)])
    def test_it_tells_of_every_member(self, kind: type[msgspec.Struct], told: dict[str, str]) -> None:
        assert tuple(told) == kind.__struct_fields__


class TestModels:
    def test_an_alias_is_a_group_of_one(self) -> None:
        assert parse("models:\n  smart: openai/gpt-5\n").groups == {
            "smart": ModelGroup("smart", (Target("openai/gpt-5"),))
        }

    def test_a_list_is_asked_in_its_order(self) -> None:
        group = parse("models:\n  smart: [openai/gpt-5, claude-sonnet-4-5]\n").groups["smart"]
        assert group.targets == (Target("openai/gpt-5"), Target("claude-sonnet-4-5"))
        assert (group.strategy, group.sticky) == ("priority", False)

    def test_everything_can_be_said(self) -> None:
        group = parse(
            "models:\n  smart:\n    strategy: weighted\n    sticky: true\n    targets:\n"
            "      - {model: openai/gpt-5, weight: 3}\n      - demo/fast\n"
        ).groups["smart"]
        assert group == ModelGroup("smart", (Target("openai/gpt-5", 3), Target("demo/fast")), "weighted", True)

    def test_a_group_may_stand_before_one_of_its_targets(self) -> None:
        assert parse("models:\n  gpt-4o: [gpt-4o, groq/llama-3.1-8b-instant]\n").groups["gpt-4o"].targets


class TestMistakes:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("providers: [", "gatewayz.yaml, line 1: not valid YAML"),
            ("providers:\n  a: b: c\n", "line 2: not valid YAML"),
            ("- a", "line 1: must be a mapping"),
            ("rules: {}", "line 1: rules: there is no such section; there are providers, models"),
            ("\n\nproviders: 7\n", "line 3: providers: must be a mapping"),
            ("providers:\n  Acme: {}\n", "line 2: providers.Acme: a provider's name is lower-case"),
            ("providers:\n  7: {}\n", "line 2: providers[7]: a name must be text"),
            ("providers:\n  acme:\n    keys: [A]\n", "line 2: providers.acme: `base_url` is missing"),
            ("providers:\n  acme: yes\n", "line 2: providers.acme: must be a mapping"),
            (ACME + "    colour: red\n", "line 5: providers.acme.colour: there is no such setting"),
            (
                ACME + "    api_key: sk-canary\n",
                "line 5: providers.acme.api_key: there is no such setting; keys stay in",
            ),
            (ACME + "    keyless: maybe\n", "line 5: providers.acme.keyless: expected `bool`, got `str`"),
            (
                ACME + "    models:\n      - a\n      - 7\n",
                "line 7: providers.acme.models[1]: expected `str`, got `int`",
            ),
            (ACME + "    wires: [openai_chat, soap]\n", "line 5: providers.acme.wires[1]: invalid enum value 'soap'"),
            (
                ACME + "    wires: [openai_chat, openai_chat]\n",
                "line 5: providers.acme.wires: openai_chat is there twice",
            ),
            (
                ACME + "    wire_urls:\n      gemini: https://x/v1\n",
                "line 6: providers.acme.wire_urls.gemini: is not among this provider's `wires`",
            ),
            (
                ACME + "    wire_urls:\n      openai_chat: http://x/v1\n",
                "line 6: providers.acme.wire_urls.openai_chat: must use https",
            ),
            (ACME + "    wire_urls: {soap: https://x}\n", "line 5: providers.acme.wire_urls"),
            (ACME + "    reasoning_back: yes\n", "line 5: providers.acme.reasoning_back: "),
            (ACME + "    wires: []\n", "line 5: providers.acme.wires: expected `array` of length >= 1"),
            (ACME + "    auth: basic\n", "line 5: providers.acme.auth: invalid enum value 'basic'"),
            (ACME + "    max_concurrency: 0\n", "line 5: providers.acme.max_concurrency: expected `int` >= 1"),
            (
                ACME + "    timeouts:\n      connect_s: 1\n      idle_s: -1\n",
                "line 7: providers.acme.timeouts.idle_s: expected `float` > 0.0",
            ),
            (
                ACME + "    timeouts:\n      patience_s: 1\n",
                "line 6: providers.acme.timeouts.patience_s: there is no such setting",
            ),
            (
                ACME + "    prices:\n      a: {input: 1, output: 2}\n      b: {input: 1}\n",
                "line 7: providers.acme.prices.b: `output` is missing",
            ),
            (
                ACME + "    prices:\n      b:\n        input: free\n        output: 1\n",
                "line 7: providers.acme.prices.b.input: expected `float`",
            ),
            (
                ACME + "    headers: {Authorization: x}\n",
                "line 5: providers.acme.headers.Authorization: is not a header",
            ),
            (ACME + '    headers: {x-a: "a\\nb"}\n', "line 5: providers.acme.headers.x-a: holds characters"),
            (ACME + "  acme: {}\n", "line 5: acme is there twice; the first is on line 2"),
            ("models: {a: demo/fast, a: demo/slow}\n", "line 1: a is there twice"),
            (
                ACME.replace("https", "http"),
                "line 3: providers.acme.base_url: must use https, since the key is sent along",
            ),
            ("providers:\n  acme: {base_url: https://x}\n", "line 2: providers.acme: needs `keys`"),
            ("providers: &a\n  acme: {timeouts: *a}\n", "is nested too deeply"),
            ("models:\n  smart: 7\n", "line 2: models.smart: must be a model"),
            ("models:\n  smart: []\n", "line 2: models.smart.targets: expected `array` of length >= 1"),
            ("models:\n  smart:\n    targets: [{modle: a}]\n", "line 3: models.smart.targets[0]"),
            ("models:\n  smart:\n    strategy: luck\n    targets: [demo/fast]\n", "line 3: models.smart.strategy"),
            ("models:\n  a: demo/fast\n  b: [a]\n", "line 3: models.b.targets: 'a' is a group itself"),
            ("models:\n  a: [demo/fast, demo/fast]\n", "line 2: models.a.targets: 'demo/fast' is there twice"),
            ("models:\n  a: nobody/fast\n", "line 2: models.a.targets: 'nobody/fast': no provider is called so"),
            (
                "models:\n  a:\n    strategy: weighted\n    targets: [{model: demo/fast, weight: 0}]\n",
                "line 2: models.a: at least one weight must be above 0",
            ),
        ],
    )
    def test_a_mistake_is_named_with_its_line(self, text: str, says: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            parse(text)
        assert says in str(caught.value)
        assert "canary" not in str(caught.value)

    def test_a_key_in_the_place_of_its_variable_is_not_repeated(self) -> None:
        with pytest.raises(ConfigurationError, match=r"line 4: providers\.acme\.keys\[0\]: is not the name") as caught:
            parse(ACME.replace("ACME_API_KEY", "sk-canary"))
        assert "canary" not in str(caught.value)


class TestAddresses:
    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
    def test_plain_http_is_for_loopback(self, host: str) -> None:
        assert wrong_base_url(f"http://{host}:1/v1", plain_http=False) is None
        assert "must use https" in str(wrong_base_url("http://api.example.com/v1", plain_http=False))

    def test_a_keyless_server_may_be_anywhere(self) -> None:
        text = "providers:\n  box:\n    base_url: http://gpu-box:8000/v1\n    keyless: true\n"
        assert parse(text).providers["box"].base_url == "http://gpu-box:8000/v1"


class TestFiles:
    def test_no_file_is_the_catalogue(self) -> None:
        assert read_config(None, shipped_catalog()).providers == shipped_catalog()

    @pytest.mark.parametrize("text", ["", "# nothing yet\n", "providers:\nmodels:\n"])
    def test_an_empty_file_changes_nothing(self, text: str) -> None:
        config = parse(text)
        assert (config.providers, config.groups) == (shipped_catalog(), {})

    def test_a_file_that_is_not_there_is_a_mistake_when_it_was_asked_for(self, tmp_path: Path) -> None:
        missing = tmp_path / "none.yaml"
        assert find_config(missing) == missing
        with pytest.raises(ConfigurationError, match=r"none\.yaml: cannot be read \(No such file"):
            read_config(missing, shipped_catalog())

    def test_text_that_is_not_utf_8_is_a_mistake(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_bytes(b"\xff\xfe")
        with pytest.raises(ConfigurationError, match="is not UTF-8"):
            read_config(tmp_path / "a.yaml", shipped_catalog())

    def test_the_usual_name_is_found_where_the_gateway_starts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert find_config(load_settings().providers.config_file) is None
        (tmp_path / "gatewayz.yaml").write_text(ACME)
        found = find_config(load_settings().providers.config_file)
        assert found is not None
        assert "acme" in read_config(found, shipped_catalog()).providers


class TestCatalogues:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("", "catalog.yaml: must be a mapping of provider names"),
            ("acme:\n  base_url: 7\n", "catalog.yaml, line 2: acme.base_url: expected `str`, got `int`"),
        ],
    )
    def test_they_name_lines_too(self, text: str, says: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            read_catalog(text, "catalog.yaml")
        assert says in str(caught.value)
