"""The command line: how the commands are called and what they print; what they do is elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, NoReturn

import typer

from gatewayz import __version__
from gatewayz.errors import ConfigurationError, GatewayError

COMMANDS: Mapping[str, str] = {
    "serve": "gatewayz.cli.serve",
    "up": "gatewayz.cli.up",
    "doctor": "gatewayz.cli.doctor",
    "trace": "gatewayz.cli.trace",
    "demo": "gatewayz.cli.demo",
    "keys": "gatewayz.cli.keys",
}
"""Only the module of the command that is called is imported: `up` must have the gateway answering within seconds, and a
gateway need not carry the tools' memory."""


def _version(asked: bool) -> None:
    if asked:
        print(f"gatewayz {__version__}")
        raise typer.Exit


def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """An LLM gateway whose telemetry is a product."""


def command_line(arguments: list[str]) -> typer.Typer:
    """The application for these arguments: with the one command they name, or with all of them where help may be asked for."""
    app = typer.Typer(name="gatewayz", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(root)
    named = COMMANDS.get(arguments[0]) if arguments else None
    for module in COMMANDS.values() if named is None else (named,):
        import_module(module).register(app)
    return app


def main() -> NoReturn:
    """The entry point: every expected failure ends in one sentence on standard error and exit status 1."""
    try:
        command_line(sys.argv[1:])()
    except (ConfigurationError, GatewayError) as error:
        print(f"gatewayz: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(1)
