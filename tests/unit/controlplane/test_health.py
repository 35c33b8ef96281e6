"""/health and its probes: true, quick, and quiet."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from gatewayz import __version__
from gatewayz.controlplane.health_checks import database_check, redis_check
from gatewayz.controlplane.health_monitor import Check, CheckResult, Dependency, HealthMonitor, Status
from gatewayz.errors import ConfigurationError
from gatewayz.storage.cache import Cache, CacheUnavailable
from gatewayz.storage.database import Database
from tests.fakes.postgres import PostgresServer
from tests.polling import until
from tests.unit.controlplane.rig import ControlPlane, control_plane, found

ALL_WELL: Mapping[Dependency, Check] = {
    "database": found("healthy"),
    "redis": found("healthy"),
    "providers": found("healthy"),
}


async def test_health_has_the_documented_shape() -> None:
    async with control_plane(ALL_WELL) as plane:
        answer = await plane.http.get("/health")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == {"status", "timestamp", "version", "checks"}
    assert body["status"] == "healthy"
    assert body["version"] == __version__
    assert body["checks"] == {"database": "healthy", "redis": "healthy", "providers": "healthy"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["timestamp"])
    assert abs(datetime.fromisoformat(body["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_unconfigured_dependency_is_not_unhealthy(plane: ControlPlane) -> None:
    body = (await plane.http.get("/health")).json()
    assert body["status"] == "healthy"
    assert set(body["checks"].values()) == {"not configured"}


@pytest.mark.parametrize(
    ("dependency", "result", "redis_required", "status"),
    [
        ("database", "unhealthy", False, "unhealthy"),
        ("providers", "unhealthy", False, "unhealthy"),
        ("providers", "degraded", False, "degraded"),
        ("redis", "unhealthy", False, "degraded"),
        ("redis", "unhealthy", True, "unhealthy"),
        ("redis", "not configured", True, "healthy"),
    ],
)
async def test_unhealthy_critical_dependency_is_503(
    dependency: Dependency, result: CheckResult, redis_required: bool, status: Status
) -> None:
    checks: dict[Dependency, Check] = {**ALL_WELL, dependency: found(result)}
    async with control_plane(checks, redis_required=redis_required) as plane:
        health = await plane.http.get("/health")
        ready = await plane.http.get("/health/ready")
        live = await plane.http.get("/health/live")
    assert health.json()["status"] == status
    assert health.json()["checks"][dependency] == result
    assert health.status_code == ready.status_code == (503 if status == "unhealthy" else 200)
    assert ready.json() == {"status": "not ready" if status == "unhealthy" else "ready"}
    # A restart would not bring a dependency back.
    assert (live.status_code, live.json()) == (200, {"status": "alive"})


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
async def test_head_has_the_same_length_without_a_body(plane: ControlPlane, path: str) -> None:
    get, head = await plane.http.get(path), await plane.http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_draining_is_not_ready_but_alive(plane: ControlPlane) -> None:
    plane.monitor.drain()
    ready = await plane.http.get("/health/ready")
    assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
    assert (await plane.http.get("/health/live")).status_code == 200
    assert (await plane.http.get("/health")).status_code == 200


async def test_check_that_hangs_or_raises_is_unhealthy_and_delays_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    release = asyncio.Event()
    started = 0

    async def hangs() -> CheckResult:
        nonlocal started
        started += 1
        await release.wait()
        return "healthy"

    async def raises() -> CheckResult:
        raise RuntimeError("a bug in a check")

    async with control_plane({"database": hangs, "redis": raises}) as plane:
        answer = await asyncio.wait_for(plane.http.get("/health"), 5)
        assert answer.status_code == 503
        assert answer.json()["checks"] == {
            "database": "unhealthy",
            "redis": "unhealthy",
            "providers": "not configured",
        }
        # However many rounds go by, what hangs is not asked again and again.
        await until(lambda: plane.monitor.rounds >= 4)
        assert started == 1
        release.set()
        await until(lambda: plane.monitor.found["database"] == "healthy")
    # Changes are told, and told once.
    records = [vars(record) for record in caplog.records if record.name.startswith("gatewayz")]
    told = [(record["dependency"], record["state"], record["reason"]) for record in records]
    assert sorted(told) == [
        ("database", "healthy", ""),
        ("database", "unhealthy", "no answer within 0.2 s"),
        ("redis", "unhealthy", "RuntimeError"),
    ]


async def test_database_that_stops_is_noticed_and_so_is_its_return(postgres: PostgresServer) -> None:
    database = await Database.open(postgres.create_database())
    try:
        async with control_plane({"database": database_check(database)}) as plane:
            assert (await plane.http.get("/health")).status_code == 200
            await asyncio.to_thread(postgres.stop)
            await until(lambda: plane.monitor.status == "unhealthy")
            answer = await plane.http.get("/health")
            assert (answer.status_code, answer.json()["checks"]["database"]) == (503, "unhealthy")
            await asyncio.to_thread(postgres.start)
            await until(lambda: plane.monitor.status == "healthy")
            assert (await plane.http.get("/health")).status_code == 200
    finally:
        await database.close()


async def test_redis_check_pings_redis(redis_url: str) -> None:
    cache = Cache.open(redis_url)
    try:
        assert await redis_check(cache)() == "healthy"
    finally:
        await cache.close()


async def test_redis_that_is_away_or_frozen_is_unhealthy_in_bounded_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        for listener in (silent, nobody):
            cache = Cache.open(f"redis://:hunter2@127.0.0.1:{listener.getsockname()[1]}/0")
            try:
                async with asyncio.timeout(15):
                    with pytest.raises(CacheUnavailable) as caught:
                        await cache.ping()
                assert "hunter2" not in f"{caught.value} {caught.value.reason}"
            finally:
                await cache.close()


def test_wrong_redis_address_is_one_clear_sentence() -> None:
    for url in ("nonsense", "http://:hunter2@localhost", "redis://localhost:port"):
        with pytest.raises(ConfigurationError, match="GATEWAYZ_REDIS_URL") as caught:
            Cache.open(url)
        assert "hunter2" not in str(caught.value)


async def test_monitor_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    monitor = await HealthMonitor.open(ALL_WELL, interval_s=0.01)
    await until(lambda: monitor.rounds >= 2)
    await monitor.close()
    assert asyncio.all_tasks() == before
