"""What can be set, where each default comes from, and how a wrong value is reported.

Settings come from the environment and are grouped in sections: ``settings.server.port`` is GATEWAYZ_PORT. The variable's name
is the member's, after GATEWAYZ_ and the section's own prefix, unless a ``Variable`` says otherwise. Nothing else reads these
variables; the standard ``OTEL_*`` ones are read by telemetry, and provider keys by the catalogue, under their usual names.

A member without a description is no setting: it has one value, with its reason beside it, and only tests use another.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gatewayz.records import IncomingTrace, Strategy

PREFIX = "GATEWAYZ_"


class ConfigurationError(Exception):
    """A setting or a file is wrong. The message names it, says what is wrong with it and what to do."""


_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#]+", re.IGNORECASE)

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Count = Annotated[int, Field(ge=1)]
Retention = Annotated[str, Field(pattern=r"^[1-9]\d{0,4}[hdw]$")]
DiskSpace = Annotated[str, Field(pattern=r"^[1-9]\d{0,11}([KMGT]i?B)?$")]
"""In bytes, or with KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (of 1024)."""

TraceStore = Literal["jaeger", "tempo"]
LogStore = Literal["victoria-logs", "loki"]


@dataclass(frozen=True, slots=True)
class Variable:
    """The name of a member's variable after GATEWAYZ_, where it is not the section's prefix and the member's name."""

    name: str


