"""What the user sees of the demo: progress, then a table of what was sent and answered, and where to look."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gatewayz.accounts.keys.throwaway import throwaway_key
from gatewayz.config import load_settings
from gatewayz.errors import ConfigurationError
from gatewayz.queries.addresses import Addresses, find_addresses
from gatewayz.traffic.drive import OUTCOMES, Load, Tally, drive, refusal
from gatewayz.traffic.scenarios import SCENARIOS

PLAIN_LINE_S = 10.0
"""Pause between progress lines where no bar can be drawn."""


@dataclass(frozen=True, slots=True)
class TrafficOptions:
    """``None`` means: not given. Then the environment, the running `gatewayz up`, and the standard ports are asked."""

    environment: Mapping[str, str]
    data_dir: Path = Path("data")
    gateway: str | None = None
    api_key: str | None = None
    seconds: float = 60.0
    rate_per_s: float = 8.0
    concurrency: int = 32
    seed: int | None = None


def run(options: TrafficOptions) -> int:
    """Drive the traffic and print what was sent and answered. 0: it ran; 1: it could not (one sentence says why)."""
    console = Console(file=sys.stdout, highlight=False, markup=False)
    addresses = find_addresses({"gateway": options.gateway}, options.environment, options.data_dir)
    given = options.api_key or options.environment.get("GATEWAYZ_API_KEY")
    try:
        lease = (
            nullcontext(given) if given else throwaway_key(load_settings(data_dir=options.data_dir), "gatewayz demo")
        )
        with lease as api_key:
            if reason := asyncio.run(refusal(addresses.gateway, api_key)):
                console.print(reason, style="red", soft_wrap=True)
                return 1
            return _run(options, addresses, api_key, console)
    except ConfigurationError as error:
        console.print(
            f"There is no key to ask with ({error}): give one with --api-key or GATEWAYZ_API_KEY.",
            style="red",
            soft_wrap=True,
        )
        return 1


def _run(options: TrafficOptions, addresses: Addresses, api_key: str, console: Console) -> int:
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    load = Load(addresses.gateway, api_key, options.seconds, options.rate_per_s, options.concurrency, seed)
    console.print(f"Driving {load.rate_per_s:g} requests/s at {load.url} for {load.seconds:g} s.", soft_wrap=True)
    console.print(f"Seed {seed} makes the same requests again. Ctrl-C ends it.", soft_wrap=True)
    tally = Tally()
    began = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task("", total=options.seconds)
        next_line_s = PLAIN_LINE_S

        def tick() -> None:
            nonlocal next_line_s
            passed_s = time.monotonic() - began
            progress.update(bar, completed=passed_s, description=f"{tally.answered} answered, {tally.in_flight} open")
            if not console.is_terminal and passed_s >= next_line_s:
                next_line_s += PLAIN_LINE_S
                console.print(f"{passed_s:.0f} s: {tally.answered} answered, {tally.in_flight} open")

        finished = asyncio.run(drive(load, tally, tick))
    _print_tally(tally, addresses, console, interrupted=not finished)
    return 0 if tally.answered and {outcome for _, outcome in tally.counts} != {"none"} else 1


def _print_tally(tally: Tally, addresses: Addresses, console: Console, *, interrupted: bool) -> None:
    outcomes = sorted({outcome for _, outcome in tally.counts})
    # Narrow, since eighty columns have to do.
    table = Table(title="Interrupted; until then:" if interrupted else None, box=None, padding=(0, 1, 0, 0))
    table.add_column("request", no_wrap=True)
    for column in ("sent", *outcomes):
        table.add_column(column, justify="right", no_wrap=True)
    for scenario in SCENARIOS:
        row = [tally.counts[scenario.name, outcome] for outcome in outcomes]
        if any(row):
            table.add_row(scenario.name, str(sum(row)), *(str(count or "") for count in row))
    totals = [sum(count for (_, one), count in tally.counts.items() if one == outcome) for outcome in outcomes]
    table.add_row("all", str(tally.answered), *map(str, totals))
    console.print(table)
    words = [f"{outcome}: {OUTCOMES[outcome]}" for outcome in outcomes if outcome in OUTCOMES]
    if words:
        console.print("; ".join(words) + ".", soft_wrap=True)
    if tally.skipped:
        console.print(
            f"{tally.skipped} more were due while as many as --concurrency allows were open; they were not sent."
        )
    console.print("Where to look (series take about ten seconds to arrive):", soft_wrap=True)
    console.print(f"  series  {addresses.gateway}/metrics", soft_wrap=True)
    if addresses.prometheus:
        console.print(f"  query   {addresses.prometheus}/api/v1/query?query=http_requests_total", soft_wrap=True)
    console.print("  traces  gatewayz trace ID, with the x-request-id or traceresponse of an answer", soft_wrap=True)
    if addresses.logs:
        console.print(f"  logs    {_by_hand(addresses.logs)}", soft_wrap=True)


def _by_hand(logs: str) -> str:
    """Where a person may look at log lines."""
    store, _, url = logs.partition("+")
    match store:
        case "victorialogs":
            return f"{url}/select/vmui/"
        case "loki":
            return f'{url}/loki/api/v1/query_range?query={{service_name="gatewayz-api"}}'
        case _:
            return logs
