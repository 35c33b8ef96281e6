"""The Go program, built once, and its parts running."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.load.program import Server, build
from benchmarks.processes import Cores, choose_cores


@pytest.fixture(scope="session")
def program() -> Path:
    return build()


@pytest.fixture(scope="session")
def cores() -> Cores:
    return choose_cores()


@pytest.fixture
def serve(program: Path, cores: Cores, tmp_path: Path) -> Generator[Callable[[str], Server]]:
    """Starts ``upstream`` or ``sink`` and ends it with the test."""
    with ExitStack() as stack:

        def started(part: str) -> Server:
            return stack.enter_context(Server(program, part, core=cores.others, log=tmp_path / f"{part}.log"))

        yield started
