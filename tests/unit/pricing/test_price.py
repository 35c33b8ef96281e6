"""Prices: from the operator first, from the list second, and never silently nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices.data import providers as listed
from genai_prices.types import ModelInfo, Provider
from genai_prices.types import Usage as ListedUsage

from gatewayz.configfile.load import parse_config
from gatewayz.pricing.price import CurrentPrices, Prices
from gatewayz.providers.catalog import shipped_catalog
from gatewayz.records import UNPRICED, Cost, Usage

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 21, 20, tzinfo=UTC)
USAGE = Usage(
    input_tokens=1_000,
    output_tokens=500,
    cache_read_tokens=300,
    cache_write_tokens=100,
    reasoning_tokens=200,
    source="provider",
)


def prices(text: str = "") -> Prices:
    return Prices(parse_config(text, "gatewayz.yaml", shipped_catalog()).providers)


class TestTheList:
    def test_known_model_is_priced_kind_by_kind_to_the_nano_dollar(self) -> None:
        cost = prices().price("openai", "gpt-4o", Usage(1000, 500, cache_read_tokens=400, source="provider"), NOON)
        assert cost == Cost("priced", 600 * 2_500 + 400 * 1_250 + 500 * 10_000)
        assert cost.usd == 0.007

    def test_reasoning_is_part_of_output_and_counts_once(self) -> None:
        cost = prices().price("openai", "o3", Usage(10, 500, reasoning_tokens=450, source="provider"), NOON)
        plain = prices().price("openai", "o3", Usage(10, 500, source="provider"), NOON)
        assert cost == plain
        assert cost.source == "priced"

    def test_a_long_request_pays_the_higher_tier_for_every_token(self) -> None:
        small, large = (
            prices().price("gemini", "gemini-2.5-pro", Usage(tokens, 0, source="provider"), NOON).nano_usd / tokens
            for tokens in (200_000, 200_001)
        )
        assert large == 2 * small

    def test_the_time_of_day_counts_where_it_does(self) -> None:
        day, night = (prices().price("deepseek", "deepseek-chat", USAGE, at).nano_usd for at in (NOON, NIGHT))
        assert night < day

    def test_every_priced_model_costs_what_the_list_itself_computes(self) -> None:
        """The oracle is the package's own arithmetic, in decimals; ours is the same, rounded to whole nano-dollars."""
        theirs = ListedUsage(
            input_tokens=USAGE.input_tokens,
            output_tokens=USAGE.output_tokens,
            cache_read_tokens=USAGE.cache_read_tokens,
            cache_write_tokens=USAGE.cache_write_tokens,
            output_reasoning_tokens=USAGE.reasoning_tokens,
        )
        compared = 0
        for name, entry in shipped_catalog().items():
            for provider in listed:
                if provider.id != entry.prices_as:
                    continue
                for model in provider.models:
                    expected = _listed_total(provider, model, theirs)
                    ours = prices().price(name, model.id, USAGE, NOON)
                    if expected is None or _found(provider, model.id) is not model or ours.source == "unpriced":
                        continue
                    assert abs(ours.nano_usd - expected * 10**9) <= Decimal("0.6"), (name, model.id)
                    compared += 1
        assert compared > 500

    def test_most_models_that_the_catalogue_names_have_a_price_where_the_provider_has_a_list(self) -> None:
        known = [
            (name, model) for name, entry in shipped_catalog().items() if entry.prices_as for model in entry.models
        ]
        usage = Usage(1, 0, source="provider")
        priced = [pair for pair in known if prices().price(*pair, usage, NOON).source == "priced"]
        assert len(priced) >= 0.9 * len(known)

    def test_the_list_knows_every_provider_that_is_said_to_be_in_it(self) -> None:
        named = {entry.prices_as for entry in shipped_catalog().values() if entry.prices_as is not None}
        assert named <= {provider.id for provider in listed}


class TestWithoutAPrice:
    @pytest.mark.parametrize(
        ("provider", "model"),
        [("openai", "gpt-of-tomorrow"), ("nvidia", "meta/llama-3.1-8b-instruct"), ("nobody", "gpt-4o"), ("openai", "")],
    )
    def test_unknown_model_is_unpriced_not_free(self, provider: str, model: str) -> None:
        assert prices().price(provider, model, USAGE, NOON) is UNPRICED
        assert prices().estimate_nano_usd(provider, model, NOON) is None

    def test_a_model_that_may_not_produce_what_it_did_is_unpriced(self) -> None:
        embeddings = prices()
        assert embeddings.price("openai", "text-embedding-3-small", Usage(10, 0), NOON).source == "priced"
        assert embeddings.price("openai", "text-embedding-3-small", Usage(10, 1), NOON).source == "unpriced"

    def test_a_routers_answer_is_priced_by_the_model_that_gave_it(self) -> None:
        cost = prices().price("openrouter", "openrouter/auto", USAGE, NOON, response_model="openai/gpt-4o")
        assert cost == prices().price("openrouter", "openai/gpt-4o", USAGE, NOON)
        assert cost.source == "priced"


