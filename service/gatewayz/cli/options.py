"""What several commands have in common: their options, and the settings they run with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gatewayz.config import Settings, load_settings

DataDir = Annotated[Path | None, typer.Option(help="Where database, key pepper and logs are kept.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Traces = Annotated[
    str | None, typer.Option(help="Where traces are kept: jaeger+http://host:port or tempo+http://host:port.")
]
Logs = Annotated[
    str | None, typer.Option(help="Where log lines are kept: victorialogs+http://host:port or loki+http://host:port.")
]


def settings_for(**options: Any) -> Settings:
    """The environment's settings with a command's options on top. Raises ConfigurationError."""
    # Any: option values of every type; pydantic judges them.
    return load_settings(**options)
