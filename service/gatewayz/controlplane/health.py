"""``/health`` and its two probes: what the monitor found, as JSON and as a status code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from gatewayz import __version__
from gatewayz.controlplane.deps import HealthDep
from gatewayz.controlplane.health_monitor import CheckResult, Readiness, Status

router = APIRouter(tags=["health"])


class Checks(BaseModel):
    """What was last found about each dependency."""

    database: CheckResult
    redis: CheckResult
    providers: CheckResult


class Health(BaseModel):
    """The answer of ``GET /health``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "healthy",
                    "timestamp": "2026-11-28T12:00:00.000Z",
                    "version": __version__,
                    "checks": {"database": "healthy", "redis": "not configured", "providers": "healthy"},
                }
            ]
        }
    )

    status: Status
    timestamp: str
    """When this was asked, in UTC."""
    version: str
    checks: Checks


class Liveness(BaseModel):
    """The answer of ``GET /health/live``."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "alive"}]})

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """The answer of ``GET /health/ready``."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ready"}]})

    status: Readiness


@router.get("/health", responses={503: {"model": Health, "description": "Requests fail."}})
@router.head("/health", include_in_schema=False)
async def health(monitor: HealthDep, response: Response) -> Health:
    """503 when the database is down, when there is no provider, or when Redis is down and required."""
    _never_cached(response, ok=monitor.status != "unhealthy")
    return Health(
        status=monitor.status,
        timestamp=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        version=__version__,
        checks=Checks(**monitor.found),
    )


@router.get("/health/live")
@router.head("/health/live", include_in_schema=False)
async def live(response: Response) -> Liveness:
    """200 as long as the process answers at all: restarting it would not bring a dependency back."""
    _never_cached(response, ok=True)
    return Liveness()


@router.get("/health/ready", responses={503: {"model": Ready, "description": "Send requests elsewhere."}})
@router.head("/health/ready", include_in_schema=False)
async def ready(monitor: HealthDep, response: Response) -> Ready:
    """503 while unhealthy, and from the moment on at which the gateway was told to stop."""
    _never_cached(response, ok=monitor.readiness == "ready")
    return Ready(status=monitor.readiness)


def _never_cached(response: Response, *, ok: bool) -> None:
    response.headers["cache-control"] = "no-store"
    response.status_code = 200 if ok else 503
