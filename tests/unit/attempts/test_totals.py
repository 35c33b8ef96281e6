"""What the attempts of one request add up to."""

from __future__ import annotations

from gatewayz.attempts.context import Totals
from gatewayz.records import UNPRICED, Cost, Outcome, Usage

USED = Usage(100, 50, source="provider")


def test_tokens_and_money_of_all_attempts_add_up_exactly() -> None:
    totals = Totals()
    totals.add(Outcome(502, "m", USED, "provider_stream_cut", cost=Cost("priced", 3_750_000_001)))
    totals.add(Outcome(200, "m", USED, cost=Cost("priced", 2)))
    assert (totals.input_tokens, totals.output_tokens) == (200, 100)
    assert (totals.cost_nano_usd, totals.unpriced) == (3_750_000_003, 0)


def test_unknown_price_is_counted_and_is_not_zero() -> None:
    totals = Totals()
    totals.add(Outcome(None, "m", error_type="provider_connection_error"))
    assert (totals.cost_nano_usd, totals.unpriced) == (None, 0)
    totals.add(Outcome(200, "m", USED, cost=UNPRICED))
    assert (totals.cost_nano_usd, totals.unpriced) == (None, 1)


def test_attempt_that_costs_nothing_is_priced() -> None:
    totals = Totals()
    totals.add(Outcome(200, "m", USED, cost=Cost("priced", 0)))
    assert totals.cost_nano_usd == 0
