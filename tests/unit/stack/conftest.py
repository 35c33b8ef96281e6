from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.stack.miniature import Miniature, build_miniature


@pytest.fixture
def miniature(tmp_path: Path) -> Miniature:
    return build_miniature(tmp_path)
