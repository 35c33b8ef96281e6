"""The control plane and the Collector that its tests talk to."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from tests.unit.controlplane.rig import ControlPlane, FakeCollector, control_plane, served


@pytest.fixture
async def plane() -> AsyncGenerator[ControlPlane]:
    """One with nothing configured."""
    async with control_plane() as plane:
        yield plane


@pytest.fixture
def collector() -> FakeCollector:
    return FakeCollector()


@pytest.fixture
async def collector_url(collector: FakeCollector) -> AsyncGenerator[str]:
    async with served(collector) as address:
        yield f"{address}/metrics"


@pytest.fixture
def redis_url(tmp_path: Path) -> Generator[str]:
    """A real Redis on a free port, without persistence."""
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("Redis is not installed; CI runs every test (see .ci/run)")
        pytest.skip("Redis is not installed")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 15
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    assert process.poll() is None, "redis-server did not start"
                    assert time.monotonic() < deadline, "redis-server did not start in time"
                    time.sleep(0.02)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
