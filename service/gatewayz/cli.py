"""The commands: serve, up, doctor, demo, keys. What they do is elsewhere; here is how they are called and what they print."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from gatewayz import __version__, doctor, traffic
from gatewayz.accounts import commands as accounts
from gatewayz.config import PREFIX, Settings, load_settings
from gatewayz.errors import ConfigurationError, GatewayError
from gatewayz.server import first_key_notice, run_server
from gatewayz.stack import up as stack

T = TypeVar("T")

app = typer.Typer(
    name="gatewayz",
    help="An LLM gateway whose telemetry is a product.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")

DataDir = Annotated[Path | None, typer.Option(help="Where database, key pepper and logs are kept.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _version(asked: bool) -> None:
    if asked:
        print(f"gatewayz {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """An LLM gateway whose telemetry is a product."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Run the gateway alone."""
    settings = _settings(host=host, port=port, workers=workers, data_dir=data_dir)
    # Worker processes are started anew, not forked: what was decided here reaches them through the environment.
    for name, value in {"host": host, "port": port, "workers": workers, "data_dir": data_dir}.items():
        if value is not None:
            os.environ[f"{PREFIX}{name.upper()}"] = str(value)
    raise typer.Exit(run_server(settings))


@app.command()
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
) -> None:
    """Run the gateway and the whole stack; Ctrl-C ends both."""
    _settings(host=host, workers=workers, data_dir=data_dir)
    options = stack.UpOptions(
        port=tuple(port or ()),
        data_dir=data_dir,
        host=host,
        workers=workers,
        only=tuple(only or ()),
        without=tuple(without or ()),
        jobs=jobs,
    )
    raise typer.Exit(stack.run(options))


@app.command("doctor")
def examine(
    gateway: Annotated[str | None, typer.Option(help="The gateway's address.")] = None,
    collector: Annotated[str | None, typer.Option(help="The Collector's own metrics' address.")] = None,
    prometheus: Annotated[str | None, typer.Option(help="Prometheus' address.")] = None,
    tempo: Annotated[str | None, typer.Option(help="Tempo's address.")] = None,
    loki: Annotated[str | None, typer.Option(help="Loki's address.")] = None,
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
        data_dir=_settings(data_dir=data_dir).data_dir,
        api_key=api_key,
        model=model,
        stream=stream,
        gateway=gateway,
        collector=collector,
        prometheus=prometheus,
        tempo=tempo,
        loki=loki,
        patience_s=patience,
        json=as_json,
    )
    raise typer.Exit(doctor.run(options))


@app.command("demo")
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
        data_dir=_settings(data_dir=data_dir).data_dir,
        gateway=gateway,
        api_key=api_key,
        seconds=seconds,
        rate_per_s=rate,
        concurrency=concurrency,
        seed=seed,
    )
    raise typer.Exit(traffic.run(options))


@keys_app.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    customer: Annotated[str | None, typer.Option(help="Customer the key belongs to.")] = None,
    expires_in_days: Annotated[float | None, typer.Option(min=0.001, help="Days until it expires.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and print it, this once."""
    lifetime_s = None if expires_in_days is None else expires_in_days * 86_400
    identity, credential = _run(
        accounts.create_key(_settings(data_dir=data_dir), name, customer_id=customer, expires_in_s=lifetime_s)
    )
    if as_json:
        print(json.dumps({"key_id": identity.key_id, "name": identity.name, "key": credential}))
        return
    print(f"Key {identity.key_id} ({identity.name}), shown this once:\n\n  {credential}")


@keys_app.command("list")
def keys_list(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the keys (never the secrets)."""
    records = _run(accounts.list_keys(_settings(data_dir=data_dir)))
    now = datetime.now().astimezone()
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "key_id": record.key_id,
                        "name": record.name,
                        "customer_id": record.customer_id,
                        "state": record.state(now),
                        "created_at": _time(record.created_at),
                        "expires_at": _time(record.expires_at),
                        "revoked_at": _time(record.revoked_at),
                    }
                    for record in records
                ]
            )
        )
        return
    _print_table(
        ("id", "name", "customer", "state", "created", "expires"),
        [
            (
                record.key_id,
                record.name,
                record.customer_id or "",
                record.state(now),
                _time(record.created_at) or "",
                _time(record.expires_at) or "never",
            )
            for record in records
        ],
    )


@keys_app.command("revoke")
def keys_revoke(
    key_id: Annotated[str, typer.Argument(help="The id, as `keys list` prints it (not the key).")],
    data_dir: DataDir = None,
) -> None:
    """Revoke a key: refused everywhere within GATEWAYZ_KEY_CACHE_S seconds."""
    settings = _settings(data_dir=data_dir)
    record = _run(accounts.revoke_key(settings, key_id))
    print(
        f"Key {record.key_id} ({record.name}) is revoked; running gateways refuse it within {settings.key_cache_s:g} s."
    )


@keys_app.command("ensure-first", hidden=True)
def keys_ensure_first(data_dir: DataDir = None) -> None:
    """Create a key if there is none yet, and print it with a request to paste; print nothing otherwise."""
    settings = _settings(data_dir=data_dir)
    credential = _run(accounts.ensure_first_key(settings))
    if credential is not None:
        print(first_key_notice(credential, settings))


def _settings(**options: Any) -> Settings:
    # Any: option values of every type; pydantic judges them.
    return load_settings(**options)


def _run(command: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(command)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def main() -> NoReturn:
    """The entry point: every expected failure ends in one sentence on standard error and exit status 1."""
    try:
        app()
    except (ConfigurationError, GatewayError) as error:
        print(f"gatewayz: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(1)