class TestOwnPrices:
    TEXT = """
providers:
  openai:
    prices:
      gpt-4o: {input: 1, output: 2, cache_read: 0.5, cache_write: 4, reasoning: 8}
  acme:
    base_url: https://api.acme.example/v1
    keys: [ACME_API_KEY]
    prices:
      "*": {input: 10, output: 20}
      large: {input: 100, output: 200}
"""

    def test_own_price_goes_before_the_list(self) -> None:
        cost = prices(self.TEXT).price("openai", "gpt-4o", USAGE, NOON)
        assert cost.nano_usd == 600 * 1_000 + 300 * 500 + 100 * 4_000 + 300 * 2_000 + 200 * 8_000

    def test_other_models_of_the_provider_keep_the_lists(self) -> None:
        assert prices(self.TEXT).price("openai", "o3", USAGE, NOON) == prices().price("openai", "o3", USAGE, NOON)

    def test_a_star_stands_for_every_model_without_a_line(self) -> None:
        own = prices(self.TEXT)
        assert own.price("acme", "anything", Usage(1_000_000, 0), NOON).nano_usd == 10 * 10**9
        assert own.price("acme", "large", Usage(1_000_000, 0), NOON).nano_usd == 100 * 10**9

    def test_price_of_zero_is_a_price(self) -> None:
        cost = prices().price("ollama", "llama3", USAGE, NOON)
        assert cost == Cost("priced", 0)


class TestCurrentPrices:
    def test_a_reload_changes_what_holders_see(self) -> None:
        current = CurrentPrices(prices(), lambda: NOON)
        assert current.price_of("acme", "large", USAGE, None) is UNPRICED
        assert current.cost_of("acme", "large") is None
        current.replace(prices(TestOwnPrices.TEXT))
        assert current.price_of("acme", "large", USAGE, None).source == "priced"
        assert current.cost_of("acme", "large") == 1000 * 100_000 + 1000 * 200_000

    def test_the_cheaper_model_is_the_cheaper_one(self) -> None:
        current = CurrentPrices(prices(), lambda: NOON)
        small, large = current.cost_of("openai", "gpt-4o-mini"), current.cost_of("openai", "gpt-4o")
        assert small is not None
        assert large is not None
        assert small < large


class TestDoubtfulUsage:
    def test_parts_that_exceed_the_whole_cost_what_the_parts_cost(self) -> None:
        cost = prices().price("openai", "gpt-4o", Usage(10, 5, cache_read_tokens=20, reasoning_tokens=9), NOON)
        assert cost == Cost("priced", 20 * 1_250 + 9 * 10_000)


class TestExactness:
    def own(self, rate: str) -> Prices:
        return prices(
            "providers:\n  acme:\n    base_url: https://acme.example/v1\n    keys: [ACME_API_KEY]\n"
            f"    prices: {{'*': {{input: {rate}, output: {rate}}}}}\n"
        )

    def test_price_is_what_is_written_and_not_the_binary_number_nearest_to_it(self) -> None:
        """0.1 dollars per million tokens is 100 nano-dollars per thousand, seventy times over."""
        assert self.own("0.1").price("acme", "m", Usage(70_000, 0), NOON).nano_usd == 7_000_000

    @pytest.mark.parametrize(("tokens", "nano_usd"), [(1, 0), (3, 2), (5, 2), (7, 4), (1_000_001, 500_000)])
    def test_sum_is_rounded_once_half_to_even(self, tokens: int, nano_usd: int) -> None:
        """At half a nano-dollar per token: 0.5 → 0, 1.5 → 2, 2.5 → 2, 3.5 → 4, 500,000.5 → 500,000."""
        assert self.own("0.0005").price("acme", "m", Usage(tokens, 0), NOON).nano_usd == nano_usd

    def test_parts_are_added_before_they_are_rounded(self) -> None:
        assert self.own("0.0005").price("acme", "m", Usage(1, 1), NOON).nano_usd == 1

    def test_price_of_the_list_with_more_than_six_decimals_is_rounded_to_six(self) -> None:
        """The list says 0.08333333333333334 dollars per million tokens written to the cache."""
        rates = prices().rates("openrouter", "google/gemini-2.5-flash-image", NOON)
        assert rates is not None
        assert rates.cache_write == 83_333


def _found(provider: Provider, model: str) -> ModelInfo | None:
    return provider.find_model(model, all_providers=listed)


def _listed_total(provider: Provider, model: ModelInfo, usage: ListedUsage) -> Decimal | None:
    try:
        return model.calc_price(usage, provider, genai_request_timestamp=NOON).total_price
    except ValueError:  # the package itself cannot say
        return None
