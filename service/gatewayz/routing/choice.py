"""Which candidates may answer one call, best first? The model's candidates, the caller's routing options, the strategy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gatewayz.errors import NotFound
from gatewayz.providers.registry import Providers
from gatewayz.records import Call, KeyIdentity
from gatewayz.routing.candidates import Candidate, candidates_at, candidates_for
from gatewayz.routing.options import DEFAULT, RoutingOptions
from gatewayz.routing.policy import RoutingPolicy
from gatewayz.routing.route_states import RouteStates
from gatewayz.routing.strategies import CostOf, Strategies

MAX_REMEMBERED = 1024
"""Model names are the callers' texts, so what is remembered of them is bounded; this is far more than are in use."""


class Choice:
    """``random`` draws from [0, 1); ``clock`` is monotonic, in seconds."""

    def __init__(
        self,
        providers: Providers,
        policy: RoutingPolicy,
        routes: RouteStates,
        cost_of: CostOf,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._providers = providers
        self._known: dict[str, Sequence[Candidate]] = {}
        self._generation = providers.generation
        self._policy = policy
        self._strategies = Strategies(routes, cost_of, clock=clock, random=random)

    def candidates(self, call: Call, options: RoutingOptions, key: KeyIdentity | None) -> Sequence[Candidate]:
        """At least one. Each model that is named contributes its candidates in the order of its strategy, one model after the
        other; a strategy that the caller asks for is applied to all of them together.

        Raises NotFound when the model, and every other one that the caller allows, is unknown.
        """
        if options is DEFAULT:
            return self._for_one(call.model, call, options, key)
        found: list[Candidate] = []
        missing: NotFound | None = None
        for model in (call.model, *options.models):
            try:
                found.extend(self._for_one(model, call, options, key))
            except NotFound as error:
                missing = missing or error
        if not found and missing is not None:
            raise missing
        if len(found) == 1:
            return found
        if options.strategy is not None:
            key_id = None if key is None else key.key_id
            found = list(self._strategies.ordered(found, options.strategy, key=key_id, stream=call.stream))
        return _without_repetitions(found)

    def _for_one(self, model: str, call: Call, options: RoutingOptions, key: KeyIdentity | None) -> Sequence[Candidate]:
        if options.providers:
            return candidates_at(model, options.providers, self._providers)
        found = self._configured(model)
        if len(found) == 1 or options.strategy is not None:
            return found
        group = self._providers.groups.get(model)
        strategy = self._policy.strategy if group is None else group.strategy
        sticky = key.key_id if key is not None and group is not None and group.sticky else None
        return self._strategies.ordered(found, strategy, key=sticky, stream=call.stream)

    def _configured(self, model: str) -> Sequence[Candidate]:
        """``candidates_for``, remembered until the configuration or a provider's own list of models changes."""
        if self._generation != self._providers.generation or len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
            self._generation = self._providers.generation
        found = self._known.get(model)
        if found is None:
            found = self._known[model] = candidates_for(model, self._providers)
        return found


def _without_repetitions(candidates: Iterable[Candidate]) -> Sequence[Candidate]:
    first_of_each: dict[tuple[str, str], Candidate] = {}
    for one in candidates:
        first_of_each.setdefault((one.provider.name, one.model), one)
    return tuple(first_of_each.values())
