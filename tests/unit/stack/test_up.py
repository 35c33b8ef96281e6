"""`gatewayz up` as a person meets it: what it prints, how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gatewayz.errors import ConfigurationError
from gatewayz.stack.errors import StackError
from gatewayz.stack.state import STATE_FILE
from gatewayz.stack.up import UpOptions, run, stack_options
from tests.polling import until
from tests.unit.stack.miniature import Miniature, alive

ROOT = Path(__file__).parents[3]

RUN = """
import asyncio, sys
from pathlib import Path
from rich.console import Console
from gatewayz.stack.console import PlainView
from gatewayz.stack.runner import Stack
from gatewayz.stack.up import run_stack
from tests.unit.stack.miniature import Miniature

def write(text):
    sys.stdout.write(text)
    sys.stdout.flush()

view = PlainView(write)
stack = Stack(Miniature(Path(sys.argv[1])).options(first_key=True, last_scrape_s=float(sys.argv[2])), view)
sys.exit(asyncio.run(run_stack(stack, view, Console(width=200), Console(stderr=True, width=200))))
"""


class Up:
    """A running `gatewayz up` of a miniature stack."""

    def __init__(self, process: asyncio.subprocess.Process, miniature: Miniature) -> None:
        self.process = process
        self._state = miniature.root / "data" / STATE_FILE
        self._out = miniature.root / "out"
        self._err = miniature.root / "err"

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    async def running(self) -> None:
        await until(lambda: self._state.exists() and '"state": "running"' in self._state.read_text(), deadline_s=15)
        await until(lambda: "Ctrl-C stops everything" in self.out, deadline_s=15)


@asynccontextmanager
async def up(miniature: Miniature, last_scrape_s: float = 0) -> AsyncGenerator[Up]:
    with (miniature.root / "out").open("wb") as out, (miniature.root / "err").open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            RUN,
            str(miniature.root),
            str(last_scrape_s),
            stdout=out,
            stderr=err,
            env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
        )
    try:
        yield Up(process, miniature)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_ctrl_c_ends_it_in_order_with_status_0(miniature: Miniature) -> None:
    async with up(miniature) as it:
        await it.running()
        it.process.send_signal(signal.SIGINT)
        assert await it.process.wait() == 0
    lines = it.out.splitlines()
    assert "part           state  URL" in it.out
    assert any(
        line.startswith("prometheus     ready  http://127.0.0.1:") and line.endswith("9.9.9    PATH") for line in lines
    )
    assert "Your first key: gz_secret" in lines
    assert lines[-1] == "Stopped."
    assert "\x1b" not in it.out
    assert it.err == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_sigterm_and_sighup_end_it_too(miniature: Miniature, number: signal.Signals) -> None:
    async with up(miniature) as it:
        await it.running()
        it.process.send_signal(number)
        assert await it.process.wait() == 0
    assert f"Stopping ({number.name})" in it.out


async def test_second_ctrl_c_does_not_wait_for_the_last_scrape(miniature: Miniature) -> None:
    async with up(miniature, last_scrape_s=3600) as it:
        await it.running()
        it.process.send_signal(signal.SIGINT)
        await until(lambda: "Waiting 3600 s" in it.out, deadline_s=15)
        it.process.send_signal(signal.SIGINT)
        assert await it.process.wait() == 0
    assert "otelcol ended" in miniature.journal()


async def test_third_ctrl_c_kills_what_does_not_end(miniature: Miniature) -> None:
    miniature.behave("gateway", "stubborn")
    async with up(miniature) as it:
        await it.running()
        it.process.send_signal(signal.SIGINT)
        await until(lambda: "gateway was told to end" in miniature.journal(), deadline_s=15)
        it.process.send_signal(signal.SIGINT)
        await asyncio.sleep(0)
        it.process.send_signal(signal.SIGTERM)
        assert await it.process.wait() == 0
    assert "gateway ended" not in miniature.journal()


async def test_ctrl_c_during_the_start_ends_it_with_status_130(miniature: Miniature) -> None:
    miniature.behave("victoria-logs", "never ready")
    async with up(miniature) as it:
        await until(lambda: "victoria-logs started" in miniature.journal(), deadline_s=15)
        it.process.send_signal(signal.SIGINT)
        assert await it.process.wait() == 130
    assert "gateway ended" in miniature.journal()


async def test_dead_child_is_reported_on_standard_error_with_status_1(miniature: Miniature) -> None:
    miniature.behave("alertmanager", "die")
    async with up(miniature) as it:
        assert await it.process.wait() == 1
    assert it.err.startswith("gatewayz: alertmanager ended while it was starting (exit status 3). Its log is ")
    assert it.err.endswith("    alertmanager speaks\n    cannot open the store: it is on fire\n")


async def test_death_of_the_gateway_ends_it_with_status_1(miniature: Miniature) -> None:
    async with up(miniature) as it:
        await it.running()
        state = (miniature.root / "data" / STATE_FILE).read_text()
        gateway = int(state.partition('"pid": ')[2].partition('"pid": ')[2].partition(",")[0])
        os.kill(gateway, signal.SIGKILL)
        assert await it.process.wait() == 1
    assert "gateway has ended (killed by SIGKILL). It is not started again." in it.out
    assert "Stopped, but not as it should be: gateway had failed" in it.err


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_PDEATHSIG")
async def test_no_child_survives_the_kill_of_the_runner(miniature: Miniature) -> None:
    async with up(miniature) as it:
        await it.running()
        state = (miniature.root / "data" / STATE_FILE).read_text()
        pids = [int(part.partition(",")[0]) for part in state.split('"pid": ')[2:]]
        assert len(pids) == 6
        assert all(alive(pid) for pid in pids)
        it.process.kill()
        await it.process.wait()
        await until(lambda: not any(alive(pid) for pid in pids), deadline_s=15)
    # … and the data can be used again at once.
    async with up(miniature) as it:
        await it.running()
        it.process.terminate()
        assert await it.process.wait() == 0


def test_options_come_before_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GATEWAYZ_STACK_VICTORIA_LOGS_PORT", "13100")
    monkeypatch.setenv("GATEWAYZ_STACK_JAEGER_PORT", "13200")
    monkeypatch.setenv("GATEWAYZ_PORT", "18000")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1")
    options = stack_options(
        UpOptions(port=("victoria-logs=23100",), data_dir=tmp_path, without=("jaeger,victoria-logs",))
    )
    assert options.ports == replace(options.ports, victoria_logs=23100, jaeger=13200, gateway=18000)
    assert options.data_dir == tmp_path
    assert options.without == {"jaeger", "victoria-logs"}
    assert options.redis_url == "redis://127.0.0.1"


def test_component_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(
        StackError, match="--without grafana: there is no component 'grafana'; there are collector, prometheus"
    ):
        stack_options(UpOptions(without=("grafana",)))


def test_wrong_value_is_one_sentence_and_a_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATEWAYZ_STACK_VICTORIA_LOGS_PORT", "http")
    with pytest.raises(ConfigurationError):
        stack_options(UpOptions())
    assert run(UpOptions()) == 1
    error = capsys.readouterr().err
    assert error.startswith("gatewayz: GATEWAYZ_STACK_VICTORIA_LOGS_PORT: ")
    assert error.count("\n") == 1
    assert run(UpOptions(jobs=0)) == 2
    assert run(UpOptions(port=("nonsense",))) == 2
