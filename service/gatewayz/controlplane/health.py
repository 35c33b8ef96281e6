"""``/health`` and its two probes: what the monitor found, as JSON and as a status code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Response
from pydantic import BaseModel

from gatewayz import __version__
from gatewayz.controlplane.deps import health_of
from gatewayz.controlplane.health_monitor import CheckResult, HealthMonitor, Status


class Checks(BaseModel):
    """What was last found about each dependency."""

    database: CheckResult
    redis: CheckResult
    providers: CheckResult


class Health(BaseModel):
    """The answer of ``GET /health``."""

    status: Status
    timestamp: str
    version: str
    checks: Checks


class Probe(BaseModel):
    """The answer of the two probes."""

    status: Literal["alive", "ready", "not ready", "draining"]


Monitor = Annotated[HealthMonitor, Depends(health_of)]


def add_health_routes(app: FastAPI) -> None:
    """``/health`` for people and monitors, ``/health/live`` and ``/health/ready`` for orchestrators."""

    @app.get("/health", responses={503: {"model": Health}}, tags=["health"])
    @app.head("/health", include_in_schema=False)
    async def health(monitor: Monitor, response: Response) -> Health:
        """503 when the database is down, when every provider is down, or when Redis is down and required."""
        _never_cached(response, ok=monitor.status != "unhealthy")
        return Health(
            status=monitor.status,
            timestamp=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            version=__version__,
            checks=Checks(**monitor.found),
        )

    @app.get("/health/live", tags=["health"])
    @app.head("/health/live", include_in_schema=False)
    async def live(response: Response) -> Probe:
        """200 as long as the process answers at all: restarting it would not bring a dependency back."""
        _never_cached(response, ok=True)
        return Probe(status="alive")

    @app.get("/health/ready", responses={503: {"model": Probe}}, tags=["health"])
    @app.head("/health/ready", include_in_schema=False)
    async def ready(monitor: Monitor, response: Response) -> Probe:
        """503 while unhealthy, and from the moment on at which the gateway was told to stop."""
        _never_cached(response, ok=monitor.readiness == "ready")
        return Probe(status=monitor.readiness)


def _never_cached(response: Response, *, ok: bool) -> None:
    response.headers["cache-control"] = "no-store"
    response.status_code = 200 if ok else 503
