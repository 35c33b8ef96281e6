"""``gatewayz trace``: one request, span under span, with its log lines."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from gatewayz import trace
from gatewayz.cli.options import AsJson, DataDir, Logs, Traces, settings_for


def show(
    wanted: Annotated[
        str,
        typer.Argument(metavar="ID", help="A trace id, the traceresponse of an answer, or its x-request-id."),
    ],
    attributes: Annotated[bool, typer.Option("--attributes", help="Print attributes and all fields.")] = False,
    traces: Traces = None,
    logs: Logs = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a trace that is not there yet.")] = 5.0,
    within: Annotated[float, typer.Option(min=0.01, help="Hours back in which a request's id is looked for.")] = 72.0,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Print a trace as a tree with times, and its log lines under it."""
    options = trace.TraceOptions(
        wanted=wanted,
        environment=os.environ,
        data_dir=settings_for(data_dir=data_dir).data_dir,
        traces=traces,
        logs=logs,
        attributes=attributes,
        wait_s=wait,
        within_s=within * 3600,
        json=as_json,
    )
    raise typer.Exit(trace.run(options))


def register(app: typer.Typer) -> None:
    app.command("trace")(show)
