"""How each dependency is checked. No provider is called: a probe costs money, and routing learns from the traffic itself."""

from __future__ import annotations

from collections.abc import Sized

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


def providers_check(providers: Sized) -> Check:
    """Healthy if there is one that can be called."""

    async def check() -> CheckResult:
        return "healthy" if len(providers) else "unhealthy"

    return check
