"""Which port does each part listen on, is it free, and if not, who holds it?"""

from __future__ import annotations

import errno
import os
import random
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from gatewayz.stack.errors import StackError


@dataclass(frozen=True, slots=True)
class Ports:
    """Every port of the stack. The defaults are each component's own, except where two of them share one."""

    gateway: int = 8000
    otlp_grpc: int = 4317
    otlp_http: int = 4318
    collector_metrics: int = 8888
    """What the Collector says about itself."""
    collector_series: int = 8889
    """The gateway's series, as the Collector makes them."""
    collector_health: int = 13133
    prometheus: int = 9090
    alertmanager: int = 9093
    jaeger: int = 16686
    jaeger_otlp: int = 4418
    jaeger_health: int = 13134
    jaeger_metrics: int = 8887
    victoria_logs: int = 9428
    tempo: int = 3200
    tempo_grpc: int = 9097
    tempo_otlp: int = 4419
    loki: int = 3100
    loki_grpc: int = 9096
    redis_exporter: int = 9121

    @classmethod
    def free(cls) -> Ports:
        """Ports that are free now and differ from each other.

        They lie below the range from which the system takes the near end of outgoing connections: a port from there could be
        taken by the time a component uses it.
        """
        names = [field.name for field in fields(cls)]
        found: list[int] = []
        candidates = random.sample(range(20_000, 32_000), 2_000)  # any will do; nothing secret about it
        for number in candidates:
            if len(found) == len(names):
                break
            if trouble_at("127.0.0.1", number) is None:
                found.append(number)
        if len(found) < len(names):
            raise StackError(f"Found only {len(found)} free ports between 20000 and 32000; {len(names)} are needed.")
        return cls(**dict(zip(names, found, strict=True)))

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def option_of(name: str) -> str:
    """How a port is changed, on the command line and in the environment."""
    flag = name.replace("_", "-")
    variable = "GATEWAYZ_PORT" if name == "gateway" else f"GATEWAYZ_STACK_{name.upper()}_PORT"
    return f"--port {flag}=NUMBER or {variable}"


def parse_ports(given: Iterable[str]) -> dict[str, int]:
    """``name=number`` pairs of the command line. Raises StackError for a name or a number that is none."""
    known = {field.name for field in fields(Ports)}
    chosen: dict[str, int] = {}
    for item in given:
        flag, _, number = item.partition("=")
        name = flag.strip().replace("-", "_")
        if name not in known:
            names = ", ".join(sorted(n.replace("_", "-") for n in known))
            raise StackError(f"--port {item}: there is no port named {flag!r}; the names are {names}.")
        if not number.isdecimal() or not 1 <= int(number) <= 65_535:
            raise StackError(f"--port {item}: a port is a number from 1 to 65535, as in --port {flag}=9999.")
        chosen[name] = int(number)
    return chosen


@dataclass(frozen=True, slots=True)
class PortUse:
    """One port that will be listened on."""

    name: str
    """The field of Ports."""
    component: str
    host: str
    number: int


def check_ports(uses: Iterable[PortUse]) -> None:
    """Raises StackError that names every clash: the port, the component, what changes it, and who holds it."""
    uses = list(uses)
    clashes: list[str] = []
    first_by_number: dict[int, PortUse] = {}
    for use in uses:
        other = first_by_number.setdefault(use.number, use)
        if other is not use:
            clashes.append(
                f"Port {use.number} is given to both {other.component} ({other.name}) and {use.component} ({use.name}): "
                f"change one with {option_of(use.name)}."
            )
            continue
        trouble = trouble_at(use.host, use.number)
        match trouble:
            case None:
                continue
            case errno.EADDRINUSE:
                holder = holder_of(use.number)
                by = f" by {holder}" if holder else " by another process"
                clashes.append(
                    f"Port {use.number} ({use.component}) is already in use{by}: stop it, or choose another port with "
                    f"{option_of(use.name)}."
                )
            case errno.EACCES:
                clashes.append(
                    f"Port {use.number} ({use.component}) may only be used by root: choose one above 1023 with "
                    f"{option_of(use.name)}."
                )
            case _:
                clashes.append(
                    f"{use.component} cannot listen on {use.host} port {use.number}: {os.strerror(trouble).lower()}. "
                    f"Change the address (--host or GATEWAYZ_HOST) or the port ({option_of(use.name)})."
                )
    if clashes:
        raise StackError(clashes[0], tuple(clashes[1:]))


def trouble_at(host: str, number: int) -> int | None:
    """The error number that listening on ``host:number`` would end in; None if it is free.

    Every address that the host stands for is tried: ``localhost`` may be 127.0.0.1 and ::1.
    """
    try:
        addresses = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return errno.EADDRNOTAVAIL
    trouble: int | None = None
    for family, kind, protocol, _, address in addresses:
        try:
            with socket.socket(family, kind, protocol) as probe:
                # As every server does; without it a port whose connections have just ended would seem taken.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
                probe.listen(1)
        except OSError as error:
            # A machine without IPv6 names ::1 all the same; the other address is what counts there.
            if (
                family == socket.AF_INET6
                and error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
                and len(addresses) > 1
            ):
                continue
            trouble = error.errno or errno.EADDRNOTAVAIL
    return trouble


def holder_of(number: int) -> str | None:
    """``name (process 123)`` of a process that listens on the port, from /proc; None where it cannot be found."""
    inodes = _listening_inodes(number)
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        try:
            if any(_target(link) in wanted for link in (process / "fd").iterdir()):
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                shown = " ".join([Path(words[0]).name, *words[1:3]]).strip() or (process / "comm").read_text().strip()
                return f"{shown[:80]!r} (process {process.name})"
        except OSError:
            continue  # another user's process, or one that has just ended
    return None


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""  # closed meanwhile


def _listening_inodes(number: int) -> set[str]:
    inodes: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            local_port = int(columns[1].rpartition(":")[2], 16)
            if local_port == number and columns[3] == "0A":  # the kernel's TCP_LISTEN
                inodes.add(columns[9])
    return inodes
