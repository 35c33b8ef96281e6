"""Who may answer a call for this model?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gatewayz.errors import NotFound
from gatewayz.providers.base import Provider
from gatewayz.providers.registry import Providers
from gatewayz.providers.state import ProviderState

SHOWN_MODEL_CHARACTERS = 200
"""An error message quotes this much of an unknown model's name."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider, what is known of it, and the name by which it knows the model; ``weight`` is its share under ``weighted``."""

    provider: Provider
    state: ProviderState
    model: str
    weight: float = 1.0


def candidates_for(model: str, providers: Providers) -> Sequence[Candidate]:
    """At least one candidate for ``model``, in the order of the configuration.

    A group's name stands for its targets, whose names are not looked up among the groups again. ``provider/model`` names its
    provider, and whatever follows the first slash goes upstream as it is, known to the catalogue or not: the provider knows
    its own models best. A plain name goes to the providers whose catalogue entry lists it or claims its prefix, in catalogue
    order. Raises NotFound, naming the model, when no provider serves it.
    """
    group = providers.groups.get(model)
    if group is None:
        found = _named(model, providers, 1.0)
        if not found:
            raise _not_found(model, providers)
        return found
    members = [one for target in group.targets for one in _named(target.model, providers, target.weight)]
    if not members:
        raise _not_found(group.targets[0].model if group.targets else model, providers)
    return tuple(members)


def absent_from(models: Iterable[str], providers: Providers) -> Iterator[tuple[str, str]]:
    """Providers that the configuration, or the caller, names for these models but that cannot be called, each with the reason for
    skipping it (``no_key``, ``not_configured``, ``disabled``)."""
    for model in models:
        group = providers.groups.get(model)
        for name in (model,) if group is None else [target.model for target in group.targets]:
            provider = name.partition("/")[0]
            if (missing := providers.unavailable.get(provider)) is not None and provider != name:
                yield provider, missing


def candidates_at(model: str, named: Sequence[str], providers: Providers) -> Sequence[Candidate]:
    """The candidates at the providers that the caller named, in the caller's order: of the configured ones, or else the model
    under the name that the caller gave it. Raises NotFound, naming the provider or the model."""
    for name in named:
        if name not in providers:
            shown, hint = name[:SHOWN_MODEL_CHARACTERS], _hint(name, providers.unavailable.get(name))
            raise NotFound(f"The provider '{shown}' does not exist here. {hint}", code="provider_not_found")
    fixed = model in providers.groups or model.partition("/")[0] in providers
    configured = candidates_for(model, providers) if fixed else _named(model, providers, 1.0)
    found: list[Candidate] = []
    for name in named:
        found.extend([one for one in configured if one.provider.name == name])
        if not fixed and (not found or found[-1].provider.name != name):
            found.append(Candidate(providers[name], providers.state(name), model))
    if not found:
        raise NotFound(
            f"None of the providers named in x-gatewayz-provider serves '{model[:SHOWN_MODEL_CHARACTERS]}'.",
            code="model_not_found",
            param="model",
        )
    return tuple(found)


def _named(model: str, providers: Providers, weight: float) -> tuple[Candidate, ...]:
    name, slash, rest = model.partition("/")
    if slash and rest and (provider := providers.get(name)) is not None:
        return (Candidate(provider, providers.state(name), rest, weight),)
    states = [providers.state(name) for name in providers]
    return tuple([Candidate(one.provider, one, model, weight) for one in states if one.serves(model)])


def _hint(provider: str, missing: str | None) -> str:
    match missing:
        case "no_key":
            return f"The provider {provider} has no key here: its variable is in docs/configuration.md."
        case "not_configured":
            return f"The provider {provider} has no address here: set {provider.upper()}_BASE_URL."
        case _:
            return "GET /v1/models lists what this gateway serves; other models of a provider go as provider/model."


def _not_found(model: str, providers: Providers) -> NotFound:
    name, slash, _ = model.partition("/")
    hint = _hint(name, providers.unavailable.get(name) if slash else None)
    shown = model if len(model) <= SHOWN_MODEL_CHARACTERS else model[:SHOWN_MODEL_CHARACTERS] + "…"
    return NotFound(f"The model '{shown}' does not exist here. {hint}", code="model_not_found", param="model")
