"""The providers that can be called, what is known of each, and why the others cannot be called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gatewayz.providers.base import Provider
from gatewayz.providers.state import ProviderState
from gatewayz.records import ModelGroup


class Providers(Mapping[str, Provider]):
    """The providers of the configuration in force, in its order.

    A reload replaces what is in here, all at once; a call that is under way goes on with the provider and the state that it
    has.
    """

    def __init__(
        self,
        available: Mapping[str, Provider],
        unavailable: Mapping[str, str] | None = None,
        groups: Mapping[str, ModelGroup] | None = None,
    ) -> None:
        self._available = dict(available)
        self._states = {name: ProviderState(provider) for name, provider in available.items()}
        self.unavailable: Mapping[str, str] = dict(unavailable or {})
        """Name → what is missing, in a word for span events (``no_key``, ``not_configured``, ``disabled``)."""
        self.groups: Mapping[str, ModelGroup] = dict(groups or {})
        """The operator's own names for models: aliases and groups."""
        self.generation = 0
        """Another number whenever anything in here has changed, for those who derive something from it."""
        self._upstreams = {id(provider.upstream): provider.upstream for provider in available.values()}

    def __getitem__(self, name: str) -> Provider:
        return self._available[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._available)

    def __len__(self) -> int:
        return len(self._available)

    def state(self, name: str) -> ProviderState:
        """What is known of a provider that is in here. Raises KeyError for any other."""
        return self._states[name]

    def replace(self, after: Providers) -> frozenset[str]:
        """Takes what ``after`` holds; what is known of a provider that is in both is kept.

        Returns the names of those that are gone, or have another address or other keys: what was learned of their targets
        elsewhere does not hold any more.
        """
        changed: set[str] = set()
        for name, before in self._states.items():
            state = after._states.get(name)
            if state is None or not state.provider.is_account_of(before.provider):
                changed.add(name)
            if state is not None:
                state.adopt(before)
        self._upstreams.update(after._upstreams)
        self._available, self._states = after._available, after._states
        self.unavailable, self.groups = after.unavailable, after.groups
        self.generation += 1
        return frozenset(changed)

    def set_listed(self, provider: Provider, models: Iterable[str]) -> None:
        """``provider`` lists these models. A reload may have put another in its place meanwhile: then the list is that one's,
        unless it is at another address."""
        current = self._states.get(provider.name)
        if current is not None and current.provider.is_at_address_of(provider) and current.set_listed(models):
            self.generation += 1

    def availability(self) -> Iterator[tuple[float, Mapping[str, str]]]:
        """Observations of ``gatewayz.provider.available``: 1 for a provider that can be called, 0 for one that is known."""
        # Both taken in one step each: observers run on a thread of their own.
        available, unavailable = self._available, self.unavailable
        for name in available:
            yield 1.0, {"gatewayz.provider.name": name}
        for name in unavailable:
            yield 0.0, {"gatewayz.provider.name": name}

    async def close(self) -> None:
        for upstream in self._upstreams.values():
            await upstream.close()
