"""The control plane's section of an app: its FastAPI application, and the monitor behind ``/health``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from gatewayz.accounts.section import Accounts
from gatewayz.config import Settings
from gatewayz.controlplane.application import create_control_plane
from gatewayz.controlplane.deps import Services, attach
from gatewayz.controlplane.health_checks import database_check, providers_check, redis_check
from gatewayz.controlplane.health_monitor import Check, Dependency, HealthMonitor
from gatewayz.providers.registry import Providers
from gatewayz.queries.section import Queries
from gatewayz.storage.section import Storage
from gatewayz.telemetry.instrumentation import instrument_app
from gatewayz.telemetry.setup import Telemetry


@dataclass(frozen=True, slots=True)
class ControlPlane:
    app: FastAPI
    health: HealthMonitor


@asynccontextmanager
async def open_controlplane(
    settings: Settings,
    storage: Storage,
    accounts: Accounts,
    providers: Providers,
    queries: Queries,
    telemetry: Telemetry,
) -> AsyncGenerator[ControlPlane]:
    """Every dependency has been checked once when this is open."""
    checks: dict[Dependency, Check] = {
        "database": database_check(storage.database),
        "providers": providers_check(providers),
    }
    if storage.cache is not None:
        checks["redis"] = redis_check(storage.cache)
    health = await HealthMonitor.open(checks, redis_required=settings.redis_required)
    try:
        app = create_control_plane()
        attach(app, Services(settings, health, telemetry.exposition, accounts.keys.authenticate, queries.http))
        instrument_app(app, telemetry)
        yield ControlPlane(app, health)
    finally:
        await health.close()
