"""Who may answer a call for this model, in the order in which to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gatewayz.errors import NotFound
from gatewayz.providers.base import Provider, Providers

SHOWN_MODEL_CHARACTERS = 200
"""An error message quotes this much of a model name that nobody knows."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider, and the name by which it knows the model."""

    provider: Provider
    model: str


def candidates_for(model: str, providers: Providers) -> Sequence[Candidate]:
    """At least one candidate for ``model``, best first.

    ``provider/model`` names its provider, and whatever follows the first slash goes upstream as it is, known to the catalogue
    or not: the provider is the judge of its own models. A plain name goes to the providers whose catalogue entry lists it or
    claims its prefix, in catalogue order. Raises NotFound, naming the model, when nobody serves it.
    """
    name, slash, rest = model.partition("/")
    if slash and rest and (provider := providers.get(name)) is not None:
        return (Candidate(provider, rest),)
    candidates = tuple(Candidate(provider, model) for provider in providers.values() if provider.serves(model))
    if not candidates:
        raise _not_found(model, _hint(name, providers.unavailable.get(name) if slash else None))
    return candidates


def _hint(provider: str, missing: str | None) -> str:
    match missing:
        case "no_key":
            return f"The provider {provider} has no key here: its variable is in docs/configuration.md."
        case "not_configured":
            return f"The provider {provider} has no address here: set {provider.upper()}_BASE_URL."
        case _:
            return "GET /v1/models lists what this gateway serves; other models of a provider go as provider/model."


def _not_found(model: str, hint: str) -> NotFound:
    shown = model if len(model) <= SHOWN_MODEL_CHARACTERS else model[:SHOWN_MODEL_CHARACTERS] + "…"
    return NotFound(f"The model '{shown}' does not exist here. {hint}", code="model_not_found", param="model")
