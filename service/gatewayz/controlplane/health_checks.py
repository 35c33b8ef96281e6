"""How each dependency is looked at. Providers are not among them: paid probes are for those who ask for them, and what
traffic says about providers is known to whoever routes it."""

from __future__ import annotations

from gatewayz.controlplane.health_monitor import Check, CheckResult
from gatewayz.storage.cache import Cache
from gatewayz.storage.database import Database


def database_check(database: Database) -> Check:
    """Healthy if it answers a query."""

    async def check() -> CheckResult:
        await database.ping()
        return "healthy"

    return check


def redis_check(cache: Cache) -> Check:
    """Healthy if it answers a PING."""

    async def check() -> CheckResult:
        await cache.ping()
        return "healthy"

    return check
