"""How is the gateway called, and where do it and its tools find the rest of the stack?"""

from __future__ import annotations

import signal
from pathlib import Path

from gatewayz.stack.components import chosen
from gatewayz.stack.process import Launch
from gatewayz.stack.site import LOOPBACK, Site
from gatewayz.stack.stores import STORES


def gateway_launch(site: Site) -> Launch:
    """The gateway as a child: its own settings from the environment, with the stack's addresses on top."""
    options, ports = site.options, site.ports
    url = gateway_url(site)
    addresses = reader_addresses(site)
    variables = {"traces": "GATEWAYZ_TRACES_URL", "logs": "GATEWAYZ_LOGS_URL", "prometheus": "GATEWAYZ_PROMETHEUS_URL"}
    environment = gateway_environment(site) | {
        variable: addresses[part] for part, variable in variables.items() if part in addresses
    }
    if "collector" in addresses:
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


def gateway_url(site: Site) -> str:
    """Where the gateway answers, from this machine."""
    host = site.options.host
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104  # compared, not listened on
        host = LOOPBACK
    return f"http://{f'[{host}]' if ':' in host else host}:{site.ports.gateway}"


def reader_addresses(site: Site) -> dict[str, str]:
    """Where what runs is asked: ``traces``, ``logs``, ``prometheus``, ``collector``, ``gateway``; what does not run is left out.

    The scheme of a store says which one it is: ``jaeger+http://127.0.0.1:16686``.
    """
    numbers = site.ports.as_dict()
    running = {component.name for component in chosen(site.options)}
    addresses = {
        store.keeps: f"{store.scheme}+http://{LOOPBACK}:{numbers[store.port]}"
        for name, store in STORES.items()
        if name in running
    }
    if "prometheus" in running:
        addresses["prometheus"] = f"http://{LOOPBACK}:{numbers['prometheus']}"
    if "collector" in running:
        addresses["collector"] = f"http://{LOOPBACK}:{numbers['collector_metrics']}"
    if site.options.gateway:
        addresses["gateway"] = gateway_url(site)
    return addresses


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
