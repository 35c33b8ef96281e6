"""Which implementation answers at an address?"""

from __future__ import annotations

from typing import assert_never

import httpx

from gatewayz.queries.addresses import split_log_store, split_trace_store
from gatewayz.queries.jaeger import Jaeger
from gatewayz.queries.logs import Logs
from gatewayz.queries.loki import Loki
from gatewayz.queries.reader import DEADLINE_S, MAX_ANSWER_BYTES, Part, Reader
from gatewayz.queries.tempo import Tempo
from gatewayz.queries.traces import Traces
from gatewayz.queries.victoria_logs import VictoriaLogs


def traces_at(
    address: str,
    client: httpx.AsyncClient,
    *,
    setting: str,
    deadline_s: float = DEADLINE_S,
    max_bytes: int = MAX_ANSWER_BYTES,
) -> Traces:
    """The store of traces at an address such as ``tempo+http://host:3200``; nothing is asked of it yet.

    ``setting`` is the option or variable that a message names as what corrects the address. Raises BadAddress.
    """
    store, url = split_trace_store(address, setting)
    match store:
        case "jaeger":
            return Jaeger(Reader(Part("Jaeger", url, setting), client, deadline_s, max_bytes))
        case "tempo":
            return Tempo(Reader(Part("Tempo", url, setting), client, deadline_s, max_bytes))
        case _:
            assert_never(store)


def logs_at(
    address: str,
    client: httpx.AsyncClient,
    *,
    setting: str,
    deadline_s: float = DEADLINE_S,
    max_bytes: int = MAX_ANSWER_BYTES,
) -> Logs:
    """The store of log lines at an address such as ``loki+http://host:3100``, as ``traces_at``."""
    store, url = split_log_store(address, setting)
    match store:
        case "victorialogs":
            return VictoriaLogs(Reader(Part("VictoriaLogs", url, setting), client, deadline_s, max_bytes))
        case "loki":
            return Loki(Reader(Part("Loki", url, setting), client, deadline_s, max_bytes))
        case _:
            assert_never(store)
