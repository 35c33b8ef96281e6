"""The control plane under a real server, and a Collector that answers what a test wants."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from fastapi import APIRouter

from gatewayz.config import load_settings
from gatewayz.controlplane.application import create_control_plane
from gatewayz.controlplane.deps import Services, attach
from gatewayz.controlplane.health_monitor import Check, CheckResult, Dependency, HealthMonitor
from gatewayz.errors import Unauthenticated
from gatewayz.records import KeyIdentity, KeyScope
from tests.polling import until

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OWN = b"# HELP up Whether.\n# TYPE up gauge\nup 1.0\n"


SCOPES: Mapping[str, tuple[KeyScope, ...]] = {
    "caller": ("inference",),
    "reader": ("inference", "admin:read"),
    "admin": ("admin:read", "admin:write"),
}


def found(result: CheckResult) -> Check:
    """A check with always the same result."""

    async def check() -> CheckResult:
        return result

    return check


@asynccontextmanager
async def served(app: Callable[..., Awaitable[None]]) -> AsyncGenerator[str]:
    """``app`` under uvicorn on a free port; its address."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve([listener]))
        try:
            await until(lambda: server.started or task.done())
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@dataclass(slots=True)
class FakeCollector:
    """Answers GET as set; keeps the headers of each request."""

    status: int = 200
    body: bytes = b"# TYPE http_requests counter\nhttp_requests_total 3.0\n"
    content_type: str = TEXT
    silent: bool = False
    asked: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])

    # ASGI's own types are these.
    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        self.asked.append({name.decode(): value.decode() for name, value in scope["headers"]})
        while self.silent:
            if (await receive())["type"] == "http.disconnect":
                return
        headers = [(b"content-type", self.content_type.encode()), (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running control plane, and a client for it."""

    http: httpx.AsyncClient
    monitor: HealthMonitor
    accepts: list[str]
    """The Accept headers that this process's own exposition was asked with."""


async def authenticate(credential: str | None) -> KeyIdentity:
    """Knows three keys: ``caller``, ``reader`` and ``admin``."""
    if credential is None or credential not in SCOPES:
        raise Unauthenticated("Not a key of this gateway.")
    return KeyIdentity("kid", credential, scopes=SCOPES[credential])


@asynccontextmanager
async def control_plane(
    checks: Mapping[Dependency, Check] | None = None,
    *,
    redis_required: bool = False,
    routers: Sequence[APIRouter] = (),
    **settings: Any,
) -> AsyncGenerator[ControlPlane]:
    """``routers``: routes of a test, beside the control plane's own."""
    accepts: list[str] = []

    def exposition(accept: str) -> tuple[bytes, str]:
        accepts.append(accept)
        return OWN, TEXT

    async with AsyncExitStack() as stack:
        monitor = await HealthMonitor.open(checks or {}, redis_required=redis_required, interval_s=0.05, timeout_s=0.2)
        stack.push_async_callback(monitor.close)
        collector = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        app = create_control_plane()
        for router in routers:
            app.include_router(router)
        attach(app, Services(load_settings(**settings), monitor, exposition, authenticate, collector))
        address = await stack.enter_async_context(served(app))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=address, trust_env=False))
        yield ControlPlane(http, monitor, accepts)