class Section(BaseModel):
    """Settings that belong together. Times are seconds, sizes bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: ClassVar[str] = ""


class ServerSettings(Section):
    """Where the gateway listens, and what it takes from a connection."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 in a container.")
    port: Port = Field(default=8000, description="Port to listen on.")
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        default=1, description="Worker processes; one per core is a good start."
    )
    drain_s: Seconds = Field(default=20, description="How long open requests may go on after SIGTERM.")
    max_body_bytes: Annotated[int, Field(ge=1024)] = Field(
        default=10_000_000, description="Largest request body; ten megabytes hold a long prompt with images."
    )
    body_timeout_s: Seconds = Field(default=30, description="Time in which a request body must have arrived.")
    max_json_depth: Annotated[int, Field(ge=16, le=256)] = Field(
        default=64,
        description="Deepest nesting of a JSON body; tool schemas reach a dozen levels, decoders break at a thousand.",
    )
    max_headers: Annotated[int, Field(ge=16, le=10_000)] = Field(
        default=100, description="Most headers of a request; SDKs behind two proxies send about thirty."
    )
    max_header_bytes: Annotated[int, Field(ge=1024, le=1_000_000)] = Field(
        default=32_768, description="Largest request line and headers together; room for cookies and a signed token."
    )
    header_timeout_s: Seconds = Field(
        default=10,
        description="Time in which the headers must have arrived, from the first byte; a new connection has as long to begin.",
    )
    write_timeout_s: Seconds = Field(
        default=60,
        description="How long a caller may read nothing of an answer that waits for it; then its connection is closed and the "
        "provider's with it. A stalled phone comes back within a minute or not at all.",
    )
    cors_origins: str = Field(
        default="",
        description="Origins, with commas between, whose web pages may call the API (CORS); `*` for any, unset for none: "
        "anybody can read a key that is in a web page.",
    )

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        wrong = [one for one in map(str.strip, value.split(",")) if one not in ("", "*") and not _ORIGIN.fullmatch(one)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no origin: write https://example.com, without a path")
        return value


class StorageSettings(Section):
    """Where the gateway keeps things."""

    data_dir: Path = Field(
        default=Path("data"), description="Directory for the database, the key pepper, logs and the stack's data."
    )
    database_url: str | None = Field(
        default=None, description="SQLAlchemy address of the database; unset: SQLite in the data directory."
    )
    redis_url: str | None = Field(
        default=None,
        description="Redis, as redis://host:6379/0; unset: what workers could share stays in each of them.",
    )
    redis_required: bool = Field(
        default=False, description="Count a Redis that is down as unhealthy (503 on /health) instead of as degraded."
    )

    @property
    def sqlite_file(self) -> Path | None:
        """The database file in the data directory, or None where another database is set."""
        return None if self.database_url else self.data_dir / "gatewayz.db"

    @property
    def database(self) -> str:
        """The SQLAlchemy address in force."""
        file = self.sqlite_file
        return f"sqlite+aiosqlite:///{file.absolute()}" if file is not None else str(self.database_url)


class AccountsSettings(Section):
    """API keys."""

    key_pepper: SecretStr | None = Field(
        default=None, description="Secret mixed into key hashes; unset: made once and kept in the data directory."
    )
    key_cache_s: Seconds = Field(
        default=10,
        description="How long a verified key is accepted without asking the database; bounds how long a revoked key still works.",
    )
    create_first_key: bool = Field(default=True, description="Create and print one key when the database holds none.")
    incoming_trace: IncomingTrace = Field(
        default="continue", description="An authenticated caller's trace: continue it, link to it, or ignore it."
    )


class ProvidersSettings(Section):
    """Which providers there are."""

    config_file: Path | None = Field(
        default=None,
        description="Providers, models and prices of your own; unset: `gatewayz.yaml` where the gateway starts, if there.",
    )
    list_models: bool = Field(
        default=True,
        description="Ask providers for their lists of models, hourly and in the background, for `/v1/models`.",
    )
    demo_enabled: bool = Field(default=True, description="Offer the built-in demo provider.")
    demo_pace_s: Annotated[float, Field(ge=0, le=60)] = Field(
        default=0.02, description="Pause between the chunks of a streamed demo answer."
    )


class UpstreamSettings(Section):
    """Connections to providers. An entry of gatewayz.yaml may have timeouts of its own."""

    connect_timeout_s: Seconds = Field(default=5, description="TCP and TLS handshake with a provider.")
    first_byte_timeout_s: Seconds = Field(
        default=60, description="Request sent to first byte of the answer; a long unary answer is all first byte."
    )
    first_chunk_timeout_s: Seconds = Field(
        default=15,
        description="Request sent to first byte of a streamed answer: one that has not begun by then is stuck.",
    )
    idle_timeout_s: Seconds = Field(default=30, description="Longest silence inside an answer.")
    total_timeout_s: Seconds = Field(
        default=600, description="Longest that an attempt may take, and a call with all its attempts."
    )
    upstream_connections: Count = Field(default=512, description="Connections per provider and worker.")
    max_upstream_bytes: Annotated[int, Field(ge=1024)] = Field(
        default=64_000_000, description="Largest unary answer read from a provider."
    )


class RetryPolicy(Section):
    """How often a call is tried, and how politely."""

    prefix = "RETRY_"

    max_attempts: Annotated[int, Field(ge=1, le=20), Variable("MAX_ATTEMPTS")] = Field(
        default=6, description="Attempts that one call may take, retries and fallbacks included; 1: neither."
    )
    # Envoy's default; more make an outage worse.
    budget_share: Annotated[float, Field(ge=0, le=1), Variable("RETRY_BUDGET")] = Field(
        default=0.2,
        description="Share of extra attempts among all calls while they fail; those that succeed are not counted.",
    )
    max_wait_s: Annotated[float, Field(ge=0, le=60), Variable("MAX_RETRY_WAIT_S")] = Field(
        default=5,
        description="Longest Retry-After that is waited for; the caller gets a longer one, if no other provider can answer.",
    )
    tries_per_candidate: int = 2  # the second try saves most blips; a third seldom does what another provider cannot
    backoff_s: float = 0.25
    max_backoff_s: float = 2.0
    max_wait_with_others_s: float = 0.5  # where somebody else can answer, only a blink is waited for
    budget_min: float = 3.0
    budget_wait_s: float = 30.0  # for reserved attempts; as long as a substitute may take to show that it answers
    budget_rest_s: float = 60.0  # after so long without a call it is as at the start: a lone caller's retries come back


class BreakerPolicy(Section):
    """When a candidate (one provider and model) is not called any more, and for how long."""

    prefix = "BREAKER_"

    consecutive_failures: Annotated[Count, Variable("BREAKER_FAILURES")] = Field(
        default=5, description="Failures in a row that open the circuit breaker of a provider's model."
    )
    failure_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="Share of failures in the window that opens it, too."
    )
    min_attempts: Count = Field(default=20, description="Attempts in the window below which that share says nothing.")
    window_s: Seconds = Field(default=60, description="That window.")
    open_s: Seconds = Field(
        default=30, description="How long it stays open at first: longer than a blip, shorter than a user's patience."
    )
    max_open_s: Seconds = Field(
        default=300,
        description="How long at most, after doubling with each failed probe: that a provider is back after an hour is noticed "
        "within five minutes.",
    )
    probe_s: float = 30.0  # a probe that says nothing for so long is given up, and another may go


class RoutingPolicy(Section):
    """Which provider is asked, and which one next."""

    max_in_flight: Count = Field(
        default=1024, description="Calls at a time, per worker; one more is refused at once with 503 and Retry-After."
    )
    provider_in_flight: Annotated[Count, Variable("PROVIDER_MAX_IN_FLIGHT")] = Field(
        default=512, description="Calls to one provider at a time, per worker, where its entry does not say otherwise."
    )
    strategy: Strategy = "priority"
    """For a plain model name that several providers serve."""
    retry: RetryPolicy = RetryPolicy()
    breaker: BreakerPolicy = BreakerPolicy()


