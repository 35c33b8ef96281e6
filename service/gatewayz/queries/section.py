"""The queries section of an app: the HTTP client with which the control plane asks Collector, Prometheus and the stores."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from gatewayz.telemetry.instrumentation import instrument_http
from gatewayz.telemetry.setup import Telemetry

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Queries:
    http: httpx.AsyncClient
    """Instrumented. Never on the data plane's path."""


@asynccontextmanager
async def open_queries(telemetry: Telemetry) -> AsyncGenerator[Queries]:
    """Contacts no server."""
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=TIMEOUT_S) as client:
        instrument_http(client, telemetry)
        yield Queries(client)
