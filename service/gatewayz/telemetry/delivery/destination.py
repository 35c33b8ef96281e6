"""Where telemetry goes: the standard OTEL_EXPORTER_OTLP_* variables, read once and checked.

A variable of one signal (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT …) goes before the general one. As in the OpenTelemetry SDK for
Python, timeouts are seconds. Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from gatewayz.errors import ConfigurationError

Signal = Literal["traces", "logs", "metrics"]
Protocol = Literal["grpc", "http/protobuf"]

_PREFIX = "OTEL_EXPORTER_OTLP_"
_GRPC_METHODS: dict[Signal, str] = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}


@dataclass(frozen=True, slots=True)
class Destination:
    """One signal's receiver. ``path`` is the gRPC method or the HTTP path; ``headers`` may hold credentials."""

    signal: Signal
    protocol: Protocol
    host: str
    port: int
    path: str
    secure: bool
    headers: tuple[tuple[str, str], ...] = ()
    gzip: bool = False
    timeout_s: float = 10
    certificate: Path | None = None
    client_key: Path | None = None
    client_certificate: Path | None = None

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Destination({self.signal} to {self.address} by {self.protocol})"


def destination(signal: Signal, environment: Mapping[str, str]) -> Destination | None:
    """The receiver of ``signal``, or None if none is configured or the signal is switched off.

    Raises ConfigurationError, naming the variable, for a value that cannot be used.
    """
    own = f"{_PREFIX}{signal.upper()}_"
    if environment.get(f"OTEL_{signal.upper()}_EXPORTER", "otlp").strip().lower() == "none":
        return None

    def value(name: str) -> tuple[str, str]:
        for variable in (own + name, _PREFIX + name):
            text = environment.get(variable, "").strip()
            if text:
                return variable, text
        return _PREFIX + name, ""

    endpoint_variable, endpoint = value("ENDPOINT")
    if not endpoint:
        return None
    protocol = _protocol(*value("PROTOCOL"))
    insecure_variable, insecure = value("INSECURE")
    if insecure.lower() not in ("", "true", "false"):
        raise ConfigurationError(f"{insecure_variable} must be true or false, not {insecure!r}.")
    # gRPC also takes host:port without a scheme; then the INSECURE variable decides.
    with_scheme = endpoint if "://" in endpoint else f"//{endpoint}"
    try:
        url = urlsplit(with_scheme)
        host, port = url.hostname or "", url.port
    except ValueError:
        host, port, url = "", None, urlsplit("")
    if not host or (url.scheme not in ("http", "https") and not (protocol == "grpc" and url.scheme == "")):
        raise ConfigurationError(
            f"{endpoint_variable} must be an address such as http://127.0.0.1:4317, not {endpoint!r}."
        )
    secure = url.scheme == "https" or (url.scheme == "" and insecure.lower() != "true")
    if protocol == "grpc":
        path = _GRPC_METHODS[signal]
        default_port = 4317
    else:
        # The general endpoint is a base; the signal's own is used as it stands.
        own_endpoint = endpoint_variable.startswith(own)
        path = (url.path or "/") if own_endpoint else f"{url.path.rstrip('/')}/v1/{signal}"
        default_port = 443 if secure else 80
        if url.query:
            path = f"{path}?{url.query}"
    return Destination(
        signal=signal,
        protocol=protocol,
        host=host,
        port=port or default_port,
        path=path,
        secure=secure,
        headers=_headers(*value("HEADERS")),
        gzip=_gzip(*value("COMPRESSION")),
        timeout_s=_seconds(*value("TIMEOUT"), default=10),
        certificate=_file(*value("CERTIFICATE")),
        client_key=_file(*value("CLIENT_KEY")),
        client_certificate=_file(*value("CLIENT_CERTIFICATE")),
    )


def milliseconds(environment: Mapping[str, str], variable: str, default: int) -> float:
    """A variable in milliseconds, as seconds."""
    text = environment.get(variable, "").strip()
    return _seconds(variable, text, default=default) / 1000


def _protocol(variable: str, text: str) -> Protocol:
    match text:
        case "" | "grpc":
            return "grpc"
        case "http/protobuf":
            return "http/protobuf"
        case _:
            raise ConfigurationError(f"{variable} must be grpc or http/protobuf, not {text!r}.")


def _gzip(variable: str, text: str) -> bool:
    if text.lower() not in ("", "none", "gzip"):
        raise ConfigurationError(f"{variable} must be gzip or none, not {text!r}.")
    return text.lower() == "gzip"


def _seconds(variable: str, text: str, *, default: float) -> float:
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < 1e9:
        raise ConfigurationError(f"{variable} must be a number greater than 0, not {text!r}.")
    return number


def _file(variable: str, text: str) -> Path | None:
    if not text:
        return None
    path = Path(text)
    if not path.is_file():
        raise ConfigurationError(f"{variable} names {text!r}, which is not a file.")
    return path


def _headers(variable: str, text: str) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            # Without the value: it may be a credential.
            raise ConfigurationError(f"{variable} must be a list such as name=value,name=value.")
        headers.append((unquote(name.strip()).lower(), unquote(value.strip())))
    return tuple(headers)
