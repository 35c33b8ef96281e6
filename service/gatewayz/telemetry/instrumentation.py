"""Spans of the libraries that the control plane uses: FastAPI, httpx and redis. The data plane makes its spans by hand."""

from __future__ import annotations

import httpx
from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.metrics import NoOpMeterProvider
from redis.asyncio import Redis

from gatewayz.telemetry.setup import Telemetry

UNTRACED_PATHS = "health,health/live,health/ready"
"""Polled every few seconds by machines: a span for each would bury the requests that people look for."""


def instrument_app(app: FastAPI, telemetry: Telemetry) -> None:
    FastAPIInstrumentor.instrument_app(
        app,
        tracer_provider=telemetry.tracer_provider,
        meter_provider=NoOpMeterProvider(),  # request series are made of spans, in the Collector
        excluded_urls=UNTRACED_PATHS,
        exclude_spans=["receive", "send"],
    )


def instrument_http(client: httpx.AsyncClient, telemetry: Telemetry) -> None:
    HTTPXClientInstrumentor.instrument_client(
        client, tracer_provider=telemetry.tracer_provider, meter_provider=NoOpMeterProvider()
    )


def instrument_redis(client: Redis, telemetry: Telemetry) -> None:
    RedisInstrumentor.instrument_client(client, tracer_provider=telemetry.tracer_provider)
