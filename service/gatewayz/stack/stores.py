"""How is each store for traces and logs called, where is it read, and which file makes the Collector send to it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gatewayz.stack.errors import StackError
from gatewayz.stack.process import Launch
from gatewayz.stack.site import LOOPBACK, Site


@dataclass(frozen=True, slots=True)
class Store:
    """What the other parts of the stack have to know of a store."""

    keeps: Literal["traces", "logs"]
    scheme: str
    """Of its address for readers, before ``+http``: it says by which API the store is asked."""
    port: str
    """Field of Ports at which it is asked."""
    collector_file: str
    """Beside the Collector's config.yaml."""


STORES: Mapping[str, Store] = {
    "jaeger": Store("traces", "jaeger", "jaeger", "store-jaeger.yaml"),
    "tempo": Store("traces", "tempo", "tempo", "store-tempo.yaml"),
    "victoria-logs": Store("logs", "victorialogs", "victoria_logs", "store-victoria-logs.yaml"),
    "loki": Store("logs", "loki", "loki", "store-loki.yaml"),
}
"""By component name. A run has one for traces and one for logs at most (``StackOptions.traces``, ``.logs``)."""


def jaeger(site: Site, program: Path) -> Launch:
    ports, home = site.ports, site.home("jaeger")
    given_limit = site.options.environment.get("JAEGER_MEMORY_LIMIT_MIB", "")
    limit_mib = int(given_limit) if given_limit.isdecimal() else 800
    return Launch(
        command=(str(program), "--config", str(site.files / "jaeger" / "jaeger.yaml")),
        environment=site.environment(
            "JAEGER_",
            GOMEMLIMIT=f"{limit_mib * 4 // 5}MiB",  # the Go runtime then collects garbage before Jaeger refuses spans
            JAEGER_MEMORY_LIMIT_MIB=str(limit_mib),
            JAEGER_OTLP_HTTP_ADDRESS=f"{LOOPBACK}:{ports.jaeger_otlp}",
            JAEGER_QUERY_ADDRESS=f"{LOOPBACK}:{ports.jaeger}",
            JAEGER_GRPC_ADDRESS=f"{LOOPBACK}:0",  # unused, and it cannot be switched off: any free port
            JAEGER_HEALTH_ADDRESS=f"{LOOPBACK}:{ports.jaeger_health}",
            JAEGER_SELF_HOST=LOOPBACK,
            JAEGER_SELF_PORT=str(ports.jaeger_metrics),
            JAEGER_RETENTION=f"{site.options.trace_retention_h}h",
            JAEGER_DATA=str(home),
        ),
        ready_url=f"http://{LOOPBACK}:{ports.jaeger_health}/status",
        url=f"http://{LOOPBACK}:{ports.jaeger}",
        shown_url=f"http://{LOOPBACK}:{ports.jaeger} (API; no page of its own in this build)",
        working_directory=home,
        grace_s=15,
        ready_timeout_s=600,  # it reads its index first: 5 s for each million of spans that it keeps
    )


def victoria_logs(site: Site, program: Path) -> Launch:
    ports, home, options = site.ports, site.home("victoria-logs"), site.options
    fixed = read_variables(site.files / "victoria-logs" / "victoria-logs.env")
    return Launch(
        command=(str(program), "-envflag.enable", "-envflag.prefix=VL_"),
        environment=fixed
        | site.environment(
            "VL_",
            VL_httpListenAddr=f"{LOOPBACK}:{ports.victoria_logs}",
            VL_storageDataPath=str(home),
            VL_retentionPeriod=f"{options.log_retention_h}h",
            VL_retention_maxDiskSpaceUsageBytes=options.log_disk,
            VL_storage_minFreeDiskSpaceBytes=options.min_free_disk,
        ),
        ready_url=f"http://{LOOPBACK}:{ports.victoria_logs}/health",
        url=f"http://{LOOPBACK}:{ports.victoria_logs}",
        shown_url=f"http://{LOOPBACK}:{ports.victoria_logs}/select/vmui/",
        working_directory=home,
        grace_s=20,  # it writes what it has in memory
    )


def tempo(site: Site, program: Path) -> Launch:
    ports, home = site.ports, site.home("tempo")
    return Launch(
        command=(str(program), f"-config.file={site.files / 'tempo' / 'tempo.yaml'}", "-config.expand-env=true"),
        environment=site.environment(
            "TEMPO_",
            TEMPO_HOST=LOOPBACK,
            TEMPO_HTTP_PORT=str(ports.tempo),
            TEMPO_GRPC_PORT=str(ports.tempo_grpc),
            TEMPO_OTLP_HTTP_ADDRESS=f"{LOOPBACK}:{ports.tempo_otlp}",
            TEMPO_PROMETHEUS_URL=f"http://{LOOPBACK}:{ports.prometheus}",
            TEMPO_RETENTION=f"{site.options.trace_retention_h}h",
            TEMPO_DATA=str(home),
        ),
        ready_url=f"http://{LOOPBACK}:{ports.tempo}/ready",
        url=f"http://{LOOPBACK}:{ports.tempo}",
        working_directory=home,
        grace_s=5,  # a recent query makes TERM hang; by then its WAL is closed and a KILL loses nothing
    )


def loki(site: Site, program: Path) -> Launch:
    ports, home = site.ports, site.home("loki")
    return Launch(
        command=(str(program), f"-config.file={site.files / 'loki' / 'loki.yaml'}", "-config.expand-env=true"),
        environment=site.environment(
            "LOKI_",
            LOKI_HOST=LOOPBACK,
            LOKI_HTTP_PORT=str(ports.loki),
            LOKI_GRPC_PORT=str(ports.loki_grpc),
            LOKI_RETENTION=f"{site.options.log_retention_h}h",
            LOKI_DATA=str(home),
        ),
        ready_url=f"http://{LOOPBACK}:{ports.loki}/ready",
        url=f"http://{LOOPBACK}:{ports.loki}",
        working_directory=home,
        grace_s=20,  # it flushes its chunks
    )


def read_variables(path: Path) -> dict[str, str]:
    """The ``NAME=value`` lines of a file that Docker Compose reads as ``env_file``. Raises StackError naming the file."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise StackError(f"{path} cannot be read: {error.strerror}.") from None
    pairs = [line.partition("=") for line in lines if line.strip() and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in pairs}
