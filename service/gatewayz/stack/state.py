"""What runs here, for every program but the runner: ``stack.json`` in the data directory."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from gatewayz.stack.ports import Ports
from gatewayz.stack.view import State

STATE_FILE = "stack.json"


@dataclass(frozen=True, slots=True)
class ComponentState:
    """One part of the stack as stack.json shows it."""

    pid: int | None
    state: State
    url: str
    ready_url: str
    version: str
    source: str
    log: str


@dataclass(frozen=True, slots=True)
class StackState:
    """The whole file. ``state`` is ``starting``, ``running`` or ``stopped``; after a ``kill -9`` of the runner it cannot be
    trusted, so look whether process ``pid`` is there."""

    state: Literal["starting", "running", "stopping", "stopped"]
    pid: int
    started_at: float
    gateway_url: str
    ports: Mapping[str, int]
    addresses: Mapping[str, str]
    """Where readers ask, by ``traces``, ``logs`` (the scheme says which store), ``prometheus``, ``collector``, ``gateway``;
    what does not run is left out."""
    components: Mapping[str, ComponentState]


class StateFile:
    """Writes stack.json, whole or not at all."""

    def __init__(self, data: Path, gateway_url: str, ports: Ports, addresses: Mapping[str, str]) -> None:
        self._path = data / STATE_FILE
        self._gateway_url = gateway_url
        self._ports = ports
        self._addresses = addresses
        self._started_at = time.time()

    def write(
        self, state: Literal["starting", "running", "stopping", "stopped"], components: Mapping[str, ComponentState]
    ) -> None:
        content = StackState(
            state,
            os.getpid(),
            self._started_at,
            self._gateway_url,
            self._ports.as_dict(),
            self._addresses,
            components,
        )
        draft = self._path.with_name(f".{self._path.name}.draft")
        draft.write_text(json.dumps(asdict(content), indent=2) + "\n")
        draft.replace(self._path)


def holder_of_state(data: Path) -> str:
    """`` (process 123)`` from the stack.json of a running stack; empty if it does not say."""
    try:
        process = json.loads((data / STATE_FILE).read_text())["pid"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f" (process {process})"
