"""Links between pages lead somewhere, and the pages that everybody reads stay short."""

from __future__ import annotations

import re

import pytest

from tests.unit.docs.pages import (
    CHANGELOG,
    CONTRIBUTING,
    README,
    ROOT,
    anchors,
    folders_described,
    links,
    names_in,
    tracked,
)


@pytest.mark.parametrize("name", tracked("*.md"))
def test_links_between_pages_lead_somewhere(name: str) -> None:
    page = ROOT / name
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert there.is_relative_to(ROOT), f"{target} is outside the repository"
        if anchor:
            assert anchor in anchors(there), target


def test_readme_is_short_and_says_first_what_this_is() -> None:
    lines = README.read_text().splitlines()
    assert len(lines) <= 110
    assert lines[2] == "One endpoint for many LLM providers, with traces, metrics and logs that can be trusted."


def test_contributing_is_about_twenty_lines() -> None:
    assert len(CONTRIBUTING.read_text().splitlines()) <= 22


def test_changelog_of_the_next_release_has_at_most_twenty_entries() -> None:
    unreleased = CHANGELOG.read_text().partition("## Unreleased\n")[2].partition("\n## ")[0]
    entries = re.findall(r"^- ", unreleased, flags=re.MULTILINE)
    assert 1 <= len(entries) <= 20


def test_changelog_says_nothing_twice() -> None:
    lines = [line.strip() for line in CHANGELOG.read_text().splitlines() if line.strip()]
    starts = [line.removeprefix("- ")[:50] for line in lines]
    assert len(set(starts)) == len(starts)


def test_architecture_names_every_part_of_the_package() -> None:
    described = names_in(line for line in folders_described() if re.match(r"  \S", line))
    package = ROOT / "service" / "gatewayz"
    folders = {f"{one.parent.name}/" for one in package.glob("*/__init__.py")}
    files = {one.name for one in package.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert described == folders | files


def test_architecture_names_every_folder_of_the_repository() -> None:
    described = names_in(line for line in folders_described() if re.match(r"\S", line))
    top = {f"{name.partition('/')[0]}/" for name in tracked() if "/" in name and not name.startswith(".")}
    assert described - {"service/gatewayz/"} == top - {"service/", "requirements/"}
