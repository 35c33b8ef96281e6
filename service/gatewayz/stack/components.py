"""What are the components, and how is each one called?

The variables and flags are those that the configuration files in the component folders expect; docker-compose.yml gives
the same files other values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from gatewayz.stack import stores
from gatewayz.stack.options import StackOptions
from gatewayz.stack.ports import PortUse
from gatewayz.stack.process import Launch
from gatewayz.stack.site import LOOPBACK, Site, link, write_file
from gatewayz.stack.stores import STORES

ComponentName = Literal[
    "collector", "prometheus", "jaeger", "victoria-logs", "tempo", "loki", "alertmanager", "redis-exporter"
]
COMPONENT_NAMES: tuple[ComponentName, ...] = get_args(ComponentName)

PROMETHEUS_FEATURES = "exemplar-storage,created-timestamp-zero-ingestion,promql-extended-range-selectors"
"""Exemplars; the first observations of a series count; ``increase(x[5m] anchored)`` is exact."""


@dataclass(frozen=True, slots=True)
class Component:
    """One program of the stack besides the gateway."""

    name: ComponentName
    folder: str
    """Its folder in the checkout."""
    ports: tuple[str, ...]
    """Fields of Ports that it listens on."""
    launch: Callable[[Site, Path], Launch]
    """From the site and the path of its program to what is run. Also writes the files that only a run can know."""
    instead: str = ""
    """Set for a program that only the user can provide, on PATH: the option that chooses another one."""

    @property
    def provided(self) -> bool:
        """Whether only the user can provide it."""
        return bool(self.instead)


def _collector(site: Site, program: Path) -> Launch:
    ports, home = site.ports, site.home("collector")
    given_limit = site.options.environment.get("OTELCOL_MEMORY_LIMIT_MIB", "")
    limit_mib = int(given_limit) if given_limit.isdecimal() else 400
    running = [component.name for component in chosen(site.options)]
    files = ["config.yaml", *(store.collector_file for name, store in STORES.items() if name in running)]
    arguments = [word for file in files for word in ("--config", str(site.files / "otel-collector" / file))]
    return Launch(
        command=(str(program), *arguments),
        environment=site.environment(
            "OTELCOL_",
            GOMEMLIMIT=f"{limit_mib * 4 // 5}MiB",  # the Go runtime then collects garbage before the Collector refuses data
            OTELCOL_MEMORY_LIMIT_MIB=str(limit_mib),
            OTELCOL_OTLP_GRPC_ADDRESS=f"{LOOPBACK}:{ports.otlp_grpc}",
            OTELCOL_OTLP_HTTP_ADDRESS=f"{LOOPBACK}:{ports.otlp_http}",
            OTELCOL_SERIES_ADDRESS=f"{LOOPBACK}:{ports.collector_series}",
            OTELCOL_SELF_HOST=LOOPBACK,
            OTELCOL_SELF_PORT=str(ports.collector_metrics),
            OTELCOL_HEALTH_ADDRESS=f"{LOOPBACK}:{ports.collector_health}",
            OTELCOL_JAEGER_URL=f"http://{LOOPBACK}:{ports.jaeger_otlp}",
            OTELCOL_VICTORIA_LOGS_URL=f"http://{LOOPBACK}:{ports.victoria_logs}",
            OTELCOL_TEMPO_URL=f"http://{LOOPBACK}:{ports.tempo_otlp}",
            OTELCOL_LOKI_URL=f"http://{LOOPBACK}:{ports.loki}",
            OTELCOL_DATA=str(home),
        ),
        ready_url=f"http://{LOOPBACK}:{ports.collector_health}/",
        url=f"http://{LOOPBACK}:{ports.otlp_grpc}",
        shown_url=f"{LOOPBACK}:{ports.otlp_grpc} (OTLP/gRPC), {LOOPBACK}:{ports.otlp_http} (OTLP/HTTP)",
        working_directory=home,
        grace_s=15,  # TERM drains its queues into the stores
    )


def _prometheus(site: Site, program: Path) -> Launch:
    ports, home = site.ports, site.home("prometheus")
    configuration = home / "config"
    (configuration / "targets").mkdir(parents=True, exist_ok=True)
    for name in ("prom.yml", "rules"):
        link(configuration / name, site.files / "prometheus" / name)
    targets = {
        "prometheus": ports.prometheus,
        "gatewayz": ports.collector_series,
        "otel-collector": ports.collector_metrics,
        "jaeger": ports.jaeger_metrics,
        "victoria-logs": ports.victoria_logs,
        "tempo": ports.tempo,
        "loki": ports.loki,
        "alertmanager": ports.alertmanager,
        "redis_exporter": ports.redis_exporter,
    }
    running = {component.name for component in chosen(site.options)}
    for job, port in targets.items():
        owner = {"gatewayz": "collector", "otel-collector": "collector", "redis_exporter": "redis-exporter"}.get(
            job, job
        )
        groups = [{"targets": [f"{LOOPBACK}:{port}"]}] if owner in running else []
        write_file(configuration / "targets" / f"{job}.json", json.dumps(groups))
    return Launch(
        command=(
            str(program),
            f"--config.file={configuration / 'prom.yml'}",
            f"--storage.tsdb.path={home / 'tsdb'}",
            f"--web.listen-address={LOOPBACK}:{ports.prometheus}",
            f"--enable-feature={PROMETHEUS_FEATURES}",
            "--web.enable-remote-write-receiver",
            "--web.enable-lifecycle",
        ),
        environment=site.environment("PROMETHEUS_"),
        ready_url=f"http://{LOOPBACK}:{ports.prometheus}/-/ready",
        url=f"http://{LOOPBACK}:{ports.prometheus}",
        working_directory=home,
        grace_s=20,  # it writes its head block's state
    )


def _alertmanager(site: Site, program: Path) -> Launch:
    ports, home = site.ports, site.home("alertmanager")
    configuration = "alertmanager.yml"
    webhook = site.options.environment.get("ALERT_WEBHOOK_URL")
    if webhook:
        # In a file and not in the configuration: such an address often holds a secret.
        write_file(home / "webhook_url", webhook)
        configuration = "alertmanager-webhook.yml"
    return Launch(
        command=(
            str(program),
            f"--config.file={site.files / 'alertmanager' / configuration}",
            f"--storage.path={home}",
            f"--web.listen-address={LOOPBACK}:{ports.alertmanager}",
            "--cluster.listen-address=",  # alone: no gossip port
        ),
        environment=site.environment("ALERT_"),
        ready_url=f"http://{LOOPBACK}:{ports.alertmanager}/-/ready",
        url=f"http://{LOOPBACK}:{ports.alertmanager}",
        working_directory=home,
    )


def _redis_exporter(site: Site, program: Path) -> Launch:
    ports, home = site.ports, site.home("redis-exporter")
    environment = site.environment("REDIS_EXPORTER_")
    parts = urlsplit(site.options.redis_url or "")
    # User and password by variables of their own: it prints the address in its log and in its metrics.
    environment["REDIS_ADDR"] = f"{parts.scheme or 'redis'}://{parts.hostname or LOOPBACK}:{parts.port or 6379}"
    if parts.password:
        environment["REDIS_PASSWORD"] = parts.password
    if parts.username:
        environment["REDIS_USER"] = parts.username
    return Launch(
        command=(str(program), f"-web.listen-address={LOOPBACK}:{ports.redis_exporter}"),
        environment=environment,
        ready_url=f"http://{LOOPBACK}:{ports.redis_exporter}/health",
        url=f"http://{LOOPBACK}:{ports.redis_exporter}/metrics",
        working_directory=home,
    )


COMPONENTS: tuple[Component, ...] = (
    # The Collector first: until it is there the gateway holds its telemetry back.
    Component(
        "collector",
        "otel-collector",
        ("otlp_grpc", "otlp_http", "collector_metrics", "collector_series", "collector_health"),
        _collector,
    ),
    Component("prometheus", "prometheus", ("prometheus",), _prometheus),
    Component("jaeger", "jaeger", ("jaeger", "jaeger_otlp", "jaeger_health", "jaeger_metrics"), stores.jaeger),
    Component("victoria-logs", "victoria-logs", ("victoria_logs",), stores.victoria_logs),
    Component("tempo", "tempo", ("tempo", "tempo_grpc", "tempo_otlp"), stores.tempo, instead="--traces jaeger"),
    Component("loki", "loki", ("loki", "loki_grpc"), stores.loki, instead="--logs victoria-logs"),
    Component("alertmanager", "alertmanager", ("alertmanager",), _alertmanager),
    Component("redis-exporter", "redis-exporter", ("redis_exporter",), _redis_exporter),
)

STOP_ORDER: tuple[tuple[str, ...], ...] = (tuple(STORES), ("prometheus",), ("alertmanager", "redis-exporter"))
"""After the gateway and the Collector: who receives goes after who sends."""


def chosen(options: StackOptions) -> tuple[Component, ...]:
    """The components that this run is about."""
    return tuple(
        component
        for component in COMPONENTS
        if (options.only is None or component.name in options.only)
        and component.name not in options.without
        and (component.name not in STORES or component.name in (options.traces, options.logs))
        and (component.name != "redis-exporter" or options.redis_url)
    )


def port_uses(options: StackOptions) -> list[PortUse]:
    """Every port that this run will listen on."""
    numbers: Mapping[str, int] = options.ports.as_dict()
    uses = [PortUse("gateway", "gateway", options.host, numbers["gateway"])] if options.gateway else []
    for component in chosen(options):
        uses += [PortUse(name, component.name, LOOPBACK, numbers[name]) for name in component.ports]
    return uses
