"""What the routes are given: the resources that the lifespan opened, typed, without a global in sight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx
from fastapi import FastAPI, Request

from gatewayz.config import Settings
from gatewayz.controlplane.health_monitor import HealthMonitor


@dataclass(frozen=True, slots=True)
class Services:
    """Open resources. Whoever opened them closes them."""

    settings: Settings
    health: HealthMonitor
    exposition: Callable[[str], tuple[bytes, str]]
    """Given an Accept header, this process's own metrics and their content type."""
    http: httpx.AsyncClient | None = None
    """For the Collector's exposition; needed where ``collector_metrics_url`` is set."""

    def __post_init__(self) -> None:
        if self.settings.collector_metrics_url is not None and self.http is None:
            raise ValueError("collector_metrics_url is set, so a client is needed to ask there")


def attach(app: FastAPI, services: Services) -> None:
    """Give ``app`` what its routes need. Before the first request, which is to say in the lifespan."""
    app.state.services = services


def services_of(request: Request) -> Services:
    """The dependency for routes that need more than one thing."""
    services = request.app.state.services
    if not isinstance(services, Services):
        raise TypeError("attach() was given something that is not Services")
    return services


def health_of(request: Request) -> HealthMonitor:
    """The dependency for routes about health."""
    return services_of(request).health
