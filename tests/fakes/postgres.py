"""A real PostgreSQL server for tests: its own cluster in a temporary directory, its own port, its own end."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

START_S = 30.0


def find_binaries() -> Path | None:
    """The directory of the newest PostgreSQL on this machine."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if debian:
        return debian[-1].parent
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


class PostgresServer:
    """Stopped and started, frozen and thawed at will; databases are cheap, one for each test."""

    def __init__(self, binaries: Path, directory: Path, user: str) -> None:
        self._binaries = binaries
        self._directory = directory
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port: int = one.getsockname()[1]

    def url(self, database: str, user: str = "tester") -> str:
        return f"postgresql+asyncpg://{user}@127.0.0.1:{self.port}/{database}"

    def initialise(self) -> None:
        self._run(
            "initdb", "-D", str(self._directory / "data"), "-U", "tester", "-A", "trust", "--no-sync", "-E", "UTF8"
        )

    def create_database(self) -> str:
        """The address of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tester", name)
        return self.url(name)

    def start(self) -> None:
        # fsync off, no unix socket: nothing here must survive, and nobody else must find it.
        options = ["-D", str(self._directory / "data"), "-F", "-h", "127.0.0.1", "-p", str(self.port)]
        options += ["-c", "unix_socket_directories="]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", *options],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self._directory,
            )
        deadline = time.monotonic() + START_S
        while self._run("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), check=False) != 0:
            assert self._process.poll() is None, (self._directory / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL did not start in time"
            time.sleep(0.05)

    def stop(self) -> None:
        """At once, connections or not. A frozen server is thawed first."""
        if self._process is None:
            return
        self.thaw()
        self._process.send_signal(signal.SIGINT)
        self._process.wait(START_S)
        self._process = None

    def freeze(self) -> None:
        """Stop every process of it in mid-air: connections stay open, nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            os.kill(one, number)

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        done = subprocess.run(
            [self._binaries / program, *arguments],
            user=self._user,
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_S * 2,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.returncode


@contextmanager
def running_postgres(binaries: Path) -> Generator[PostgresServer]:
    """A server that answers, gone without a trace afterwards."""
    # PostgreSQL refuses to run as root. (pytest's own temporary directories would be closed to the other user.)
    user = pwd.getpwuid(os.getuid()).pw_name
    if os.getuid() == 0:
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = "postgres" if "postgres" in names else "nobody"
    directory = Path(tempfile.mkdtemp(prefix="gatewayz-postgres-"))
    try:
        shutil.chown(directory, user)
        server = PostgresServer(binaries, directory, user)
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory)
