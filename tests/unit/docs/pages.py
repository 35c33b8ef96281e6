"""The pages for people, as text, and what can be read out of them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
CHANGELOG = ROOT / "CHANGELOG.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"

_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def tracked(*patterns: str) -> list[str]:
    """Files of the repository, by git's patterns."""
    done = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def links(page: Path) -> Iterator[str]:
    """Where the links of a page lead within the repository. What stands in code is no link."""
    text = re.sub(r"`[^`\n]*`", "`", _BLOCK.sub("", page.read_text()))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", _BLOCK.sub("", page.read_text()), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path) -> set[str]:
    """Every ``make …`` and ``gatewayz …`` that stands in code on a page, up to its first argument."""
    text = page.read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    code = [*blocks, *re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text))]
    return set(re.findall(r"\bmake [a-z]+|\bgatewayz [a-z]+", "\n".join(code)))


def folders_described() -> Iterator[str]:
    """The lines of the list of folders in docs/architecture.md."""
    block = re.search(r"## Folders\n\n```\n(.*?)```", ARCHITECTURE.read_text(), flags=re.DOTALL)
    assert block is not None
    yield from block[1].splitlines()


def names_in(lines: Iterable[str]) -> set[str]:
    """The folders (with a slash behind) and Python files that stand before the descriptions."""
    heads = [re.split(r" {3,}", line.strip())[0] for line in lines]
    return {name for head in heads for name in re.findall(r"(?<!\S)[\w./-]+(?:/|\.py)(?!\S)", head)}


def files_named(page: Path) -> set[str]:
    """The Python files of the package that a page names with their folder."""
    named = re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", page.read_text())
    return {name.removeprefix("service/gatewayz/") for name in named}
