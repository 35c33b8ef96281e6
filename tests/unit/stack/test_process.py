"""Children cannot outlive the runner, and say their last words."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from gatewayz.stack.process import ROTATE_AT_BYTES, Child, Launch, describe_exit, run_tool
from gatewayz.stack.readiness import answers
from tests.polling import until
from tests.unit.stack.miniature import alive

PARENT = """
import asyncio, sys
from pathlib import Path
from gatewayz.stack.process import Child, Launch

async def main():
    here = Path(sys.argv[1])
    launch = Launch(("sleep", "600"), {"PATH": "/usr/bin:/bin"}, "", "", here)
    child = await Child.start("sleeper", launch, here / "log")
    (here / "pid.draft").write_text(str(child.pid))
    (here / "pid.draft").rename(here / "pid")
    await asyncio.sleep(600)

asyncio.run(main())
"""


def launch_of(tmp_path: Path, script: str) -> Launch:
    return Launch((sys.executable, "-ISc", script), dict(os.environ), "", "", tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_PDEATHSIG")
async def test_child_dies_with_a_runner_that_was_killed(tmp_path: Path) -> None:
    runner = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, str(tmp_path))
    try:
        await until((tmp_path / "pid").exists, deadline_s=15)
        child = int((tmp_path / "pid").read_text())
        assert alive(child)
    finally:
        runner.kill()
        await runner.wait()
    await until(lambda: not alive(child), deadline_s=15)


async def test_child_is_out_of_reach_of_the_terminals_ctrl_c(tmp_path: Path) -> None:
    child = await Child.start("sleeper", launch_of(tmp_path, "import time; time.sleep(600)"), tmp_path / "log")
    assert os.getsid(child.pid) == child.pid
    assert os.getpgid(child.pid) != os.getpgrp()
    await child.stop(signal.SIGTERM, 5)


async def test_grandchildren_end_with_the_child(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        "deaf = 'import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)'\n"
        "worker = subprocess.Popen([sys.executable, '-ISc', deaf])\n"
        "open('worker', 'w').write(str(worker.pid))\n"
        "time.sleep(600)\n"
    )
    child = await Child.start("parent", launch_of(tmp_path, script), tmp_path / "log")
    await until(lambda: (tmp_path / "worker").exists() and (tmp_path / "worker").read_text() != "", deadline_s=15)
    worker = int((tmp_path / "worker").read_text())
    await child.stop(signal.SIGTERM, 5)
    await until(lambda: not alive(worker), deadline_s=15)


async def test_last_lines_are_those_of_this_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for word in ("old", "new"):
        child = await Child.start("speaker", launch_of(tmp_path, f"print('{word} words')"), log)
        assert await child.wait() == 0
    assert log.read_text() == "old words\nnew words\n"
    assert child.last_lines() == ("new words",)


async def test_log_that_is_too_long_is_rotated_at_the_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.truncate(ROTATE_AT_BYTES + 1)
    child = await Child.start("speaker", launch_of(tmp_path, "print('fresh')"), log)
    await child.wait()
    assert log.read_text() == "fresh\n"
    assert (tmp_path / "log.1").stat().st_size == ROTATE_AT_BYTES + 1


async def test_missing_program_is_reported_in_the_log(tmp_path: Path) -> None:
    launch = Launch(("/nowhere/prometheus",), {}, "", "", tmp_path)
    child = await Child.start("prometheus", launch, tmp_path / "log")
    assert await child.wait() == 127
    assert child.last_lines() == ("/nowhere/prometheus: No such file or directory",)


async def test_cancelled_tool_is_killed_with_all_it_started(tmp_path: Path) -> None:
    script = "import subprocess; p = subprocess.Popen(['sleep', '600']); open('pid', 'w').write(str(p.pid)); p.wait()"
    tool = asyncio.create_task(
        run_tool([sys.executable, "-ISc", script], environment=dict(os.environ), working_directory=tmp_path)
    )
    await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "", deadline_s=15)
    tool.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tool
    worker = int((tmp_path / "pid").read_text())
    await until(lambda: not alive(worker), deadline_s=15)


async def test_tool_past_its_deadline_is_killed() -> None:
    with pytest.raises(TimeoutError):
        await run_tool(["sleep", "600"], environment=dict(os.environ), deadline_s=0.2)


def test_exit_statuses_are_described() -> None:
    assert describe_exit(1) == "exit status 1"
    assert describe_exit(-9) == "killed by SIGKILL"


@pytest.mark.parametrize(
    ("reply", "ready"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"200 but not HTTP\r\n", False),
        (b"", False),
    ],
)
async def test_only_a_200_means_ready(reply: bytes, ready: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await answers(f"http://127.0.0.1:{port}/ready") is ready
    assert await answers(f"http://127.0.0.1:{port}/ready") is False
