"""Where the parts of a running stack answer: given by the caller, the environment or `gatewayz up`, or the standard ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

import msgspec

from gatewayz.queries.errors import BadAddress

STACK_FILE = "stack.json"
"""Written into the data directory by `gatewayz up`, for as long as it runs."""

TraceStore = Literal["jaeger", "tempo"]
LogStore = Literal["victorialogs", "loki"]
TRACE_STORES: tuple[TraceStore, ...] = get_args(TraceStore)
LOG_STORES: tuple[LogStore, ...] = get_args(LogStore)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Base addresses without a trailing slash; the defaults are the standard ports on this machine.

    ``None``: the running stack left that part out. For traces and logs the scheme says which store it is:
    ``tempo+http://host:3200``.
    """

    gateway: str = "http://127.0.0.1:8000"
    collector: str | None = "http://127.0.0.1:8888"
    """The Collector's own metrics, not the series it makes."""
    prometheus: str | None = "http://127.0.0.1:9090"
    traces: str | None = "jaeger+http://127.0.0.1:16686"
    logs: str | None = "victorialogs+http://127.0.0.1:9428"


VARIABLES: Mapping[str, str] = {
    "gateway": "GATEWAYZ_URL",
    "collector": "GATEWAYZ_COLLECTOR_URL",
    "prometheus": "GATEWAYZ_PROMETHEUS_URL",
    "traces": "GATEWAYZ_TRACES_URL",
    "logs": "GATEWAYZ_LOGS_URL",
}


class _StackFile(msgspec.Struct):
    """What of stack.json matters here; the runner writes more."""

    state: str = ""
    gateway_url: str = ""
    addresses: dict[str, str] | None = None


def find_addresses(given: Mapping[str, str | None], environment: Mapping[str, str], data_dir: Path) -> Addresses:
    """Each address from the first that knows it: ``given``, the environment, the stack file, the default.

    What a running stack's file does not list is left out, unless it was given. ``host:port`` alone means http.
    """
    running = _from_stack_file(data_dir / STACK_FILE)
    chosen: dict[str, str | None] = {}
    for part in fields(Addresses):
        address = given.get(part.name) or environment.get(VARIABLES[part.name])
        if address:
            plain = "://" in address or part.name in ("traces", "logs")
            chosen[part.name] = (address if plain else f"http://{address}").rstrip("/")
        elif part.name in running:
            chosen[part.name] = running[part.name]
    # The gateway's own is never None: a stack without its gateway is no stack of ours.
    return Addresses(**chosen)  # type: ignore[arg-type]


def split_trace_store(address: str, setting: str) -> tuple[TraceStore, str]:
    """Which store keeps the traces, and its address over HTTP. Raises BadAddress; ``setting`` is what corrects it."""
    for store in TRACE_STORES:
        if address.startswith(f"{store}+"):
            return store, address.removeprefix(f"{store}+")
    raise _does_not_say(address, "jaeger+http://host:16686 or tempo+http://host:3200", setting)


def split_log_store(address: str, setting: str) -> tuple[LogStore, str]:
    """Which store keeps the log lines, and its address over HTTP. Raises BadAddress; ``setting`` is what corrects it."""
    for store in LOG_STORES:
        if address.startswith(f"{store}+"):
            return store, address.removeprefix(f"{store}+")
    raise _does_not_say(address, "victorialogs+http://host:9428 or loki+http://host:3100", setting)


def without_password(address: str) -> str:
    """The address as it may be shown."""
    scheme, separator, rest = address.partition("://")
    authority, slash, path = rest.partition("/")
    return scheme + separator + authority.rpartition("@")[2] + slash + path


def _does_not_say(address: str, wanted: str, setting: str) -> BadAddress:
    return BadAddress(
        f"{without_password(address)!r} is no address of a store, since it does not say which one: "
        f"give {wanted} with {setting}."
    )


def _from_stack_file(path: Path) -> dict[str, str | None]:
    """Empty when there is no file, when it cannot be read, or when its stack was stopped: others may use those ports now."""
    try:
        stack = msgspec.json.decode(path.read_bytes(), type=_StackFile)
    except (OSError, msgspec.DecodeError):
        return {}
    if stack.state == "stopped":
        return {}
    gateway = {"gateway": stack.gateway_url} if stack.gateway_url else {}
    if stack.addresses is None:  # written by a release that did not record it
        return dict(gateway)
    listed = stack.addresses
    return {part.name: listed.get(part.name) for part in fields(Addresses) if part.name != "gateway"} | gateway
