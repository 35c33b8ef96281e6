"""The Go program at the other end (this folder): built on first use, then started as client, upstream or sink."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from benchmarks.processes import BenchmarkFailed, Child, pinned
from gatewayz.stack.errors import StackError
from gatewayz.stack.options import user_cache
from gatewayz.stack.programs.toolchain import Go, find_go, install_go

SOURCE = Path(__file__).parent


class ClientResult(msgspec.Struct, frozen=True):
    """What the load generator saw in one run (``result`` in load/client.go)."""

    sent: int
    ok: int
    not_200: int
    broken: int
    reason: str
    events: int
    seconds: float
    per_second: float
    p50_us: float
    p99_us: float
    max_us: float
    first_byte_p50_us: float


class SinkCounts(msgspec.Struct, frozen=True):
    """What the OTLP sink has decoded so far (``counts`` in load/sink.go)."""

    server_spans: int
    client_spans: int
    other_spans: int
    completed_logs: int
    other_logs: int
    metrics: int
    exports: int
    bytes: int
    undecodable: int
    series: int = 0
    """Data points in the latest metrics of each exporter."""


def build() -> Path:
    """The program, built if this version of its source was not yet; kept in the user's cache under the source's hash.

    Go is the one that builds the stack: from PATH, or fetched as a wheel. Raises BenchmarkFailed without one.
    """
    digest = hashlib.sha256()
    for path in sorted([*SOURCE.glob("*.go"), SOURCE / "go.mod"]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    program = user_cache() / "benchmarks" / digest.hexdigest()[:16] / "load"
    if program.exists():
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    print("building the load generator (once, about half a minute)", file=sys.stderr, flush=True)
    go = asyncio.run(_toolchain())
    with tempfile.TemporaryDirectory(dir=program.parent) as scratch:
        made = Path(scratch) / "load"
        environment = os.environ | {
            "GOCACHE": f"{scratch}/objects",
            "GOPROXY": "off",  # nothing beyond the standard library is needed, so nothing may be asked of the network
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
        }
        if go.root is not None:
            environment["GOROOT"] = str(go.root)
        done = subprocess.run(
            [str(go.program), "build", "-trimpath", "-buildvcs=false", "-o", str(made), "."],
            cwd=SOURCE,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchmarkFailed(f"The load generator could not be built with Go {go.version}:\n{done.stderr.strip()}")
        # Renamed, not written in place: another run may be building the same.
        made.replace(program)
    return program


async def _toolchain() -> Go:
    try:
        return await find_go(user_cache(), os.environ) or await install_go(user_cache(), os.environ, _note)
    except StackError as error:
        raise BenchmarkFailed(str(error)) from None


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Server:
    """The upstream or the sink, running; ``address`` is ``127.0.0.1:port``."""

    def __init__(self, program: Path, part: str, *, core: int, log: Path, scripts: Path | None = None) -> None:
        # The Go runtime collects garbage on threads of its own; four times the default heap makes that rare.
        environment = {"PATH": os.environ.get("PATH", ""), "GOGC": "400"}
        command = [str(program), part, *(["-scripts", str(scripts)] if scripts else [])]
        self.child = Child(command, core=core, log=log, environment=environment, pipe_stdout=True)
        assert self.child.process.stdout is not None
        line = self.child.process.stdout.readline().decode().split()
        if line[:1] != ["listening"]:
            self.child.stop()
            raise BenchmarkFailed(f"The {part} did not start:\n{self.child.last_words()}")
        self.address = line[1]

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.stop()


def sink_counts(address: str) -> SinkCounts:
    """What the sink has decoded so far."""
    return msgspec.json.decode(get(address, "/counts"), type=SinkCounts)


def get(address: str, path: str, timeout_s: float = 5) -> bytes:
    """The body of a 200 answer. Raises OSError for anything else."""
    connection = http.client.HTTPConnection(address, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()
    if response.status != 200:
        raise OSError(f"{path} answered {response.status}")
    return body


class SoakTally(msgspec.Struct, frozen=True):
    """What became of one kind of request (``tally`` in load/soak.go)."""

    name: str
    sent: int
    as_expected: int
    reason: str
    p50_ms: float
    p99_ms: float


class Soaked(msgspec.Struct, frozen=True):
    """What the load generator has to tell in the end (``soaked`` in load/soak.go)."""

    latest_ms: float
    """How late a request was begun at the worst: the load generator itself waited for the processor."""
    kinds: tuple[SoakTally, ...]


def start_soak(program: Path, *, address: str, plan: Path, rate: float, seconds: float, core: int, log: Path) -> Child:
    """The open-loop load generator, running; its tallies are on its standard output in the end."""
    command = [
        str(program), "soak", "--address", address, "--plan", str(plan), "--rate", str(rate), "--seconds", str(seconds),
    ]  # fmt: skip
    environment = {"PATH": os.environ.get("PATH", ""), "GOGC": "400"}
    return Child(command, core=core, log=log, environment=environment, pipe_stdout=True)


def run_client(
    program: Path,
    *,
    address: str,
    request: Path,
    connections: int,
    seconds: float,
    core: int,
    end: str = "data: [DONE]\n\n",
) -> tuple[ClientResult, float]:
    """One run of the load generator: what it saw, and the CPU seconds it took itself."""
    command = [
        str(program), "client", "--address", address, "--request", str(request), "--end", end,
        "--connections", str(connections), "--seconds", str(seconds),
    ]  # fmt: skip
    before = os.times()
    with pinned(core):
        done = subprocess.run(command, capture_output=True, check=False)
    after = os.times()
    if done.returncode:
        raise BenchmarkFailed(f"The load generator failed: {done.stderr.decode().strip()}")
    own_cpu_s = (after.children_user + after.children_system) - (before.children_user + before.children_system)
    return msgspec.json.decode(done.stdout, type=ClientResult), own_cpu_s
