"""What can be set, where each default comes from, and what is said when a value is wrong.

Settings come from the environment (prefix ``GATEWAYZ_``) and nothing else reads it for them; the standard ``OTEL_*``
variables are read by the OpenTelemetry SDK, and provider keys by the catalogue, under the names that each provider gives them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gatewayz.records import IncomingTrace

PREFIX = "GATEWAYZ_"


class ConfigurationError(Exception):
    """A setting or a file is wrong. The message names it, says what is wrong with it and what to do."""


STACK_PREFIX = "GATEWAYZ_STACK_"

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#]+", re.IGNORECASE)

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Retention = Annotated[str, Field(pattern=r"^[1-9]\d{0,4}[hdw]$")]
DiskSpace = Annotated[str, Field(pattern=r"^[1-9]\d{0,11}([KMGT]i?B)?$")]
"""In bytes, or with KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (of 1024)."""

TraceStore = Literal["jaeger", "tempo"]
LogStore = Literal["victoria-logs", "loki"]


class Settings(BaseSettings):
    """Every setting of the gateway. Times are seconds, sizes bytes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    # Where it listens
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 in a container.")
    port: Port = Field(8000, description="Port to listen on.")
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        1, description="Worker processes; one per core is a good start."
    )

    # Where it keeps things
    data_dir: Path = Field(
        Path("data"), description="Directory for the database, the key pepper, logs and the stack's data."
    )
    config_file: Path | None = Field(
        None,
        description="Providers, models and prices of your own; unset: `gatewayz.yaml` where the gateway starts, if there.",
    )
    database_url: str | None = Field(
        None, description="SQLAlchemy address of the database; unset: SQLite in the data directory."
    )
    redis_url: str | None = Field(
        None, description="Redis, as redis://host:6379/0; unset: what workers could share stays in each of them."
    )
    redis_required: bool = Field(
        False, description="Count a Redis that is down as unhealthy (503 on /health) instead of as degraded."
    )

    # Keys
    key_pepper: SecretStr | None = Field(
        None, description="Secret mixed into key hashes; unset: made once and kept in the data directory."
    )
    key_cache_s: Seconds = Field(
        10,
        description="How long a verified key is believed without asking the database; bounds how long a revoked key still works.",
    )
    create_first_key: bool = Field(True, description="Create and print one key when the database holds none.")
    incoming_trace: IncomingTrace = Field(
        "continue", description="An authenticated caller's trace: continue it, link to it, or ignore it."
    )

    cors_origins: str = Field(
        "",
        description="Origins, with commas between, whose web pages may call the API (CORS); `*` for any, unset for none: "
        "a key that is in a web page is everybody's.",
    )

    # Limits on input
    max_body_bytes: Annotated[int, Field(ge=1024)] = Field(
        10_000_000, description="Largest request body; ten megabytes hold a long prompt with images."
    )
    body_timeout_s: Seconds = Field(30, description="Time in which a request body must have arrived.")
    max_json_depth: Annotated[int, Field(ge=16, le=256)] = Field(
        64,
        description="Deepest nesting of a JSON body; tool schemas reach a dozen levels, decoders break at a thousand.",
    )
    max_headers: Annotated[int, Field(ge=16, le=10_000)] = Field(
        100, description="Most headers of a request; SDKs behind two proxies send about thirty."
    )
    max_header_bytes: Annotated[int, Field(ge=1024, le=1_000_000)] = Field(
        32_768, description="Largest request line and headers together; room for cookies and a signed token."
    )
    header_timeout_s: Seconds = Field(
        10,
        description="Time in which the headers must have arrived, from the first byte; a new connection has as long to begin.",
    )
    write_timeout_s: Seconds = Field(
        60,
        description="How long a caller may read nothing of an answer that waits for him; then his connection is closed and the "
        "provider's with it. A stalled phone comes back within a minute or not at all.",
    )

    # Timeouts upstream
    connect_timeout_s: Seconds = Field(5, description="TCP and TLS handshake with a provider.")
    first_byte_timeout_s: Seconds = Field(
        60, description="Request sent to first byte of the answer; a long unary answer is all first byte."
    )
    first_chunk_timeout_s: Seconds = Field(
        15,
        description="Request sent to first byte of a streamed answer: one that has not begun by then is stuck.",
    )
    idle_timeout_s: Seconds = Field(30, description="Longest silence inside an answer.")
    total_timeout_s: Seconds = Field(600, description="Longest an attempt may take in all.")
    upstream_connections: Annotated[int, Field(ge=1)] = Field(512, description="Connections per provider and worker.")
    max_upstream_bytes: Annotated[int, Field(ge=1024)] = Field(
        64_000_000, description="Largest unary answer read from a provider."
    )

    list_models: bool = Field(
        True, description="Ask providers for their lists of models, hourly and in the background, for `/v1/models`."
    )

    # Routing
    max_in_flight: Annotated[int, Field(ge=1)] = Field(
        1024, description="Calls at a time, per worker; one more is refused at once with 503 and Retry-After."
    )
    provider_max_in_flight: Annotated[int, Field(ge=1)] = Field(
        512, description="Calls to one provider at a time, per worker, where its entry does not say otherwise."
    )
    max_attempts: Annotated[int, Field(ge=1, le=20)] = Field(
        6, description="Attempts that one call may take, retries and fallbacks included; 1: neither."
    )
    retry_budget: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="Share of extra attempts among all calls while they fail; those that succeed are not counted."
    )
    max_retry_wait_s: Annotated[float, Field(ge=0, le=60)] = Field(
        5, description="Longest Retry-After that is waited for; a longer one is handed on, if nobody else can answer."
    )
    breaker_failures: Annotated[int, Field(ge=1)] = Field(
        5, description="Failures in a row that open the circuit breaker of a provider's model."
    )
    breaker_failure_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="Share of failures in the window that opens it, too."
    )
    breaker_min_attempts: Annotated[int, Field(ge=1)] = Field(
        20, description="Attempts in the window below which that share says nothing."
    )
    breaker_window_s: Seconds = Field(60, description="That window.")
    breaker_open_s: Seconds = Field(
        30, description="How long it stays open at first: longer than a blip, shorter than a user's patience."
    )
    breaker_max_open_s: Seconds = Field(300, description="How long at most, after doubling with each failed probe.")

    # Callers that disconnect
    orphaned_call_s: Annotated[float, Field(ge=0, le=86_400)] = Field(
        60,
        description="How long a whole answer is still awaited after its caller has disconnected, to learn what it cost: its "
        "provider charges for it anyway. 0: not at all, and its input is charged by estimate.",
    )
    max_orphaned_calls: Annotated[int, Field(ge=0)] = Field(
        64, description="Such answers awaited at a time, per worker; of one more the input is charged by estimate."
    )

    # Shutdown
    drain_s: Seconds = Field(20, description="How long open requests may go on after SIGTERM.")
    flush_s: Seconds = Field(5, description="How long telemetry may take to leave after the last request.")

    # Telemetry
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    telemetry_queue_bytes: Annotated[int, Field(ge=1_000_000)] = Field(
        100_000_000,
        description="Telemetry kept per worker and signal while the Collector is away: about 110,000 spans. "
        "Beyond it the oldest is dropped and counted.",
    )
    collector_metrics_url: str | None = Field(
        None, description="The Collector's Prometheus exposition, relayed as /metrics; unset: the worker's own metrics."
    )
    metrics_token: SecretStr | None = Field(None, description="Bearer token that /metrics asks for; unset: open.")

    # The demo provider
    demo_pace_s: Annotated[float, Field(ge=0, le=60)] = Field(
        0.02, description="Pause between the chunks of a streamed demo answer."
    )
    demo_enabled: bool = Field(True, description="Offer the built-in demo provider.")

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        level = value.upper()
        if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return level

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        wrong = [one for one in map(str.strip, value.split(",")) if one not in ("", "*") and not _ORIGIN.fullmatch(one)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no origin: write https://example.com, without a path")
        return value

    @property
    def sqlite_file(self) -> Path | None:
        """The database file in the data directory, or None where another database is set."""
        return self.data_dir / "gatewayz.db" if self.database_url is None else None

    @property
    def database(self) -> str:
        """The SQLAlchemy address in force."""
        return self.database_url or f"sqlite+aiosqlite:///{(self.data_dir / 'gatewayz.db').absolute()}"


class StackSettings(BaseSettings):
    """The stores of `gatewayz up`, what they keep, and all ports but the gateway's own, which is GATEWAYZ_PORT."""

    model_config = SettingsConfigDict(env_prefix=STACK_PREFIX, extra="ignore", frozen=True)

    # Which stores, and how much they keep
    traces: TraceStore = Field(
        default="jaeger", description="Store for traces: `jaeger` (built here) or `tempo` (the one on PATH)."
    )
    logs: LogStore = Field(
        default="victoria-logs", description="Store for logs: `victoria-logs` (built here) or `loki` (the one on PATH)."
    )
    trace_retention: Retention = Field(
        default="72h", description="Traces are removed this long after they were written: `72h`, `7d`, `2w`."
    )
    log_retention: Retention = Field(
        default="7d",
        description="Log lines are removed when they are older; at least a day. Older ones are not taken in.",
    )
    log_disk: DiskSpace = Field(
        default="5GB",
        description="VictoriaLogs removes its oldest days beyond it, but never the last two. Loki has no such bound.",
    )
    min_free_disk: DiskSpace = Field(
        default="500MB",
        description="With less room on the disk VictoriaLogs only reads, and lines wait in the Collector. Jaeger, Tempo and "
        "Loki have no such guard.",
    )

    # Ports
    otlp_grpc_port: Port = Field(default=4317, description="Collector: OTLP over gRPC.")
    otlp_http_port: Port = Field(default=4318, description="Collector: OTLP over HTTP.")
    collector_metrics_port: Port = Field(default=8888, description="Collector: its own metrics.")
    collector_series_port: Port = Field(
        default=8889, description="Collector: the gateway's series, for Prometheus and /metrics."
    )
    collector_health_port: Port = Field(default=13133, description="Collector: health.")
    prometheus_port: Port = Field(default=9090, description="Prometheus.")
    alertmanager_port: Port = Field(default=9093, description="Alertmanager.")
    jaeger_port: Port = Field(default=16686, description="Jaeger: queries.")
    jaeger_otlp_port: Port = Field(default=4418, description="Jaeger: OTLP over HTTP, from the Collector.")
    jaeger_health_port: Port = Field(default=13134, description="Jaeger: health.")
    jaeger_metrics_port: Port = Field(default=8887, description="Jaeger: its own metrics.")
    victoria_logs_port: Port = Field(
        default=9428,
        description="VictoriaLogs: queries, its page (/select/vmui/), its own metrics, and OTLP over HTTP from the Collector.",
    )
    tempo_port: Port = Field(default=3200, description="Tempo: queries.")
    tempo_grpc_port: Port = Field(default=9097, description="Tempo: gRPC between its own parts.")
    tempo_otlp_port: Port = Field(default=4419, description="Tempo: OTLP over HTTP, from the Collector.")
    loki_port: Port = Field(default=3100, description="Loki: queries and OTLP over HTTP, from the Collector.")
    loki_grpc_port: Port = Field(default=9096, description="Loki: gRPC between its own parts.")
    redis_exporter_port: Port = Field(default=9121, description="redis_exporter; it runs only with GATEWAYZ_REDIS_URL.")

    @field_validator("log_retention")
    @classmethod
    def _a_day_at_least(cls, value: str) -> str:
        if hours(value) < 24:
            raise ValueError("must be at least a day: logs are kept and removed by the day")
        return value

    def ports(self) -> dict[str, int]:
        """Port numbers by name: ``prometheus``, ``otlp_grpc``, …"""
        return {
            name.removesuffix("_port"): number for name, number in self.model_dump().items() if name.endswith("_port")
        }


def hours(retention: str) -> int:
    """``72h``, ``7d``, ``2w`` in hours."""
    return int(retention[:-1]) * {"h": 1, "d": 24, "w": 168}[retention[-1]]


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, with ``overrides`` (from command-line options) on top.

    Raises ConfigurationError with one line per wrong value: its variable, what is wrong, what was given.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise _explained(error, PREFIX) from None


def load_stack_settings(**overrides: Any) -> StackSettings:
    """The stack's settings from the environment, ``overrides`` on top. Raises ConfigurationError like ``load_settings``."""
    try:
        return StackSettings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise _explained(error, STACK_PREFIX) from None


def _explained(error: ValidationError, prefix: str) -> ConfigurationError:
    lines: list[str] = []
    for item in error.errors(include_url=False):
        name = ".".join(str(part) for part in item["loc"])
        shown = "" if "pepper" in name or "token" in name else f" (given: {item['input']!r})"
        lines.append(f"{prefix}{name.upper()}: {item['msg']}{shown}")
    return ConfigurationError("\n".join(lines))
