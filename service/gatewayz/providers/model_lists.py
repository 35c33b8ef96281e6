"""The models that providers list themselves: fetched in the background now and then, and never waited for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from gatewayz.errors import GatewayError
from gatewayz.providers.base import Payload, Provider
from gatewayz.providers.keypool import Secret
from gatewayz.providers.registry import Providers
from gatewayz.providers.state import ProviderState
from gatewayz.upstream import Timeouts, UpstreamRequest
from gatewayz.wires.translate import PROVIDER_WIRES

logger = logging.getLogger(__name__)

REFRESH_S = 3600.0
"""New models appear some times a month."""
RETRY_S = 60.0
MAX_RETRY_S = 3600.0
"""A provider that cannot be reached, or does not list its models, is asked less and less often."""
TICK_S = 5.0
"""How soon a provider that came with a reload is asked."""
LIST_TIMEOUTS = Timeouts(connect_s=5.0, first_byte_s=15.0, idle_s=10.0, total_s=30.0)
MAX_LIST_BYTES = 8_000_000
MAX_NAME = 200

_GEMINI_PREFIX = "models/"


class _Named(Struct):
    id: str | None = None
    name: str | None = None


class _List(Struct):
    """OpenAI and Anthropic write ``data`` and ``id``, Gemini ``models`` and ``name``."""

    data: list[Raw] | None = None
    models: list[Raw] | None = None


# Together sends the list as such.
_DECODER: msgspec.json.Decoder[_List | list[Raw]] = msgspec.json.Decoder(_List | list[Raw])
_ENTRY: msgspec.json.Decoder[_Named | str] = msgspec.json.Decoder(_Named | str)


class ModelLists:
    """Keeps each provider's own list of models fresh. One task asks one provider after the other, since no call waits for it."""

    def __init__(self, providers: Providers, *, refresh_s: float = REFRESH_S, tick_s: float = TICK_S) -> None:
        self._providers = providers
        self._refresh_s = refresh_s
        self._tick_s = tick_s
        # By name and address: a provider that has moved is another one.
        self._due_s: dict[tuple[str, str], float] = {}
        self._pauses_s: dict[tuple[str, str], float] = {}
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin, on the running loop."""
        self._task = asyncio.create_task(self._run(), name="gatewayz-models")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def refresh(self, now_s: float) -> None:
        """Ask the providers that are due at ``now_s`` (monotonic)."""
        for state in [self._providers.state(name) for name in self._providers]:
            provider = state.provider
            address = (provider.name, provider.address.base_url)
            if not provider.list_models or self._due_s.get(address, now_s) > now_s:
                continue
            names = await _fetch(state, now_s)
            if names is not None:
                self._providers.set_listed(provider, names)
                self._pauses_s.pop(address, None)
                self._due_s[address] = now_s + self._refresh_s
            else:
                pause_s = self._pauses_s.get(address, min(RETRY_S, self._refresh_s))
                self._pauses_s[address] = min(2 * pause_s, MAX_RETRY_S)
                self._due_s[address] = now_s + pause_s

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self.refresh(loop.time())
            except Exception:  # a defect here must not end the refreshing, and cannot hurt a request
                logger.exception("model lists could not be refreshed")
            await asyncio.sleep(self._tick_s)


async def _fetch(state: ProviderState, now_s: float) -> tuple[str, ...] | None:
    """The provider's own list; None where it has none to give now."""
    provider = state.provider
    try:
        response = await provider.send(models_request(provider, state.take_key("", now_s)))
        try:
            if response.status == 200:
                return tuple(read_models(await response.read(MAX_LIST_BYTES)))
        finally:
            response.close()
    except (GatewayError, msgspec.DecodeError) as error:
        logger.debug("provider's models are unknown", extra={"provider": provider.name, "reason": type(error).__name__})
        return None
    logger.debug("provider does not list its models", extra={"provider": provider.name, "status": response.status})
    return None


def models_request(provider: Provider, key: Secret | None) -> UpstreamRequest:
    path = PROVIDER_WIRES[provider.wire].http.models_path
    return provider.request(Payload(path, b"", stream=False, method="GET"), LIST_TIMEOUTS, key)


def read_models(body: bytes) -> Iterator[str]:
    """The names in a provider's answer, as a call would name them. Raises msgspec.DecodeError if it is no list of models."""
    answer = _DECODER.decode(body)
    if isinstance(answer, _List) and answer.data is None and answer.models is None:
        raise msgspec.DecodeError("neither data nor models")
    for raw in answer if isinstance(answer, list) else (*(answer.data or ()), *(answer.models or ())):
        try:
            entry = _ENTRY.decode(raw)
        except msgspec.DecodeError:
            continue  # an entry that cannot be read does not hide the others
        name = entry if isinstance(entry, str) else entry.id or entry.name
        if name is None:
            continue
        name = name.removeprefix(_GEMINI_PREFIX)
        if name and len(name) <= MAX_NAME and name.isprintable():
            yield name
