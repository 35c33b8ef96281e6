"""What is measured: a bare uvicorn answer, and the gateway with its telemetry off and on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, assert_never

from benchmarks.load.program import get
from benchmarks.processes import BenchmarkFailed, Child, free_port, wait_until
from benchmarks.providers import KEY_VARIABLE, write_config
from benchmarks.routes.table import Breaker, Route
from benchmarks.shapes import SHAPES, Shape, chat_body, http_request

SubjectName = Literal["bare", "off", "on"]
SUBJECTS: tuple[SubjectName, ...] = ("bare", "off", "on")

ROOT = Path(__file__).parents[1]
MODEL = "gpt-4o-mini"
START_S = 60.0


def label(name: SubjectName) -> str:
    """How the tables call it."""
    match name:
        case "bare":
            return "bare uvicorn"
        case "off":
            return "gateway, telemetry off"
        case "on":
            return "gateway, telemetry on"
        case _:
            assert_never(name)


@dataclass(frozen=True, slots=True)
class Asked:
    """One kind of request that the load generator sends."""

    name: str
    request: Path
    """A file with its bytes."""
    end: str = "data: [DONE]\n\n"
    """What a whole stream says at its end."""
    attempts: int = 1
    """CLIENT spans that each makes."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One running program under measurement."""

    name: SubjectName
    child: Child
    address: str
    requests: Mapping[Shape, Path]
    """Files with the request for each kind of answer."""
    started_in_s: float
    """From the start of the process to its first answer."""
    key: str = ""
    """The gateway's, for further requests."""

    def asked(self, shape: Shape) -> Asked:
        return Asked(shape, self.requests[shape])

    def route(self, route: Route) -> Asked:
        """The request of a route, written down beside the others."""
        file = self.child.log.with_name(f"{route.name}.http")
        file.write_bytes(http_request(route.path, route.body(), self.key, route.headers))
        return Asked(route.name, file, route.end, route.attempts)

    def __enter__(self) -> Subject:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.stop()


def start(name: SubjectName, *, core: int, scratch: Path, upstream: str, sink: str) -> Subject:
    """Start it and wait until it answers. ``scratch`` is a directory of its own."""
    scratch.mkdir(parents=True)
    if name == "bare":
        return _start_bare(core, scratch)
    environment = gateway_environment(scratch, upstream, sink if name == "on" else None)
    return start_gateway(name, core=core, scratch=scratch, environment=environment)


def route_environment(data_dir: Path, upstream: str, sink: str | None, breaker: Breaker) -> dict[str, str]:
    """The same, with providers of every wire. A breaker that opens stays so, for a probe would make a row's requests differ."""
    patient = {"GATEWAYZ_BREAKER_FAILURES": "1000000000", "GATEWAYZ_BREAKER_MIN_ATTEMPTS": "1000000000"}
    return gateway_environment(data_dir, upstream, sink) | {
        "GATEWAYZ_CONFIG_FILE": str(write_config(data_dir / "gatewayz.yaml", upstream)),
        KEY_VARIABLE: "bench",
        "GATEWAYZ_BREAKER_OPEN_S": "3600",
        "GATEWAYZ_BREAKER_MAX_OPEN_S": "3600",
        **(patient if breaker == "never" else {}),
    }


def gateway_environment(data_dir: Path, upstream: str, sink: str | None) -> dict[str, str]:
    """What the gateway is told; nothing of the caller's own configuration or provider keys gets in."""
    kept = {key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "LANG", "TMPDIR"}}
    telemetry = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{sink}"} if sink else {"OTEL_SDK_DISABLED": "true"}
    return kept | telemetry | {
        "GATEWAYZ_DATA_DIR": str(data_dir),
        "GATEWAYZ_CREATE_FIRST_KEY": "false",
        "OPENAI_BASE_URL": f"http://{upstream}/v1",
        "OPENAI_API_KEY": "bench",
        "PYTHONPATH": str(ROOT),  # for the profiler, which is part of this folder and not of the package
    }  # fmt: skip


def create_key(environment: Mapping[str, str]) -> str:
    """A key of the gateway with that environment's data directory, made by its own command."""
    command = [sys.executable, "-m", "gatewayz", "keys", "create", "bench", "--json"]
    done = subprocess.run(command, env=dict(environment), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkFailed(f"No key could be made for the gateway:\n{(done.stderr or done.stdout).strip()}")
    return str(json.loads(done.stdout)["key"])


def write_requests(scratch: Path, paths: Mapping[Shape, str], key: str) -> dict[Shape, Path]:
    """One file per kind of answer, for the load generator."""
    files: dict[Shape, Path] = {}
    for shape, path in paths.items():
        files[shape] = scratch / f"{shape}.http"
        files[shape].write_bytes(http_request(path, chat_body(shape, MODEL), key))
    return files


def _start_bare(core: int, scratch: Path) -> Subject:
    port = free_port()
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.yardstick", str(port)]
    child = Child(command, core=core, log=scratch / "log", environment=environment)
    paths: dict[Shape, str] = {shape: f"/{shape}" for shape in SHAPES}
    return _ready("bare", child, port, "/", write_requests(scratch, paths, "none"))


def start_gateway(
    name: SubjectName, *, core: int, scratch: Path, environment: Mapping[str, str], profiled: Sequence[str] = ()
) -> Subject:
    """The gateway as users start it; with ``profiled`` (the profiler's own arguments), one worker of it under the profiler.
    Its data is in ``scratch``."""
    key = create_key(environment)
    port = free_port()
    command = [sys.executable, "-m", "gatewayz", "serve", "--port", str(port)]
    if profiled:
        command = [sys.executable, "-m", "benchmarks.profile.gateway", str(port), *profiled]
    child = Child(command, core=core, log=scratch / "log", environment=environment)
    paths: dict[Shape, str] = dict.fromkeys(SHAPES, "/v1/chat/completions")
    return replace(_ready(name, child, port, "/health", write_requests(scratch, paths, key)), key=key)


def _ready(name: SubjectName, child: Child, port: int, path: str, requests: Mapping[Shape, Path]) -> Subject:
    address = f"127.0.0.1:{port}"

    def answers() -> bool:
        try:
            get(address, path)
        except OSError:
            return False
        return True

    try:
        took_s = wait_until(answers, child, label(name), START_S)
    except BaseException:
        child.stop()
        raise
    return Subject(name, child, address, requests, took_s)
