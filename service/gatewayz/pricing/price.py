"""What an attempt cost.

The operator's own prices come first, then the list of the ``genai-prices`` package as it is bundled: nothing is fetched while
the gateway runs. What is in neither is *unpriced*, which is counted and never taken for free.

Prices are integers, picodollars per token (a dollar per million tokens is a million of them). They are multiplied and added
exactly; the sum is rounded once, half to even, to nano-dollars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from genai_prices.data import providers as _listed
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

from gatewayz.configfile.schema import ANY_MODEL, PriceEntry, ProviderEntry
from gatewayz.records import UNPRICED, Cost, Record, Usage

MAX_REMEMBERED = 4096
"""Models whose place in the list is remembered, found or not: the names are the callers' text."""

_PICO_PER_MTOK = Decimal(1_000_000)
"""A US dollar per million tokens is 10^12 picodollars per 10^6 tokens."""
_PICO_PER_KCOUNT = Decimal(1_000_000_000)
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_PROVIDERS = {provider.id: provider for provider in _listed}


class Rates(Record, frozen=True):
    """Picodollars per token, for a request of a certain size at a certain time. None: no price is known."""

    input: int | None
    output: int | None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    request: int = 0
    """Picodollars for the request as such."""


class Prices:
    """The prices of one configuration."""

    def __init__(self, providers: Mapping[str, ProviderEntry]) -> None:
        self._own = {name: entry.prices for name, entry in providers.items() if entry.prices}
        self._listed_as = {name: entry.prices_as for name, entry in providers.items() if entry.prices_as in _PROVIDERS}

    def price(
        self, provider: str, model: str, usage: Usage, at: datetime, *, response_model: str | None = None
    ) -> Cost:
        """The cost of an attempt. ``response_model``, the model that the provider says answered, serves where ``model``, the
        one that was asked for, has no price (a router such as ``openrouter/auto``, or a name of tomorrow for a model of today).
        """
        cost = self._cost(provider, model, usage, at)
        if cost.source == "unpriced" and response_model is not None and response_model != model:
            cost = self._cost(provider, response_model, usage, at)
        return cost

    def estimate_nano_usd(
        self, provider: str, model: str, at: datetime, *, input_tokens: int = 1000, output_tokens: int = 1000
    ) -> int | None:
        """What a call of that size would cost, to compare candidates by; None if it has no price."""
        cost = self._cost(provider, model, Usage(input_tokens, output_tokens, source="estimate"), at)
        return cost.nano_usd if cost.source == "priced" else None

    def rates(self, provider: str, model: str, at: datetime, input_tokens: int = 0) -> Rates | None:
        """The rates that apply to ``model`` now, for a request of ``input_tokens``; None if the model is unknown."""
        own = self._own.get(provider)
        if own is not None and (entry := own.get(model) or own.get(ANY_MODEL)) is not None:
            return _own_rates(entry)
        listed_as = self._listed_as.get(provider)
        found = None if listed_as is None else _find(listed_as, model)
        return _listed_rates(found, at, input_tokens) if isinstance(found, ModelInfo) else found

    def _cost(self, provider: str, model: str, usage: Usage, at: datetime) -> Cost:
        rates = self.rates(provider, model, at, usage.input_tokens)
        return UNPRICED if rates is None else _cost_of(usage, rates)


