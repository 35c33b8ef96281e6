"""``python -m benchmarks soak``: the gateway under mixed traffic for a long time. Does anything in it grow?

The load is open-loop: requests begin at a fixed rate, whatever becomes of those before. Each worker is looked at every ten
seconds.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec

from benchmarks import machine
from benchmarks.load.program import Server, Soaked, build, get, sink_counts, start_soak
from benchmarks.processes import BenchmarkFailed, Child, choose_cores, free_port, wait_until
from benchmarks.providers import write_scripts
from benchmarks.soak.gateway import Inside, read_inside
from benchmarks.soak.mix import write_mix
from benchmarks.soak.records import Sample, SoakResult
from benchmarks.subjects import create_key, route_environment

WORKERS = 2
KEYS = 5
SAMPLE_EVERY_S = 10.0
START_S = 60.0
ARRIVAL_S = 30.0

Say = Callable[[str], None]


def soak(minutes: float, rate: float, say: Say) -> SoakResult:
    """Loads the gateway and looks at it; raises BenchmarkFailed when it does not start or a worker dies."""
    cores = choose_cores()
    program = build()
    described = machine.describe(cores)
    with tempfile.TemporaryDirectory(prefix="gatewayz-soak-") as directory, ExitStack() as stack:
        scratch = Path(directory)
        scripts = write_scripts(scratch / "scripts.json")
        upstream = stack.enter_context(
            Server(program, "upstream", core=cores.others, log=scratch / "upstream.log", scripts=scripts)
        )
        sink = stack.enter_context(Server(program, "sink", core=cores.others, log=scratch / "sink.log"))
        gateway, address, plan = _start(scratch, cores.measured, upstream.address, sink.address)
        stack.enter_context(gateway)
        load = stack.enter_context(
            start_soak(
                program,
                address=address,
                plan=plan,
                rate=rate,
                seconds=minutes * 60,
                core=cores.others,
                log=scratch / "load.log",
            )
        )
        samples = _watch(gateway, load, sink, scratch, say)
        soaked = _soaked(load)
        spans = _spans(sink, sum(tally.sent for tally in soaked.kinds))
        return SoakResult(
            described, minutes, rate, WORKERS, tuple(samples), soaked.kinds, spans, latest_ms=soaked.latest_ms
        )


def _start(scratch: Path, core: int, upstream: str, sink: str) -> tuple[Child, str, Path]:
    # Breakers that open would answer in the failing providers' place: far less work, and not the same each minute.
    environment = route_environment(scratch, upstream, sink, "never")
    plan = write_mix(scratch, [create_key(environment) for _ in range(KEYS)])
    (scratch / "inside").mkdir()
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.soak.gateway", str(port), str(WORKERS), str(scratch / "inside")]
    child = Child(command, core=core, log=scratch / "gateway.log", environment=environment)
    address = f"127.0.0.1:{port}"

    def answers() -> bool:
        try:
            get(address, "/health")
        except OSError:
            return False
        return len(read_inside(scratch / "inside")) == WORKERS

    try:
        wait_until(answers, child, "the gateway", START_S)
    except BaseException:
        child.stop()
        raise
    return child, address, plan


def _watch(gateway: Child, load: Child, sink: Server, scratch: Path, say: Say) -> list[Sample]:
    """A sample of each worker every ten seconds, as long as the load lasts."""
    samples: list[Sample] = []
    begun = time.monotonic()
    workers = set(read_inside(scratch / "inside"))
    due = begun
    while not load.died():
        for pid, inside in read_inside(scratch / "inside").items():
            sample = _sample(pid, inside, time.monotonic() - begun, gateway, sink)
            if pid not in workers or sample is None:
                raise BenchmarkFailed(f"A worker of the gateway died:\n{gateway.last_words()}")
            samples.append(sample)
            say(_line(sample))
        gateway.forget_log()
        due += SAMPLE_EVERY_S
        while time.monotonic() < due and not load.died():
            time.sleep(0.2)
    return samples


def _sample(pid: int, inside: Inside, at_s: float, gateway: Child, sink: Server) -> Sample | None:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        status = Path(f"/proc/{pid}/status").read_text()
        descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return None
    threads = re.search(r"^Threads:\s+(\d+)", status, re.MULTILINE)
    return Sample(
        pid=pid,
        at_s=at_s,
        pss_mb=_mb(rollup, "Pss"),
        uss_mb=_mb(rollup, "Private_Clean") + _mb(rollup, "Private_Dirty"),
        descriptors=descriptors,
        threads=int(threads.group(1)) if threads else 0,
        tasks=inside.tasks,
        objects=inside.objects,
        series=sink_counts(sink.address).series,
        cpu_s=gateway.cpu_s(),
    )


def _mb(rollup: str, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found.group(1)) / 1024 if found else 0.0


def _soaked(load: Child) -> Soaked:
    assert load.process.stdout is not None
    said = load.process.stdout.read()
    if load.process.wait():
        raise BenchmarkFailed(f"The load generator failed:\n{load.last_words()}")
    return msgspec.json.decode(said, type=Soaked)


def _spans(sink: Server, served: int) -> int:
    """SERVER spans that arrived, waited for."""
    deadline = time.monotonic() + ARRIVAL_S
    while (arrived := sink_counts(sink.address).server_spans) < served and time.monotonic() < deadline:
        time.sleep(0.1)
    return arrived


def _line(sample: Sample) -> str:
    return (
        f"  {sample.at_s:6.0f} s  {sample.pid:7}  PSS {sample.pss_mb:6.1f}  USS {sample.uss_mb:6.1f} MB  "
        f"{sample.descriptors:4} files  {sample.threads:3} threads  {sample.tasks:4} tasks  {sample.objects:7} objects  "
        f"{sample.series:5} series"
    )
