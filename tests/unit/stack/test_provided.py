"""Tempo and Loki: taken from PATH if they will do, and otherwise said what is missing. Nothing builds or downloads them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatewayz.stack.errors import StackError
from gatewayz.stack.programs.locate import Found
from gatewayz.stack.programs.provided import find_provided, read_provided
from tests.unit.stack.miniature import Miniature


def say(miniature: Miniature, words: str) -> Path:
    """Put a Tempo onto PATH that says this when it is asked for its version."""
    path = miniature.programs / "tempo"
    path.write_text(f"#!/bin/sh\necho '{words}'\n")
    path.chmod(0o755)
    return path


async def look(miniature: Miniature) -> Found:
    return await find_provided(
        read_provided(miniature.files / "tempo"), "--traces jaeger", {"PATH": f"{miniature.programs}:/usr/bin:/bin"}
    )


@pytest.mark.parametrize("version", ["9.8.0", "9.8.4", "9.10.1", "v9.8.0-rc.1", "9.8"])
async def test_program_on_path_is_used_with_the_version_it_prints(miniature: Miniature, version: str) -> None:
    path = say(miniature, f"tempo, version {version} (branch: HEAD)")
    assert await look(miniature) == Found(path, "PATH", version.removeprefix("v"))


@pytest.mark.parametrize("version", ["9.7.9", "10.0.0", "8.9.9"])
async def test_other_versions_are_refused_with_what_is_wanted(miniature: Miniature, version: str) -> None:
    path = say(miniature, f"tempo, version {version}")
    with pytest.raises(
        StackError, match=re.escape(f"{path} is Tempo {version}, and Tempo 9.8 or a later 9.x is wanted.")
    ):
        await look(miniature)


@pytest.mark.parametrize("words", ["tempo: a metronome", ""])
async def test_another_program_of_that_name_is_refused(miniature: Miniature, words: str) -> None:
    path = say(miniature, words)
    with pytest.raises(StackError, match=re.escape(f"{path} is not Tempo")):
        await look(miniature)


async def test_missing_program_is_one_sentence_with_what_to_do(miniature: Miniature) -> None:
    with pytest.raises(StackError) as caught:
        await look(miniature)
    assert str(caught.value) == (
        "There is no `tempo` on PATH (Tempo 9.8 or a later 9.x is wanted). Tempo is never built or downloaded by `gatewayz up`: "
        "get it from https://tempo.example and put it on PATH, or choose `--traces jaeger`, or use `docker compose up`."
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("title: x", "lacks the entry 'oldest'"),
        ("oldest: x", "is not a component description"),
        ("[", "is not a component description"),
    ],
)
def test_invalid_description_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "component.yaml").write_text(text)
    with pytest.raises(StackError, match=complaint):
        read_provided(tmp_path)
    with pytest.raises(StackError, match="cannot be read"):
        read_provided(tmp_path / "nowhere")