class OrphanPolicy(Section):
    """How long the answer of an orphaned call is waited for, and how many such calls a worker allows at a time."""

    wait_s: Annotated[float, Field(ge=0, le=86_400), Variable("ORPHANED_CALL_S")] = Field(
        default=60,
        description="How long a whole answer is still awaited after its caller has disconnected, to learn what it cost: its "
        "provider charges for it anyway. 0: not at all, and its input is charged by estimate.",
    )
    max_calls: Annotated[int, Field(ge=0), Variable("MAX_ORPHANED_CALLS")] = Field(
        default=64,
        description="Such answers awaited at a time, per worker; of one more the input is charged by estimate.",
    )


class TelemetrySettings(Section):
    """Beside the standard ``OTEL_*`` variables."""

    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")
    flush_s: Seconds = Field(default=5, description="How long telemetry may take to leave after the last request.")
    queue_bytes: Annotated[int, Field(ge=1_000_000), Variable("TELEMETRY_QUEUE_BYTES")] = Field(
        default=100_000_000,
        description="Telemetry kept per worker and signal while the Collector is away: about 110,000 spans. "
        "Beyond it the oldest is dropped and counted.",
    )
    collector_metrics_url: str | None = Field(
        default=None,
        description="The Collector's Prometheus exposition, relayed as /metrics; unset: the worker's own metrics.",
    )
    metrics_token: SecretStr | None = Field(
        default=None, description="Bearer token that /metrics asks for; unset: open."
    )

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        level = value.upper()
        if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return level


class StackSettings(Section):
    """The stores of `gatewayz up`, what they keep, and all ports but the gateway's own, which is GATEWAYZ_PORT."""

    prefix = "STACK_"

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


class Settings(BaseSettings):
    """Every setting, in sections. Made by ``load_settings``."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    server: ServerSettings = ServerSettings()
    storage: StorageSettings = StorageSettings()
    accounts: AccountsSettings = AccountsSettings()
    providers: ProvidersSettings = ProvidersSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    routing: RoutingPolicy = RoutingPolicy()
    orphans: OrphanPolicy = OrphanPolicy()
    telemetry: TelemetrySettings = TelemetrySettings()
    stack: StackSettings = StackSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Environment(settings_cls)


class _Environment(PydanticBaseSettingsSource):
    """The variables of the environment, in their sections."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # the fields of Settings are sections; __call__ fills them as a whole

    def __call__(self) -> dict[str, Any]:
        given = {name.upper(): value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}
        return _in_sections({name: given[name] for name in VARIABLES if name in given})


def settings_of(section: type[BaseModel]) -> Iterator[tuple[str, tuple[str, ...], FieldInfo]]:
    """The settings of a section and of those inside it: variable, path of the member in the section, and its field."""
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            for variable, path, one in settings_of(inner):
                yield variable, (name, *path), one
        elif field.description is not None:
            own = next((one.name for one in field.metadata if isinstance(one, Variable)), None)
            prefix: str = getattr(section, "prefix", "")
            yield f"{PREFIX}{own or prefix + name.upper()}", (name,), field


VARIABLES: Mapping[str, tuple[str, ...]] = {variable: path for variable, path, _ in settings_of(Settings)}
"""Every variable, with the path of its member: GATEWAYZ_PORT → server, port."""


def _in_sections(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by variable, as nested mappings."""
    # Any: texts of the environment, and option values of every type; pydantic judges them.
    tree: dict[str, Any] = {}
    for variable, value in values.items():
        *sections, member = VARIABLES[variable]
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
        place[member] = value
    return tree


def load_settings(**options: Any) -> Settings:
    """Settings from the environment, with ``options`` on top: named as their variables are, without GATEWAYZ_ and in lower
    case (``port``, ``stack_traces``). None stands for an option that was not given.

    Raises ConfigurationError with one line per wrong value: its variable, what is wrong, what was given; KeyError for an option
    that is no setting.
    """
    given = {f"{PREFIX}{name.upper()}": value for name, value in options.items() if value is not None}
    try:
        return Settings(**_in_sections(given))
    except ValidationError as error:
        raise _explained(error) from None


def _explained(error: ValidationError) -> ConfigurationError:
    lines: list[str] = []
    for item in error.errors(include_url=False):
        variable = next(name for name, path in VARIABLES.items() if item["loc"][: len(path)] == path)
        shown = "" if "PEPPER" in variable or "TOKEN" in variable else f" (given: {item['input']!r})"
        lines.append(f"{variable}: {item['msg']}{shown}")
    return ConfigurationError("\n".join(lines))
