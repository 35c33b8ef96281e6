"""Which machine the figures are from: without that line they mean nothing."""

from __future__ import annotations

import datetime
import os
import platform
from importlib import metadata
from pathlib import Path

from benchmarks.processes import Cores
from benchmarks.records import Machine

PACKAGES = ("uvicorn", "uvloop", "httptools", "aiohttp", "opentelemetry-sdk", "grpcio")


def describe(cores: Cores) -> Machine:
    """The machine as it is now, before the load starts."""
    return Machine(
        cpu=_cpu_model(),
        cores=os.cpu_count() or 1,
        cores_apart=cores.apart,
        memory_gb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        kernel=platform.release().split("-")[0],
        python=platform.python_version(),
        packages={name: metadata.version(name) for name in PACKAGES},
        gateway=metadata.version("gatewayz"),
        taken_at=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        load_average=os.getloadavg()[0],
    )


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
