"""``gatewayz keys``: create, list, revoke."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gatewayz.accounts.keys import commands
from gatewayz.accounts.keys.first_key import first_key_notice
from gatewayz.cli.options import AsJson, DataDir, settings_for


def keys_create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    customer: Annotated[str | None, typer.Option(help="Customer the key belongs to.")] = None,
    expires_in_days: Annotated[float | None, typer.Option(min=0.001, help="Days until it expires.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and print it, this once."""
    lifetime_s = None if expires_in_days is None else expires_in_days * 86_400
    identity, credential = asyncio.run(
        commands.create_key(settings_for(data_dir=data_dir), name, customer_id=customer, expires_in_s=lifetime_s)
    )
    if as_json:
        print(json.dumps({"key_id": identity.key_id, "name": identity.name, "key": credential}))
        return
    print(f"Key {identity.key_id} ({identity.name}), shown this once:\n\n  {credential}")


def keys_list(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the keys (never the secrets)."""
    records = asyncio.run(commands.list_keys(settings_for(data_dir=data_dir)))
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


def keys_revoke(
    key_id: Annotated[str, typer.Argument(help="The id, as `keys list` prints it (not the key).")],
    data_dir: DataDir = None,
) -> None:
    """Revoke a key: refused everywhere within GATEWAYZ_KEY_CACHE_S seconds."""
    settings = settings_for(data_dir=data_dir)
    record = asyncio.run(commands.revoke_key(settings, key_id))
    print(
        f"Key {record.key_id} ({record.name}) is revoked; running gateways refuse it within {settings.accounts.key_cache_s:g} s."
    )


def keys_ensure_first(data_dir: DataDir = None) -> None:
    """Create a key if there is none yet, and print it with a request to paste; print nothing otherwise."""
    settings = settings_for(data_dir=data_dir)
    credential = asyncio.run(commands.ensure_first_key(settings))
    if credential is not None:
        print(first_key_notice(credential, settings))


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)
    group.command("create")(keys_create)
    group.command("list")(keys_list)
    group.command("revoke")(keys_revoke)
    group.command("ensure-first", hidden=True)(keys_ensure_first)
    app.add_typer(group, name="keys")