class CurrentPrices:
    """The prices in force: one object that stays the same while the configuration is reloaded."""

    def __init__(self, prices: Prices, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._prices = prices
        self._now = now

    def replace(self, prices: Prices) -> None:
        self._prices = prices

    def price_of(self, provider: str, model: str, usage: Usage, response_model: str | None) -> Cost:
        """The cost of an attempt that ends now."""
        return self._prices.price(provider, model, usage, self._now(), response_model=response_model)

    def cost_of(self, provider: str, model: str) -> int | None:
        """What a call of usual size costs now, in nano-dollars, to compare candidates by; None if it has no price."""
        return self._prices.estimate_nano_usd(provider, model, self._now())


def _cost_of(usage: Usage, rates: Rates) -> Cost:
    """Unpriced if tokens were used for which there is no rate. Where a provider's parts exceed the whole, the parts count."""
    cached, reasoned = usage.cache_read_tokens + usage.cache_write_tokens, usage.reasoning_tokens
    plain_input, plain_output = max(0, usage.input_tokens - cached), max(0, usage.output_tokens - reasoned)
    input_rate, output_rate = rates.input, rates.output
    pico = rates.request
    # Where a kind of token has no rate of its own, it is input or output like any other.
    for tokens, own_rate, usual_rate in (
        (plain_input, None, input_rate),
        (usage.cache_read_tokens, rates.cache_read, input_rate),
        (usage.cache_write_tokens, rates.cache_write, input_rate),
        (plain_output, None, output_rate),
        (reasoned, rates.reasoning, output_rate),
    ):
        if not tokens:
            continue
        rate = usual_rate if own_rate is None else own_rate
        if rate is None:
            return UNPRICED
        pico += tokens * rate
    return Cost("priced", nano_of_pico(pico))


def nano_of_pico(pico: int) -> int:
    """Rounded half to even, so that rounding favours neither side over many attempts."""
    nano, rest = divmod(pico, 1000)
    return nano + (rest > 500 or (rest == 500 and nano % 2 == 1))


def _own_rates(entry: PriceEntry) -> Rates:
    def rate(dollars: float | None) -> int | None:
        # By its text: 0.1 is a tenth, not the binary number nearest to it.
        return None if dollars is None else _whole(Decimal(str(dollars)) * _PICO_PER_MTOK)

    return Rates(
        rate(entry.input), rate(entry.output), rate(entry.cache_read), rate(entry.cache_write), rate(entry.reasoning)
    )


def _whole(pico: Decimal) -> int:
    """A price with more than six decimals per million tokens is rounded to six: in the list they are what binary arithmetic
    has left behind (0.18000000000000002)."""
    return int(pico.to_integral_value(ROUND_HALF_EVEN))


@lru_cache(maxsize=MAX_REMEMBERED)
def _find(provider: str, model: str) -> Rates | ModelInfo | None:
    """The model's rates, or its place in the list where they depend on the time or on the size of the request.

    By the list's exact name of the provider only: its own search also guesses from parts of names, and a guess is no price.
    """
    info = _PROVIDERS[provider].find_model(model.lower(), all_providers=_listed)
    if info is None or not isinstance(info.prices, ModelPrice):
        return info
    if any(isinstance(price, TieredPrices) for price in info.prices.__dict__.values()):
        return info
    return _listed_rates(info, _ANY_TIME, 0)


def _listed_rates(info: ModelInfo, at: datetime, input_tokens: int) -> Rates | None:
    prices = info.get_prices(at).__dict__
    if prices.get("input_mtok") is None and prices.get("output_mtok") is None:
        return None  # an empty entry says that nothing is known, not that it is free

    def rate(name: str, unit: Decimal = _PICO_PER_MTOK) -> int | None:
        value: Decimal | TieredPrices | None = prices.get(name)
        return None if value is None else _whole(_of_tier(value, input_tokens) * unit)

    return Rates(
        rate("input_mtok"),
        rate("output_mtok"),
        rate("cache_read_mtok"),
        rate("cache_write_mtok"),
        rate("output_reasoning_mtok"),
        rate("requests_kcount", _PICO_PER_KCOUNT) or 0,
    )


def _of_tier(price: Decimal | TieredPrices, input_tokens: int) -> Decimal:
    """Tiers go by the size of the whole input, and the one that is reached counts for every token."""
    if isinstance(price, TieredPrices):
        reached = price.base
        for tier in price.tiers:
            if input_tokens > tier.start:
                reached = tier.price
        return reached
    return price
