"""The stack as a whole: the gateway first, each component as soon as it is there, and everything down again in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal

from gatewayz import __version__
from gatewayz.stack.components import (
    STOP_ORDER,
    Component,
    chosen,
    port_uses,
)
from gatewayz.stack.errors import StackError
from gatewayz.stack.files import component_files
from gatewayz.stack.gateway import gateway_environment, gateway_launch, reader_addresses
from gatewayz.stack.lock import FileLock
from gatewayz.stack.options import StackOptions
from gatewayz.stack.ports import Ports, check_ports
from gatewayz.stack.process import run_tool
from gatewayz.stack.process_supervisor import ProcessSupervisor, SupervisionPolicy
from gatewayz.stack.programs.build import Builder, BuildStep, describe
from gatewayz.stack.programs.locate import Found, locate
from gatewayz.stack.programs.provided import find_provided, read_provided
from gatewayz.stack.programs.spec import BuildSpec, read_spec
from gatewayz.stack.site import Site
from gatewayz.stack.state import ComponentState, StateFile, holder_of_state
from gatewayz.stack.view import Progress, Row, SilentView, State, View

GATEWAY = "gateway"


class Stack:
    """The gateway and its components as children of this process.

    ``async with Stack(StackOptions(data_dir=…, ports=Ports.free())) as stack:`` returns once everything is ready, and leaves no
    process behind. Use it from the event loop of the main thread: on Linux the children die with the thread that started them.

    Component names are those of ``components.COMPONENT_NAMES``, and ``gateway``.
    """

    def __init__(self, options: StackOptions, view: View | None = None) -> None:
        self.options = options
        self.first_key_notice = ""
        """What `gatewayz keys ensure-first` printed: the first key and a request to paste; empty if there were keys."""
        self._view: View = view or SilentView()
        self._data = options.data_dir.absolute()
        self._lock = FileLock(self._data / "stack.lock")
        self._supervisors: dict[str, ProcessSupervisor] = {}
        self._state_file: StateFile | None = None
        self._phase: Literal["starting", "running", "stopping", "stopped"] = "stopped"
        self._lost: asyncio.Event = asyncio.Event()
        self._hurry = asyncio.Event()
        self._kill = asyncio.Event()

    # State

    @property
    def ports(self) -> Ports:
        return self.options.ports

    @property
    def logs(self) -> Path:
        """Directory of the logs, one ``NAME.log`` each."""
        return self._data / "logs"

    @property
    def urls(self) -> Mapping[str, str]:
        return {
            name: supervisor.launch.url
            for name, supervisor in self._supervisors.items()
            if supervisor.launch is not None
        }

    @property
    def pids(self) -> Mapping[str, int]:
        """Process ids of what runs now."""
        return {name: supervisor.pid for name, supervisor in self._supervisors.items() if supervisor.pid is not None}

    @property
    def states(self) -> Mapping[str, State]:
        return {name: supervisor.state for name, supervisor in self._supervisors.items()}

    def rows(self) -> list[Row]:
        """The closing table."""
        return [
            Row(
                supervisor.name,
                supervisor.state,
                (supervisor.launch.shown_url or supervisor.launch.url) if supervisor.launch else "",
                supervisor.version,
                supervisor.source,
            )
            for supervisor in self._supervisors.values()
        ]

    # Up

    async def start(self) -> None:
        """Check the ports, start the gateway, then each component as soon as its program exists; return when all are ready.

        Raises StackError, after stopping what had been started: a busy port, a failed build, a process that dies before it is
        ready. The same on cancellation.
        """
        self._claim()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    def _claim(self) -> None:
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            free = self._lock.try_acquire()
        except OSError as error:
            raise StackError(
                f"{self._data} cannot be used for data: {(error.strerror or str(error)).lower()}. Choose another directory with "
                "--data-dir or GATEWAYZ_DATA_DIR."
            ) from None
        if not free:
            raise StackError(
                f"Another stack{holder_of_state(self._data)} is running with the data in {self._data}: stop it, or choose "
                "another directory with --data-dir or GATEWAYZ_DATA_DIR."
            )

    async def _start(self) -> None:
        options = self.options
        site = Site(options, component_files(options.files_dir), self._data)
        components = chosen(options)
        specs = {c.name: read_spec(site.files / c.folder) for c in components if not c.provided}
        check_ports(port_uses(options))
        programs: dict[str, Found | BuildSpec] = {
            c.name: await find_provided(read_provided(site.files / c.folder), c.instead, options.environment)
            for c in components
            if c.provided
        }
        gateway = gateway_launch(site)
        self._state_file = StateFile(
            self._data, gateway.url if options.gateway else "", options.ports, reader_addresses(site)
        )
        self._phase = "starting"
        if options.gateway:
            self._add(GATEWAY, restart=False).version = __version__
        for component in components:
            self._add(component.name, restart=options.restart).version = (specs | programs)[component.name].version

        located = asyncio.gather(
            *(locate(name, spec, site.files, options.cache_dir, options.environment) for name, spec in specs.items())
        )
        try:
            if options.gateway:
                # Alone at first: it answers within seconds only if nothing else uses the processor.
                await self._supervisors[GATEWAY].start(gateway)
            for (name, spec), found in zip(specs.items(), await located, strict=True):
                programs[name] = found or spec
        except BaseException:
            located.cancel()
            await asyncio.gather(located, return_exceptions=True)
            raise
        await self._bring_up(components, programs, site)
        self._view.settled()
        self._phase = "running"
        self._write_state()

    async def _bring_up(
        self,
        components: tuple[Component, ...],
        programs: Mapping[str, Found | BuildSpec],
        site: Site,
    ) -> None:
        options = self.options
        builder = Builder(options.cache_dir, options.build_environment, self.logs, options.jobs)
        missing = [spec for spec in programs.values() if isinstance(spec, BuildSpec)]
        tasks: list[asyncio.Task[None]] = []
        first_key: asyncio.Task[None] | None = None
        try:
            if missing:
                plan = await builder.plan(missing)
                titles = [spec.title for spec in missing]
                for line in describe(plan, titles, options.cache_dir, options.build_environment):
                    self._view.note(line)
                if options.gateway:
                    self._view.note(f"The gateway answers already, at {self.urls[GATEWAY]}.")
            if options.first_key and options.gateway:
                first_key = asyncio.create_task(self._make_first_key(site))
                if missing:  # there is time to use it before all is ready
                    first_key.add_done_callback(lambda _: self._show_first_key())
            for component in components:
                work = self._bring_up_one(component, programs[component.name], builder, site)
                tasks.append(asyncio.create_task(work, name=f"bring up {component.name}"))
            await asyncio.gather(*tasks)
        except BaseException:
            if first_key is not None:
                # It may have been made already, and it is shown only once: wait for it, whatever else has failed.
                await asyncio.wait({first_key})
                self._show_first_key()
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await builder.close()
        if first_key is not None:
            await first_key

    async def _bring_up_one(self, component: Component, found: Found | BuildSpec, builder: Builder, site: Site) -> None:
        supervisor = self._supervisors[component.name]
        if isinstance(found, BuildSpec):
            supervisor.state = "building"
            self._write_state()
            try:
                found = await builder.build(component.name, found, self._reporter(component.name))
            except StackError:
                supervisor.fail()
                raise
        supervisor.source = found.source
        await supervisor.start(component.launch(site, found.program))

    def _reporter(self, name: str) -> Callable[[BuildStep], None]:
        def report(step: BuildStep) -> None:
            text = f"{step.phase}: {step.text}" if step.text else step.phase
            self._view.progress(Progress(name, "building", text, step.done, step.total))

        return report

    async def _make_first_key(self, site: Site) -> None:
        status, out, err = await run_tool(
            [*self.options.program, "keys", "ensure-first"], environment=gateway_environment(site)
        )
        if status != 0:
            reason = err[-1] if err else f"exit status {status}"
            self._view.note(
                f"The first API key could not be made ({reason}). Make one with `gatewayz keys create NAME`."
            )
            return
        self.first_key_notice = "\n".join(out).strip()

    def _show_first_key(self) -> None:
        notice, self.first_key_notice = self.first_key_notice, ""
        if notice:
            self._view.note(f"\n{notice}\n")

    async def lost(self) -> None:
        """Returns when the gateway has died: without it the rest is of no use."""
        await self._lost.wait()

    # Down

    async def stop(self) -> None:
        """Gateway, Collector, stores, in the order in which data flows; no process is left afterwards. May be called again."""
        if self._phase == "stopped" and not self._supervisors:
            self._lock.release()
            return
        self._phase = "stopping"
        self._view.settled()
        self._write_state()
        scrape_due = all(self.states.get(name) == "ready" for name in (GATEWAY, "collector", "prometheus"))
        await self._stop_processes(GATEWAY)
        if scrape_due and self.options.last_scrape_s > 0 and not self._hurry.is_set():
            # What the Collector has counted and Prometheus has not yet fetched is gone when it ends.
            self._view.note(
                f"Waiting {self.options.last_scrape_s:.0f} s until Prometheus has the last requests (Ctrl-C again to skip) …"
            )
            await self._pause(self.options.last_scrape_s)
        await self._stop_processes("collector")
        for names in STOP_ORDER:
            await self._stop_processes(*names)
        self._phase = "stopped"
        self._write_state()
        self._lock.release()

    def hurry(self) -> None:
        """First call: no more waiting for the last scrape. Second: KILL whatever is left."""
        if self._hurry.is_set():
            self._kill.set()
        self._hurry.set()

    async def _stop_processes(self, *names: str) -> None:
        supervisors = [self._supervisors[name] for name in names if name in self._supervisors]
        stopping = asyncio.gather(*(supervisor.stop(at_once=self._kill.is_set()) for supervisor in supervisors))
        kill_requested = asyncio.create_task(self._kill.wait())
        try:
            await asyncio.wait({asyncio.ensure_future(stopping), kill_requested}, return_when=asyncio.FIRST_COMPLETED)
            if not stopping.done():
                for supervisor in supervisors:
                    supervisor.signal(signal.SIGKILL)
            await stopping
        finally:
            kill_requested.cancel()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._hurry.wait(), seconds)
        except TimeoutError:
            return

    async def __aenter__(self) -> Stack:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # One process

    async def stop_component(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Signal it, wait for its end (KILL after its grace); it stays down until ``start_component``."""
        await self._supervisor(name).stop(number)

    async def start_component(self, name: str) -> None:
        """Start it again as it was, and return when it is ready. Raises StackError with its last log lines."""
        await self._supervisor(name).start()

    async def restart_component(self, name: str) -> None:
        await self.stop_component(name)
        await self.start_component(name)

    def signal_component(self, name: str, number: signal.Signals) -> None:
        """Just the signal. If it dies of it, it is started again like one that crashed (``options.restart``)."""
        self._supervisor(name).signal(number)

    def _supervisor(self, name: str) -> ProcessSupervisor:
        supervisor = self._supervisors.get(name)
        if supervisor is None:
            raise StackError(f"There is no {name} in this stack; there is {', '.join(self._supervisors)}.")
        return supervisor

    def _add(self, name: str, *, restart: bool) -> ProcessSupervisor:
        policy = SupervisionPolicy(self.options.ready_timeout_s, restart)
        supervisor = ProcessSupervisor(
            name, self.logs / f"{name}.log", policy, self._view, self._write_state, self._gave_up
        )
        self._supervisors[name] = supervisor
        return supervisor

    def _gave_up(self, name: str) -> None:
        if name == GATEWAY:
            self._lost.set()

    def _write_state(self) -> None:
        if self._state_file is None:
            return
        components = {
            supervisor.name: ComponentState(
                pid=supervisor.pid,
                state=supervisor.state,
                url=supervisor.launch.url if supervisor.launch else "",
                ready_url=supervisor.launch.ready_url if supervisor.launch else "",
                version=supervisor.version,
                source=supervisor.source,
                log=str(supervisor.log),
            )
            for supervisor in self._supervisors.values()
        }
        self._state_file.write(self._phase, components)
