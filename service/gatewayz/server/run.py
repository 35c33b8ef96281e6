"""How the application is served: uvicorn with uvloop and httptools, one process or several behind one socket."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import gc
import multiprocessing
import os
import resource
import signal
import socket
import sys

import uvicorn
from uvicorn.supervisors import Multiprocess

from gatewayz.accounts.keys.commands import ensure_first_key
from gatewayz.accounts.keys.first_key import first_key_notice
from gatewayz.app import App, create_app
from gatewayz.config import Settings, load_settings
from gatewayz.errors import ConfigurationError
from gatewayz.providers.catalog import load_providers
from gatewayz.telemetry.setup import check_environment

BACKLOG = 2048
OPEN_FILES = 65_536
"""Files that a process may have open, where the system allows it."""
TCP_NOTSENT_LOWAT = 25
"""tcp(7) on Linux: bytes that the kernel takes from us ahead of what it can send. Its default is megabytes for each caller that
reads slowly."""
UNSENT_BYTES = 131_072
PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that a process gets when its parent dies."""
KEEP_ALIVE_S = 75
"""Longer than the idle time after which HTTP clients drop pooled connections themselves (aiohttp 15 s, httpx 5 s, nginx
60 s): the side that closes first must be the one that knows whether a request is on its way."""


def run_server(settings: Settings) -> int:
    """Serves until a signal ends it; the exit status. Raises ConfigurationError before anything listens.

    The settings must be in the environment already: each worker process reads them there for itself.
    """
    _raise_file_limit()
    # Checked here, where a mistake ends in one sentence; a worker could only fail, and its supervisor start the next one.
    check_environment(os.environ)
    load_providers(settings, os.environ)
    listener = _listen(settings.server.host, settings.server.port)
    with listener:
        if settings.accounts.create_first_key:
            credential = asyncio.run(ensure_first_key(settings))
            if credential is not None:
                print(first_key_notice(credential, settings), flush=True)  # noqa: T201 - the one time that a key is shown
        config = uvicorn.Config(
            "gatewayz.server.run:create_worker",
            factory=True,
            workers=settings.server.workers,
            loop="uvloop",
            # By name: as a class it would be imported, and the whole gateway with it, before a worker can answer its supervisor.
            http="gatewayz.server.protocol:LimitedProtocol",
            ws="none",
            lifespan="on",
            log_config=None,  # telemetry formats every logger's lines
            access_log=False,  # the completed record says more
            proxy_headers=False,  # X-Forwarded-For is not trusted
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_worker_healthcheck=60,  # a worker that starts on a busy machine is slow, not dead; the default is 5 s
            timeout_graceful_shutdown=max(1, int(settings.server.drain_s)),
        )
        if settings.server.workers > 1:
            _Supervisor(config, sockets=[listener]).run()
            return 0
        server = uvicorn.Server(config)
        server.run(sockets=[listener])
        return 0 if server.started else 1


class _Supervisor(Multiprocess):
    """Passes SIGHUP on: each worker reads the configuration file again. Uvicorn's own handler would replace the workers, and
    only the new ones would find an invalid file."""

    def handle_hup(self) -> None:
        for process in self.processes:
            if process.pid is not None:
                os.kill(process.pid, signal.SIGHUP)


def _raise_file_limit() -> None:
    """A call takes two files, its caller's connection and its provider's; the usual soft limit of 1,024 is for programs that use
    select(2). Worker processes inherit the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has a ceiling of its own, below what it reports
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def create_worker() -> App:
    """Called in each worker process; what ``gatewayz serve`` was given as options is in the environment."""
    # The HTTP instrumentors emit pre-2024 attribute names unless told otherwise, and read this only once.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database,gen_ai_latest_experimental")
    supervisor = multiprocessing.parent_process()
    if supervisor is not None and sys.platform == "linux":
        # Even if its supervisor is killed, no worker keeps the port.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    return create_app(load_settings(), os.environ, on_ready=_freeze_startup_objects)


def _freeze_startup_objects() -> None:
    """Objects of the start stay: modules, catalogue, prices. A full garbage collection that visits them all delays every request
    by a tenth of a second; frozen, they are not visited."""
    gc.collect()
    gc.freeze()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise ConfigurationError(f"GATEWAYZ_HOST: {host!r} is no address of this machine ({error.strerror}).") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES)  # connections inherit it
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            reason = f"port {port} is in use: stop what listens there, or choose another with --port or GATEWAYZ_PORT"
        elif error.errno == errno.EACCES:
            reason = f"port {port} may not be opened by this user: choose one above 1023 with --port or GATEWAYZ_PORT"
        else:
            reason = f"cannot listen on {host} port {port} ({error.strerror}): check --host or GATEWAYZ_HOST"
        raise ConfigurationError(f"{reason[0].upper()}{reason[1:]}.") from None
    listener.set_inheritable(True)
    return listener
