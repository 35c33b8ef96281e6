"""The pages that are written by hand around generated blocks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatewayz.config import VARIABLES
from tools.docs import BLOCKS, fill


def test_every_block_is_in_the_configuration_page_once() -> None:
    names = re.findall(r"<!-- generated: (\S+) -->", Path("docs/configuration.md").read_text())
    assert sorted(name for name in names if name != "end") == sorted(BLOCKS)


def test_every_variable_is_in_the_configuration_page() -> None:
    page = Path("docs/configuration.md").read_text()
    assert [name for name in VARIABLES if f"| `{name}` |" not in page] == []


def test_text_around_a_block_is_kept_and_the_block_replaced() -> None:
    page = "before\n<!-- generated: gatewayz.yaml -->\nold\n<!-- generated: end -->\nafter\n"
    filled = fill(page)
    assert filled.startswith("before\n<!-- generated: gatewayz.yaml -->\n\n```yaml\n")
    assert filled.endswith("```\n\n<!-- generated: end -->\nafter\n")
    assert "old" not in filled
    assert fill(filled) == filled


def test_block_that_nobody_generates_is_an_error() -> None:
    with pytest.raises(KeyError):
        fill("<!-- generated: nonsense -->\n<!-- generated: end -->\n")
