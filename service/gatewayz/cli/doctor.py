"""``gatewayz doctor``: one request, followed through every hop."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from gatewayz import doctor
from gatewayz.cli.options import AsJson, DataDir, Logs, Traces, settings_for


def examine(
    gateway: Annotated[str | None, typer.Option(help="The gateway's address.")] = None,
    collector: Annotated[str | None, typer.Option(help="The Collector's own metrics' address.")] = None,
    prometheus: Annotated[str | None, typer.Option(help="Prometheus' address.")] = None,
    traces: Traces = None,
    logs: Logs = None,
    api_key: Annotated[
        str | None, typer.Option(help="Key to use; otherwise GATEWAYZ_API_KEY, or a key for this once.")
    ] = None,
    model: Annotated[str, typer.Option(help="Model to ask.")] = "demo/fast",
    stream: Annotated[bool, typer.Option(help="Ask for a streamed answer.")] = False,
    patience: Annotated[float, typer.Option(min=1, help="Seconds that telemetry may take.")] = 45.0,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Send one request and follow it through every hop; say which link is broken and what to do."""
    options = doctor.DoctorOptions(
        environment=os.environ,
        data_dir=settings_for(data_dir=data_dir).storage.data_dir,
        api_key=api_key,
        model=model,
        stream=stream,
        gateway=gateway,
        collector=collector,
        prometheus=prometheus,
        traces=traces,
        logs=logs,
        wait_s=patience,
        json=as_json,
    )
    raise typer.Exit(doctor.run(options))


def register(app: typer.Typer) -> None:
    app.command("doctor")(examine)
