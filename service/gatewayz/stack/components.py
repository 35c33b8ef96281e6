"""What are the components, and how is each one called?

The variables and flags are those that the configuration files in the component folders expect; docker-compose.yml gives
the same files other values.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from gatewayz.stack.options import StackOptions
from gatewayz.stack.ports import Ports, PortUse
from gatewayz.stack.process import Launch

ComponentName = Literal["collector", "prometheus", "tempo", "loki", "alertmanager", "redis-exporter"]
COMPONENT_NAMES: tuple[ComponentName, ...] = get_args(ComponentName)

LOOPBACK = "127.0.0.1"

INHERITED = frozenset({"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"})
"""All that a component gets of our environment besides variables of its own prefix: provider keys and OTEL_* settings are the
gateway's business."""

PROMETHEUS_FEATURES = "exemplar-storage,created-timestamp-zero-ingestion,promql-extended-range-selectors"
"""Exemplars; the first observations of a series count; ``increase(x[5m] anchored)`` is exact."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where this run of the stack takes place; all paths absolute."""

    options: StackOptions
    files: Path
    data: Path

    @property
    def ports(self) -> Ports:
        return self.options.ports

    def home(self, name: str) -> Path:
        """The component's data directory, made if it is not there."""
        directory = self.data / name
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def environment(self, prefix: str, **own: str) -> dict[str, str]:
        given = self.options.environment
        kept = {name: value for name, value in given.items() if name in INHERITED or name.startswith(prefix)}
        return kept | own


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


def _collector(site: Site, program: Path) -> Launch:
    ports, home = site.ports, site.home("collector")
    given_limit = site.options.environment.get("OTELCOL_MEMORY_LIMIT_MIB", "")
    limit_mib = int(given_limit) if given_limit.isdecimal() else 400
    return Launch(
        command=(str(program), "--config", str(site.files / "otel-collector" / "config.yaml")),
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
        _link(configuration / name, site.files / "prometheus" / name)
    targets = {
        "prometheus": ports.prometheus,
        "gatewayz": ports.collector_series,
        "otel-collector": ports.collector_metrics,
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


def _tempo(site: Site, program: Path) -> Launch:
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
            TEMPO_DATA=str(home),
        ),
        ready_url=f"http://{LOOPBACK}:{ports.tempo}/ready",
        url=f"http://{LOOPBACK}:{ports.tempo}",
        working_directory=home,
        grace_s=5,  # a recent query makes TERM hang; by then its WAL is closed and a KILL loses nothing
    )


def _loki(site: Site, program: Path) -> Launch:
    ports, home = site.ports, site.home("loki")
    return Launch(
        command=(str(program), f"-config.file={site.files / 'loki' / 'loki.yaml'}", "-config.expand-env=true"),
        environment=site.environment(
            "LOKI_",
            LOKI_HOST=LOOPBACK,
            LOKI_HTTP_PORT=str(ports.loki),
            LOKI_GRPC_PORT=str(ports.loki_grpc),
            LOKI_DATA=str(home),
        ),
        ready_url=f"http://{LOOPBACK}:{ports.loki}/ready",
        url=f"http://{LOOPBACK}:{ports.loki}",
        working_directory=home,
        grace_s=20,  # it flushes its chunks
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
    Component("tempo", "tempo", ("tempo", "tempo_grpc", "tempo_otlp"), _tempo),
    Component("loki", "loki", ("loki", "loki_grpc"), _loki),
    Component("alertmanager", "alertmanager", ("alertmanager",), _alertmanager),
    Component("redis-exporter", "redis-exporter", ("redis_exporter",), _redis_exporter),
)

STOP_ORDER: tuple[tuple[str, ...], ...] = (("tempo", "loki"), ("prometheus",), ("alertmanager", "redis-exporter"))
"""After the gateway and the Collector: who receives goes after who sends."""


def chosen(options: StackOptions) -> tuple[Component, ...]:
    """The components that this run is about."""
    return tuple(
        component
        for component in COMPONENTS
        if (options.only is None or component.name in options.only)
        and component.name not in options.without
        and (component.name != "redis-exporter" or options.redis_url)
    )


def gateway_launch(site: Site) -> Launch:
    """The gateway as a child: its own settings from the environment, with the stack's addresses on top."""
    options, ports = site.options, site.ports
    running = {component.name for component in chosen(options)}
    environment = gateway_environment(site)
    host = LOOPBACK if options.host in {"0.0.0.0", "::", ""} else options.host  # noqa: S104  # compared, not listened on
    url = f"http://{f'[{host}]' if ':' in host else host}:{ports.gateway}"
    if "collector" in running:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://{LOOPBACK}:{ports.otlp_grpc}"
        environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc"
        environment["GATEWAYZ_COLLECTOR_METRICS_URL"] = f"http://{LOOPBACK}:{ports.collector_series}/metrics"
    return Launch(
        command=(*options.program, "serve"),
        environment=environment,
        ready_url=f"{url}/health",
        url=url,
        working_directory=Path.cwd(),
        grace_s=options.gateway_grace_s,
        death_signal=signal.SIGTERM,
    )


def gateway_environment(site: Site) -> dict[str, str]:
    """Settings by which ``gatewayz serve`` and ``gatewayz keys`` mean the same gateway."""
    options = site.options
    # REDIS_URL alone is enough for the exporter, so it is for the gateway.
    redis = {"GATEWAYZ_REDIS_URL": options.redis_url} if options.redis_url else {}
    return (
        dict(options.environment)
        | redis
        | {
            "GATEWAYZ_HOST": options.host,
            "GATEWAYZ_PORT": str(site.ports.gateway),
            "GATEWAYZ_WORKERS": str(options.workers),
            "GATEWAYZ_DATA_DIR": str(site.data),
            # The runner asks for the first key itself, to show it where a person looks and not between log lines.
            "GATEWAYZ_CREATE_FIRST_KEY": "false",
        }
    )


def port_uses(options: StackOptions) -> list[PortUse]:
    """Every port that this run will listen on."""
    numbers: Mapping[str, int] = options.ports.as_dict()
    uses = [PortUse("gateway", "gateway", options.host, numbers["gateway"])] if options.gateway else []
    for component in chosen(options):
        uses += [PortUse(name, component.name, LOOPBACK, numbers[name]) for name in component.ports]
    return uses


def write_file(path: Path, text: str) -> None:
    """Readable by the owner only, and never seen half-written."""
    draft = path.with_name(f".{path.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


def _link(link: Path, target: Path) -> None:
    """Make ``link`` point to ``target``, whatever was there before (a checkout may have moved)."""
    if link.is_symlink() or link.is_file():
        link.unlink()
    link.symlink_to(target)
