"""What can be chosen about a run of the stack?"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gatewayz.config import LogStore, TraceStore
from gatewayz.stack.ports import Ports


def user_cache() -> Path:
    """Where binaries that were built once are kept for every checkout of this user."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    return root / "gatewayz"


def _process_environment() -> Mapping[str, str]:
    return dict(os.environ)


@dataclass(frozen=True, slots=True)
class StackOptions:
    """One run of the stack; the defaults are those of ``gatewayz up`` in an empty directory."""

    data_dir: Path = Path("data")
    host: str = "127.0.0.1"
    """Where the gateway listens. The components always listen on 127.0.0.1."""
    workers: int = 1
    ports: Ports = field(default_factory=Ports)
    only: frozenset[str] | None = None
    """Component names to run; None runs them all."""
    without: frozenset[str] = frozenset()
    traces: TraceStore = "jaeger"
    logs: LogStore = "victoria-logs"
    trace_retention_h: int = 72
    log_retention_h: int = 168
    log_disk: str = "5GB"
    """VictoriaLogs removes its oldest days beyond it; Loki has no such bound."""
    min_free_disk: str = "500MB"
    """With less room on the disk VictoriaLogs takes nothing in; the other stores have no such guard."""
    jobs: int | None = None
    """How many components may build at once; None: two where memory allows."""
    redis_url: str | None = None
    """redis_exporter runs only with it."""
    gateway: bool = True
    restart: bool = True
    """Start a component again that dies after the start."""
    last_scrape_s: float = 11.0
    """Wait between the gateway's end and the Collector's: its flush (5 s), Prometheus' scrape (5 s) and one for the way."""
    ready_timeout_s: float = 120.0
    gateway_grace_s: float = 35.0
    """From its TERM to its KILL: its own drain (20 s) and flush (5 s) come first."""
    first_key: bool = False
    """Have the first API key made and keep the notice with it (``Stack.first_key_notice``)."""
    program: tuple[str, ...] = (sys.executable, "-m", "gatewayz")
    """How the gateway's own commands are called."""
    environment: Mapping[str, str] = field(default_factory=_process_environment)
    """What the children inherit; the runner's own variables come on top."""
    build_environment: Mapping[str, str] = field(default_factory=_process_environment)
    """What builds get: GOPROXY, proxies, certificates, GATEWAYZ_BUILD_CACHE."""
    cache_dir: Path = field(default_factory=user_cache)
    files_dir: Path | None = None
