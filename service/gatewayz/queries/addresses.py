"""Where the parts of a running stack answer: said by the caller, by the environment, by `gatewayz up`, or by custom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import msgspec

STACK_FILE = "stack.json"
"""Written into the data directory by `gatewayz up`, for as long as it runs."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Base addresses without a trailing slash; the defaults are the standard ports on this machine."""

    gateway: str = "http://127.0.0.1:8000"
    collector: str = "http://127.0.0.1:8888"
    """The Collector's own metrics, not the series it makes."""
    prometheus: str = "http://127.0.0.1:9090"
    tempo: str = "http://127.0.0.1:3200"
    loki: str = "http://127.0.0.1:3100"


VARIABLES: Mapping[str, str] = {
    "gateway": "GATEWAYZ_URL",
    "collector": "GATEWAYZ_COLLECTOR_URL",
    "prometheus": "GATEWAYZ_PROMETHEUS_URL",
    "tempo": "GATEWAYZ_TEMPO_URL",
    "loki": "GATEWAYZ_LOKI_URL",
}


class _StackFile(msgspec.Struct):
    """What of stack.json matters here; the runner writes more."""

    state: str = ""
    gateway_url: str = ""
    ports: dict[str, int] = {}  # msgspec copies a mutable default for each instance


def find_addresses(given: Mapping[str, str | None], environment: Mapping[str, str], data_dir: Path) -> Addresses:
    """Each address from the first that knows it: ``given``, the environment, the stack file, the default.

    ``host:port`` alone means http.
    """
    running = _from_stack_file(data_dir / STACK_FILE)
    chosen: dict[str, str] = {}
    for part in fields(Addresses):
        address = given.get(part.name) or environment.get(VARIABLES[part.name]) or running.get(part.name)
        if address:
            chosen[part.name] = (address if "://" in address else f"http://{address}").rstrip("/")
    return Addresses(**chosen)


def _from_stack_file(path: Path) -> dict[str, str]:
    """Empty when there is no file, when it cannot be read, or when its stack was stopped: others may use those ports now."""
    try:
        stack = msgspec.json.decode(path.read_bytes(), type=_StackFile)
    except (OSError, msgspec.DecodeError):
        return {}
    if stack.state == "stopped":
        return {}
    ports = {"collector": "collector_metrics", "prometheus": "prometheus", "tempo": "tempo", "loki": "loki"}
    local = {part: f"http://127.0.0.1:{stack.ports[port]}" for part, port in ports.items() if port in stack.ports}
    return local | ({"gateway": stack.gateway_url} if stack.gateway_url else {})
