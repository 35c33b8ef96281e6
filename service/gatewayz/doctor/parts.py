"""Which parts does the stack have, and what are the hops through its stores called?"""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from gatewayz.queries.addresses import Addresses
from gatewayz.queries.collector import Collector
from gatewayz.queries.errors import BadAddress, LeftOut
from gatewayz.queries.logs import Logs
from gatewayz.queries.prometheus import Prometheus
from gatewayz.queries.reader import Part, Reader
from gatewayz.queries.stores import logs_at, traces_at
from gatewayz.queries.traces import Traces


@dataclass(frozen=True, slots=True)
class Parts:
    """Each function returns what asks that part, or raises QueryError: LeftOut where the running stack does not have it."""

    addresses: Addresses
    client: httpx.AsyncClient
    timeout_s: float

    def gateway(self) -> Reader:
        return self._reader("the gateway", self.addresses.gateway, "--gateway")

    def collector(self) -> Collector:
        return Collector(
            self._reader("the Collector", _needed(self.addresses.collector, "the Collector"), "--collector")
        )

    def prometheus(self) -> Prometheus:
        return Prometheus(self._reader("Prometheus", _needed(self.addresses.prometheus, "Prometheus"), "--prometheus"))

    def traces(self) -> Traces:
        address = _needed(self.addresses.traces, "a store of traces")
        return traces_at(address, self.client, setting="--traces", deadline_s=self.timeout_s)

    def logs(self) -> Logs:
        address = _needed(self.addresses.logs, "a store of log lines")
        return logs_at(address, self.client, setting="--logs", deadline_s=self.timeout_s)

    @property
    def traces_hop(self) -> str:
        """ "trace in Jaeger"; without the name where that is not known."""
        try:
            return f"trace in {self.traces().part.name}"
        except (LeftOut, BadAddress):
            return "trace"

    @property
    def logs_hop(self) -> str:
        try:
            return f"log line in {self.logs().part.name}"
        except (LeftOut, BadAddress):
            return "log line"

    def _reader(self, name: str, url: str, setting: str) -> Reader:
        return Reader(Part(name, url, setting), self.client, self.timeout_s)


def _needed(address: str | None, what: str) -> str:
    if address is None:
        raise LeftOut(f"This stack runs without {what}: start `gatewayz up` with it to see this hop.")
    return address
