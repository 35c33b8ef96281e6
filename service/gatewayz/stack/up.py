"""`gatewayz up`: runs the stack for the person at the terminal, from the first line printed to the exit status."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from gatewayz.config import hours, load_settings
from gatewayz.errors import ConfigurationError
from gatewayz.stack.components import COMPONENT_NAMES, ComponentName
from gatewayz.stack.console import PlainView, TerminalView, print_table
from gatewayz.stack.errors import StackError
from gatewayz.stack.options import StackOptions
from gatewayz.stack.ports import Ports, parse_ports
from gatewayz.stack.runner import Stack
from gatewayz.stack.stores import STORES
from gatewayz.stack.view import View

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class UpOptions:
    """The command line. None and empty mean: not given, so the environment decides, then the default."""

    port: tuple[str, ...] = ()
    """``NAME=NUMBER``."""
    data_dir: Path | None = None
    host: str | None = None
    workers: int | None = None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    jobs: int | None = None
    traces: str | None = None
    logs: str | None = None


def run(options: UpOptions) -> int:
    """Run the stack until a signal ends it.

    The exit status: 0 after a stop that was asked for, 128 + signal if that came before all was ready, 1 if anything could not
    be started, had died for good, or if the gateway died. Prints everything itself; raises nothing.
    """
    console = Console(highlight=False, emoji=False)
    errors = Console(stderr=True, highlight=False, emoji=False)
    try:
        chosen = stack_options(options)
    except (StackError, ConfigurationError) as error:
        explain(error, errors)
        return 2 if isinstance(error, StackError) else 1
    view: View = TerminalView(console) if console.is_terminal else PlainView(_write_plain)
    return asyncio.run(run_stack(Stack(chosen, view), view, console, errors))


def stack_options(options: UpOptions) -> StackOptions:
    """Command line over environment over defaults. Raises StackError or ConfigurationError for what makes no sense."""
    if options.jobs is not None and options.jobs < 1:
        raise StackError(f"--jobs {options.jobs}: at least one component has to be built at a time.")
    ports = parse_ports(options.port)
    settings = load_settings(
        data_dir=options.data_dir,
        host=options.host,
        workers=options.workers,
        port=ports.get("gateway"),
        stack_traces=options.traces,
        stack_logs=options.logs,
    )
    stack = settings.stack
    only, without = _names("--only", options.only), _names("--without", options.without)
    for name in only & set(STORES):
        if name not in (stack.traces, stack.logs):
            keeps = STORES[name].keeps
            raise StackError(f"--only {name}: another store is chosen for {keeps}. Add --{keeps} {name}.")
    return StackOptions(
        data_dir=settings.storage.data_dir,
        host=settings.server.host,
        workers=settings.server.workers,
        ports=Ports(**({"gateway": settings.server.port} | stack.ports() | ports)),
        only=only or None,
        without=without,
        traces=stack.traces,
        logs=stack.logs,
        trace_retention_h=hours(stack.trace_retention),
        log_retention_h=hours(stack.log_retention),
        log_disk=stack.log_disk,
        min_free_disk=stack.min_free_disk,
        jobs=options.jobs,
        redis_url=settings.storage.redis_url or os.environ.get("REDIS_URL") or None,
        gateway_grace_s=settings.server.drain_s + settings.telemetry.flush_s + 10,
        first_key=settings.accounts.create_first_key,
    )


def _names(option: str, given: Iterable[str]) -> frozenset[ComponentName]:
    names: set[ComponentName] = set()
    for item in given:
        for word in item.split(","):
            match: ComponentName | None = next((name for name in COMPONENT_NAMES if name == word.strip()), None)
            if match is None:
                raise StackError(
                    f"{option} {item}: there is no component {word!r}; there are {', '.join(COMPONENT_NAMES)}."
                )
            names.add(match)
    return frozenset(names)


async def run_stack(stack: Stack, view: View, console: Console, errors: Console) -> int:
    """``run`` for a stack that is made already: start, table, wait for a signal, stop; the exit status."""
    loop = asyncio.get_running_loop()
    stop_signal: asyncio.Future[signal.Signals] = loop.create_future()

    def on_signal(number: signal.Signals) -> None:
        if stop_signal.done():
            stack.hurry()
        else:
            stop_signal.set_result(number)

    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal, number)

    starting = asyncio.create_task(stack.start())
    await asyncio.wait({starting, stop_signal}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        view.note(f"Stopping ({stop_signal.result().name}) …")
        starting.cancel()
        await asyncio.wait({starting})
        view.note("Stopped.")
        return 128 + stop_signal.result()
    failure = starting.exception()
    if failure is not None:
        if not isinstance(failure, (StackError, ConfigurationError)):
            raise failure
        explain(failure, errors)
        return 1

    print_table(stack.rows(), console)
    if stack.first_key_notice:
        view.note(f"\n{stack.first_key_notice}")
    view.note(
        f"\nLogs are in {_near(stack.logs)}. `{doctor_command(stack)}` checks every hop. Ctrl-C stops everything."
    )

    lost = asyncio.create_task(stack.lost())
    await asyncio.wait({lost, stop_signal}, return_when=asyncio.FIRST_COMPLETED)
    gateway_died = lost.done()
    lost.cancel()
    view.note("Stopping: the gateway is gone …" if gateway_died else f"Stopping ({stop_signal.result().name}) …")
    failed = [name for name, state in stack.states.items() if state == "failed"]
    await stack.stop()
    if failed:
        explain(
            StackError(f"Stopped, but not as it should be: {', '.join(failed)} had failed (see {_near(stack.logs)})."),
            errors,
        )
        return 1
    view.note("Stopped.")
    return 0


def doctor_command(stack: Stack) -> str:
    """How the doctor is called from here, so that it can be pasted: the program may not be on PATH, the data elsewhere."""
    called = Path(sys.argv[0])
    if called.name != "gatewayz":
        called = Path(sys.executable).with_name("gatewayz")
    command = "gatewayz" if shutil.which("gatewayz") == str(called) else _near(called)
    data = stack.options.data_dir
    return f"{command} doctor" + ("" if data == StackOptions().data_dir else f" --data-dir {_near(data)}")


def explain(error: Exception, console: Console) -> None:
    """One sentence on standard error, and under it what backs it."""
    console.print(Text(f"gatewayz: {error}"), soft_wrap=True)
    if isinstance(error, StackError):
        for line in error.details:
            console.print(Text(f"    {line}"), soft_wrap=True)


def _near(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _write_plain(text: str) -> None:
    # Line by line, also into a file or a pipe that is followed.
    sys.stdout.write(text)
    sys.stdout.flush()
