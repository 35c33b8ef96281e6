"""What this worker has learned about one provider: which models it has, which endpoints it lacks, which keys cool down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gatewayz.configfile.schema import Wire
from gatewayz.errors import ProviderRateLimited
from gatewayz.providers.base import Provider
from gatewayz.providers.keypool import KeyPool, Secret

OTHER = "other"
MAX_LEARNED = 200  # per provider and process: bounds the series that models outside the catalogue can open
MAX_LISTED = 2000  # model names taken from one provider's own list; OpenRouter, with hundreds, is the longest of use
MAX_MISSING = 1000  # wires and models, per provider and process, whose endpoint turned out not to be there


class ProviderState:
    """Kept by Providers, beside the provider's configuration; a reload makes a new one, which adopts what still holds."""

    __slots__ = ("_catalogued", "_learned", "_listed", "_missing", "keys", "provider")

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.keys = KeyPool(provider.keys)
        self._catalogued = frozenset(provider.models)
        self._learned: set[str] = set()
        self._listed: dict[str, None] = {}
        self._missing: set[tuple[Wire, str | None]] = set()

    @property
    def name(self) -> str:
        return self.provider.name

    def take_key(self, model: str, now_s: float) -> Secret | None:
        """The key for a call of ``model`` (``now_s`` is monotonic); None where none is needed.

        Raises ProviderRateLimited, with the time to wait, while the provider has asked to be left alone with every key.
        """
        keys = self.keys
        key = keys.take(model, now_s)
        if key is None and len(keys):
            raise ProviderRateLimited(
                f"The rate limit of {self.name} was reached with every key.", retry_after_s=keys.wait_s(model, now_s)
            )
        return key

    def serves(self, model: str) -> bool:
        """Whether a plain model name is this provider's."""
        return model in self._catalogued or model in self._listed or model.startswith(self.provider.model_prefixes)

    def all_models(self) -> Iterator[str]:
        """The models of the catalogue and the configuration, then those that the provider itself has named."""
        yield from self.provider.models
        yield from (model for model in self._listed if model not in self._catalogued)

    def set_listed(self, models: Iterable[str]) -> bool:
        """Takes the provider's own list, cut at MAX_LISTED. Returns whether it has other names than before."""
        listed: dict[str, None] = {}
        for model in models:
            if len(listed) == MAX_LISTED:
                break
            listed[model] = None
        changed = listed.keys() != self._listed.keys()
        self._listed = listed
        return changed

    def known_model(self, model: str) -> str:
        """The model as metrics may name it: from the catalogue, or learned; else ``other``."""
        return model if model in self._catalogued or model in self._learned else OTHER

    def learn_model(self, model: str) -> None:
        """This provider has answered for ``model``: from now on metrics name it, while there is room."""
        if model not in self._catalogued and len(self._learned) < MAX_LEARNED:
            self._learned.add(model)

    def lacks(self, wire: Wire, model: str) -> bool:
        """Whether the endpoint of ``wire``, though it is configured, turned out to be missing, for this model or at all."""
        missing = self._missing
        return bool(missing) and ((wire, model) in missing or (wire, None) in missing)

    def learn_missing(self, wire: Wire, model: str | None) -> None:
        """The endpoint of ``wire`` is missing (for ``model`` at least; None: for any). Until the next reload the provider's first
        wire is used instead."""
        if len(self._missing) < MAX_MISSING:
            self._missing.add((wire, model))

    def adopt(self, before: ProviderState) -> None:
        """Takes over what was learned about the same provider before a reload; of another address only the models' names."""
        self._learned.update(before._learned)
        if self.provider.is_at_address_of(before.provider):
            self._listed.update(before._listed)
            self.keys.adopt(before.keys)
