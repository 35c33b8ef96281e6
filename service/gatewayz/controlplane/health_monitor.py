"""Is the gateway fit to serve? Checked in the background, so that an answer never waits for a dependency."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

logger = logging.getLogger(__name__)

Dependency = Literal["database", "redis", "providers"]
Status = Literal["healthy", "degraded", "unhealthy"]
CheckResult = Literal["healthy", "degraded", "unhealthy", "not configured"]
Readiness = Literal["ready", "not ready", "draining"]
Check = Callable[[], Awaitable[CheckResult]]
"""Checks one dependency. A check that raises or takes too long means unhealthy."""


class HealthMonitor:
    """Runs the checks every few seconds and remembers what they found."""

    def __init__(
        self, checks: Mapping[Dependency, Check], *, redis_required: bool, interval_s: float, timeout_s: float
    ) -> None:
        """Use ``HealthMonitor.open``."""
        self._checks = checks
        self._redis_required = redis_required
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._found: dict[Dependency, CheckResult] = {
            "database": "not configured",
            "redis": "not configured",
            "providers": "not configured",
        }
        self._running: dict[Dependency, asyncio.Task[CheckResult]] = {}
        self._loop: asyncio.Task[None] | None = None
        self._draining = False
        self.rounds = 0
        """How often all dependencies were checked."""

    @classmethod
    async def open(
        cls,
        checks: Mapping[Dependency, Check],
        *,
        redis_required: bool = False,
        interval_s: float = 5,
        timeout_s: float = 2,
    ) -> HealthMonitor:
        """Check everything once, so that the first answer is true, then again every ``interval_s`` seconds.

        A dependency without a check is "not configured", which harms nothing.
        """
        monitor = cls(checks, redis_required=redis_required, interval_s=interval_s, timeout_s=timeout_s)
        await monitor.check()
        monitor._loop = asyncio.create_task(monitor._watch(), name="health checks")
        return monitor

    async def close(self) -> None:
        """Stop checking."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait({self._loop})
            self._loop = None
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def drain(self) -> None:
        """From now on not ready: load balancers send new requests elsewhere while the open ones end."""
        self._draining = True

    @property
    def found(self) -> Mapping[Dependency, CheckResult]:
        """What was last found about each dependency."""
        return self._found

    @property
    def status(self) -> Status:
        """Unhealthy: requests fail. Degraded: they are served, with less than promised."""
        found = self._found
        if found["database"] == "unhealthy" or found["providers"] == "unhealthy":
            return "unhealthy"
        if found["redis"] == "unhealthy" and self._redis_required:
            return "unhealthy"
        if any(result in ("unhealthy", "degraded") for result in found.values()):
            return "degraded"
        return "healthy"

    @property
    def readiness(self) -> Readiness:
        """Whether new requests should be sent here."""
        if self._draining:
            return "draining"
        return "not ready" if self.status == "unhealthy" else "ready"

    async def check(self) -> None:
        """One round: all dependencies at once, at most ``timeout_s``."""
        for name, check in self._checks.items():
            # A check that hangs is not started again: a frozen dependency must not collect tasks.
            if name not in self._running:
                self._running[name] = asyncio.create_task(_run(check), name=f"check {name}")
        running = dict(self._running)
        if running:
            await asyncio.wait(running.values(), timeout=self._timeout_s)
        for name, task in running.items():
            if not task.done():
                self._note(name, "unhealthy", f"no answer within {self._timeout_s:g} s")
                continue
            del self._running[name]
            error = task.exception()
            if error is None:
                self._note(name, task.result(), "")
            else:
                self._note(name, "unhealthy", str(getattr(error, "reason", None) or type(error).__name__))
        self.rounds += 1

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            await self.check()

    def _note(self, name: Dependency, result: CheckResult, reason: str) -> None:
        before, self._found[name] = self._found[name], result
        # Changes only: a dependency that is down for an hour is one line, not seven hundred.
        if result == before or (before == "not configured" and result == "healthy"):
            return
        fields = {"dependency": name, "state": result, "before": before, "reason": reason}
        if result == "healthy":
            logger.info("dependency healthy again", extra=fields)
        else:
            logger.warning("dependency not healthy", extra=fields)


async def _run(check: Check) -> CheckResult:
    return await check()
