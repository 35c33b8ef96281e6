"""``gatewayz demo``: mixed traffic for a while."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from gatewayz import traffic
from gatewayz.cli.options import DataDir, settings_for


def drive(
    seconds: Annotated[float, typer.Option(min=1, help="How long.")] = 60.0,
    rate: Annotated[float, typer.Option(min=0.1, help="Requests a second.")] = 8.0,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests open at once, at most.")] = 32,
    seed: Annotated[int | None, typer.Option(help="For the same traffic again; printed in any case.")] = None,
    gateway: Annotated[str | None, typer.Option(help="The gateway's address.")] = None,
    api_key: Annotated[
        str | None, typer.Option(help="Key to use; otherwise GATEWAYZ_API_KEY, or a key for this once.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Drive realistic mixed traffic through a running gateway, so that every series has data."""
    options = traffic.TrafficOptions(
        environment=os.environ,
        data_dir=settings_for(data_dir=data_dir).storage.data_dir,
        gateway=gateway,
        api_key=api_key,
        seconds=seconds,
        rate_per_s=rate,
        concurrency=concurrency,
        seed=seed,
    )
    raise typer.Exit(traffic.run(options))


def register(app: typer.Typer) -> None:
    app.command("demo")(drive)
