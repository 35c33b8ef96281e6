"""What the pages name exists, and nothing in the repository refers to what is not in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayz.cli import COMMANDS
from tests.unit.docs.pages import ARCHITECTURE, CONTRIBUTING, README, ROOT, commands, files_named, tracked

OUTSIDE = re.compile(r"\.\./shared\b|/work/|\bfacts/|\bissue[ -]\d", re.IGNORECASE)
"""What people who work on this project may have beside it."""

PAGE = re.compile(r"(?<![\w./*-])(?:[\w-]+/)*([\w-]+\.md)\b")

SCENARIO = re.compile(r"(?<![\w%-])[UCK]\d{1,2}(?![\w.-])|\btest_(?:[uck]\d+_)+")
"""Numbers that only a page outside explains."""

TEXTS = [
    name
    for name in tracked(
        "*.py", "*.md", "*.yml", "*.yaml", "*.toml", "*.go", "*.json", "Makefile", ".ci/*", ".env.example"
    )
    if not name.startswith("tests/unit/docs/")
]

TEMPORARY_PAGES = {"page.md"}
"""Pages that tests write for themselves."""


def lines_of(*suffixes: str) -> Iterator[tuple[str, str]]:
    """Every line with its place; of files with one of these suffixes, if any is given."""
    for name in TEXTS:
        if name.endswith(suffixes or ""):
            for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
                yield f"{name}:{number}", line


@pytest.mark.parametrize("page", [README, CONTRIBUTING], ids=lambda page: page.name)
def test_commands_that_a_page_names_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = commands(page)
    assert named
    for program, argument in (command.split() for command in named):
        assert argument in (targets if program == "make" else COMMANDS), f"{program} {argument}"


def test_files_that_the_architecture_names_exist() -> None:
    package = ROOT / "service" / "gatewayz"
    assert not [name for name in sorted(files_named(ARCHITECTURE)) if not (package / name).is_file()]


def test_nothing_refers_to_a_page_outside_the_repository() -> None:
    pages = {Path(name).name for name in tracked("*.md")} | TEMPORARY_PAGES
    wrong = [
        f"{place}: {line.strip()}"
        for place, line in lines_of()
        if OUTSIDE.search(line) or not pages.issuperset(PAGE.findall(line))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_scenario_is_called_by_a_number() -> None:
    wrong = [f"{place}: {line.strip()}" for place, line in lines_of(".py", ".md") if SCENARIO.search(line)]
    assert not wrong, "\n".join(wrong)
