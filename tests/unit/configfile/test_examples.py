"""The examples of the documentation are files that load, and mean what they are said to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatewayz.config import load_settings
from gatewayz.configfile.load import parse_config
from gatewayz.configfile.schema import EXAMPLE, PROVIDER_MEMBERS, ConfigFile, ProviderEntry
from gatewayz.providers.catalog import ProviderFactory, shipped_catalog
from gatewayz.providers.registry import Providers
from gatewayz.routing.candidates import candidates_for

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.M | re.S)


def example(name: str) -> str:
    (text,) = BLOCK.findall((ROOT / name).read_text())
    return text


def opened(config: ConfigFile) -> Providers:
    environment = {"ACME_API_KEY": "k-1", "OPENAI_API_KEY": "k-2", "ANTHROPIC_API_KEY": "k-3"}
    return ProviderFactory(load_settings(), environment).make(config)


def test_the_readmes_example_is_a_provider_an_alias_and_a_group_with_fallback() -> None:
    config = parse_config(example("README.md"), "README.md", shipped_catalog())
    providers = opened(config)
    assert providers["acme"].address.base_url == "https://api.acme.example/v1"
    assert config.providers["acme"].prices["*"].output == 1

    def asked(model: str) -> list[str]:
        return [f"{one.provider.name}/{one.model}" for one in candidates_for(model, providers)]

    assert asked("default") == ["acme/acme-large"]
    assert asked("smart") == ["openai/gpt-5", "anthropic/claude-sonnet-4-5", "acme/acme-large"]


def test_the_references_example_is_the_one_that_the_code_has() -> None:
    assert example("docs/configuration.md") == EXAMPLE
    assert {"default", "smart", "canary"} <= set(opened(parse_config(EXAMPLE, "docs", shipped_catalog())).groups)


@pytest.mark.parametrize("member", ProviderEntry.__struct_fields__)
def test_every_member_of_an_entry_is_explained(member: str) -> None:
    assert PROVIDER_MEMBERS[member]
