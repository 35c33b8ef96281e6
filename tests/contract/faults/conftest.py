"""One stage for all scenarios that do not need settings of their own."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.contract.faults.stage import Stage, staged
from tests.fakes.gateway import free_port


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    nobody = f"http://127.0.0.1:{free_port()}/v1"
    more = {
        "TOGETHER_API_KEY": "sk-x",
        "TOGETHER_BASE_URL": nobody,
        "DEEPSEEK_API_KEY": "sk-x",
        "DEEPSEEK_BASE_URL": "https://there-is-no-such-host.invalid/v1",
    }
    with staged(tmp_path_factory.mktemp("faults"), ("openai", "groq", "anthropic", "gemini"), **more) as stage:
        yield stage


@pytest.fixture
def stage(shared: Stage) -> Generator[Stage]:
    """Whatever happened: a healthy call works afterwards."""
    yield shared
    shared.is_well()
