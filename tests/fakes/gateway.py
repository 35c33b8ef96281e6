"""A real gateway for tests: `gatewayz serve` as a process of its own, on a free port, with a data directory of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gatewayz.accounts.keys import commands
from gatewayz.config import load_settings

READY_S = 60.0
"""Generous: test machines build Go programs at the same time."""


@dataclass(frozen=True, slots=True)
class LiveGateway:
    """A gateway that answers."""

    url: str
    api_key: str
    data_dir: Path
    pid: int
    log: Path
    """Its standard output: one JSON line per event."""

    @property
    def openai_url(self) -> str:
        """What the OpenAI SDK wants as its base address."""
        return f"{self.url}/v1"

    def records(self, message: str = "request completed") -> list[dict[str, object]]:
        """The log records with this message so far."""
        return [record for record in map(json.loads, _whole_lines(self.log)) if record.get("message") == message]


def clean_environment(**variables: str) -> dict[str, str]:
    """Ours without anything that would steer a gateway (keys of real providers above all), with ``variables`` on top."""
    steering = ("GATEWAYZ_", "OTEL_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(steering)
        and not name.endswith(("_API_KEY", "_API_TOKEN", "_BASE_URL"))
        and name != "HF_TOKEN"
        and not name.lower().endswith("_proxy")
    }
    # A child's warnings are errors too, as far as they can be: they end up in its log, where tests look.
    return kept | {"PYTHONUNBUFFERED": "1"} | variables


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def create_key(data_dir: Path, name: str = "test") -> str:
    """A key in the database of that directory, made with what ``gatewayz keys create`` calls. The command itself costs a
    process of two seconds each time; tests/unit/commands see to it that it works."""
    database_url = f"sqlite+aiosqlite:///{(data_dir / 'gatewayz.db').absolute()}"
    settings = load_settings(data_dir=data_dir, database_url=database_url)
    with ThreadPoolExecutor(1) as pool:  # a loop may be running in this thread
        _, credential = pool.submit(asyncio.run, commands.create_key(settings, name)).result(READY_S)
    return credential


@contextmanager
def running_gateway(data_dir: Path, environment: Mapping[str, str], *, workers: int = 1) -> Generator[LiveGateway]:
    """Start a gateway, wait until it answers, and end it by TERM; the process is gone afterwards, whatever happens."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    data_dir.mkdir(parents=True, exist_ok=True)
    settings = {
        "GATEWAYZ_DATA_DIR": str(data_dir),
        "GATEWAYZ_CREATE_FIRST_KEY": "false",
        "GATEWAYZ_LIST_MODELS": "false",  # tests count what reaches the provider
    }
    complete = clean_environment(**settings | dict(environment))
    api_key = create_key(data_dir)
    log = data_dir / "gateway.log"
    command = [sys.executable, "-m", "gatewayz", "serve", "--port", str(port), "--workers", str(workers)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=complete, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_until_ready(process, url, log)
        yield LiveGateway(url, api_key, data_dir, process.pid, log)
    finally:
        _end(process)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the gateway ended with status {process.returncode}:\n{log.read_text()[-3000:]}")
        try:
            with opener.open(f"{url}/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"the gateway did not answer within {READY_S} s:\n{log.read_text()[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=5)
        raise AssertionError("the gateway did not end within 40 s of TERM") from None


def _whole_lines(log: Path) -> Iterator[str]:
    text = log.read_text()
    for line in text[: text.rfind("\n") + 1].splitlines():
        if line.startswith("{"):
            yield line
