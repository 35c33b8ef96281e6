"""``gatewayz up``: the gateway and the whole stack."""

from __future__ import annotations

from typing import Annotated

import typer

from gatewayz.cli.options import DataDir, settings_for
from gatewayz.stack import up as stack


def up(
    host: Annotated[str | None, typer.Option(help="Address the gateway listens on.")] = None,
    port: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="Another port, e.g. gateway=8001. Repeatable.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Gateway worker processes.")] = None,
    data_dir: DataDir = None,
    only: Annotated[list[str] | None, typer.Option(help="Start this component only. Repeatable.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="Leave this component out. Repeatable.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Components built at once.")] = None,
    traces: Annotated[
        str | None, typer.Option(metavar="STORE", help="Store for traces: jaeger, or the tempo on PATH.")
    ] = None,
    logs: Annotated[
        str | None, typer.Option(metavar="STORE", help="Store for logs: victoria-logs, or the loki on PATH.")
    ] = None,
) -> None:
    """Run the gateway and the whole stack; Ctrl-C ends both."""
    settings_for(host=host, workers=workers, data_dir=data_dir)
    options = stack.UpOptions(
        port=tuple(port or ()),
        data_dir=data_dir,
        host=host,
        workers=workers,
        only=tuple(only or ()),
        without=tuple(without or ()),
        jobs=jobs,
        traces=traces,
        logs=logs,
    )
    raise typer.Exit(stack.run(options))


def register(app: typer.Typer) -> None:
    app.command()(up)
