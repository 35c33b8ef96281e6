"""``gatewayz serve``: the gateway alone."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from gatewayz.cli.options import DataDir, settings_for
from gatewayz.config import PREFIX
from gatewayz.server.run import run_server


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Run the gateway alone."""
    settings = settings_for(host=host, port=port, workers=workers, data_dir=data_dir)
    # Worker processes are started anew, not forked: what was decided here reaches them through the environment.
    for name, value in {"host": host, "port": port, "workers": workers, "data_dir": data_dir}.items():
        if value is not None:
            os.environ[f"{PREFIX}{name.upper()}"] = str(value)
    raise typer.Exit(run_server(settings))


def register(app: typer.Typer) -> None:
    app.command()(serve)
