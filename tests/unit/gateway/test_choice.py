"""What the caller and the operator wish of routing."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from gatewayz.errors import InvalidRequest, NotFound
from gatewayz.records import ModelGroup, Strategy, Target
from tests.unit.gateway.conftest import Rig, Rigs

PAIR = (Target("openai/ok"), Target("groq/ok"))


async def test_alias_leads_to_its_target(rigs: Rigs) -> None:
    rig = await rigs(groups=[ModelGroup("house-model", (Target("groq/ok-7-tokens"),))])

    result = await rig.ask("house-model")

    assert result.provider == "groq"
    assert rig.fakes["groq"].requests[-1].model == "ok-7-tokens"


async def test_group_falls_back_in_its_order(rigs: Rigs) -> None:
    group = ModelGroup("house-model", (Target("openai/503"), Target("together/ok"), Target("groq/ok")))
    rig = await rigs(groups=[group])

    assert (await rig.ask("house-model", stream=True)).provider == "together"


async def test_target_without_a_key_is_skipped_and_reported(rigs: Rigs) -> None:
    rig = await rigs(groups=[ModelGroup("house-model", (Target("mistral/any"), Target("groq/ok")))])

    assert (await rig.ask("house-model")).provider == "groq"
    assert rig.events("gatewayz.candidate.skipped") == [
        {"gatewayz.provider.name": "mistral", "gatewayz.skip.reason": "no_key"}
    ]


async def test_weighted_shares_follow_the_weights(rigs: Rigs) -> None:
    targets = (Target("openai/ok", 1), Target("groq/ok", 3))
    rig = await rigs(groups=[ModelGroup("split", targets, "weighted")])
    draws = iter(number / 400 for number in range(800))  # as even as chance is in the long run
    rig.gateway._choice._strategies._random = lambda: (next(draws) * 7919) % 1  # pyright: ignore[reportPrivateUsage]

    served = Counter([(await rig.ask("split")).provider for _ in range(200)])

    assert 0.15 < served["openai"] / 200 < 0.35


async def test_latency_strategy_prefers_the_faster_once_both_are_measured(rigs: Rigs) -> None:
    rig = await rigs(groups=[ModelGroup("fast", PAIR, "latency")], real_time=True)
    rig.fakes["openai"].behave = lambda received: "slow-first-0.2s"

    first_two = {(await rig.ask("fast")).provider for _ in range(2)}
    then = {(await rig.ask("fast")).provider for _ in range(5)}

    assert first_two == {"openai", "groq"}
    assert then == {"groq"}


async def test_cost_strategy_prefers_the_cheaper_and_puts_the_unpriced_last(rigs: Rigs) -> None:
    prices = {"groq": 2.0, "together": 1.0}
    targets = (Target("openai/ok"), Target("groq/503"), Target("together/503"))
    rig = await rigs(groups=[ModelGroup("cheap", targets, "cost")], cost_of=lambda name, model: prices.get(name))

    result = await rig.ask("cheap")

    assert [provider for provider, _, _ in rig.attempts(result)] == ["together", "groq", "openai"]


async def test_sticky_group_keeps_a_key_at_one_provider(rigs: Rigs) -> None:
    rig = await rigs(groups=[ModelGroup("sticky", PAIR, "weighted", sticky=True)])

    assert len({(await rig.ask("sticky")).provider for _ in range(10)}) == 1


async def test_strategy_header_overrides_the_configured_order(rigs: Rigs) -> None:
    rig = await rigs(cost_of=lambda name, model: {"openai": 2.0, "groq": 1.0}[name])

    dear = await rig.ask("openai/ok", models=["groq/ok"])
    cheap = await rig.ask("openai/ok", models=["groq/ok"], headers=[(b"x-gatewayz-strategy", b"cost")])

    assert (dear.provider, cheap.provider) == ("openai", "groq")


async def test_provider_header_names_the_candidates_in_order(rig: Rig) -> None:
    result = await rig.ask("ok", headers=[(b"x-gatewayz-provider", b"together, groq")])

    assert result.provider == "together"
    assert rig.fakes["together"].requests[-1].model == "ok"


async def test_provider_header_narrows_a_group_to_its_targets_there(rigs: Rigs) -> None:
    rig = await rigs(groups=[ModelGroup("house-model", PAIR)])

    result = await rig.ask("house-model", headers=[(b"x-gatewayz-provider", b"groq")])

    assert result.provider == "groq"
    assert rig.fakes["groq"].requests[-1].model == "ok"
    refused = (await rig.ask("openai/ok", headers=[(b"x-gatewayz-provider", b"groq")])).refused
    assert isinstance(refused, NotFound)


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ([(b"x-gatewayz-strategy", b"best")], "x-gatewayz-strategy"),
        ([(b"x-gatewayz-timeout", b"soon")], "x-gatewayz-timeout"),
        ([(b"x-gatewayz-timeout", b"-1")], "x-gatewayz-timeout"),
        ([(b"x-gatewayz-first-chunk-timeout", b"nan")], "x-gatewayz-first-chunk-timeout"),
        ([(b"x-gatewayz-provider", b" , ")], "x-gatewayz-provider"),
    ],
)
async def test_invalid_routing_option_is_rejected_by_its_name(
    rig: Rig, headers: list[tuple[bytes, bytes]], named: str
) -> None:
    refused = (await rig.ask("openai/ok", headers=headers)).refused

    assert isinstance(refused, InvalidRequest)
    assert named in refused.message


@pytest.mark.parametrize("models", ["groq/ok", [], [""], [1], {"a": 1}, ["x" * 300], ["m"] * 17])
async def test_models_must_be_a_list_of_names(rig: Rig, models: object) -> None:
    refused = (await rig.ask("openai/ok", models=models)).refused

    assert isinstance(refused, InvalidRequest)
    assert refused.param == "models"


async def test_unknown_model_is_skipped_when_another_is_known(rig: Rig) -> None:
    assert (await rig.ask("nobody-knows", models=["groq/ok"])).provider == "groq"
    assert isinstance((await rig.ask("nobody-knows", models=["neither-this"])).refused, NotFound)
    refused = (await rig.ask("ok", headers=[(b"x-gatewayz-provider", b"nobody")])).refused
    assert isinstance(refused, NotFound)
    assert "nobody" in refused.message


async def test_timeout_header_ends_the_call(rigs: Rigs) -> None:
    rig = await rigs(real_time=True)
    began = time.monotonic()
    result = await rig.ask("openai/hang", models=["groq/hang"], headers=[(b"x-gatewayz-timeout", b"0.3")])

    assert result.refused.status == 504
    assert time.monotonic() - began < 2
    assert len(rig.fakes["openai"].requests) == 1


async def test_first_chunk_timeout_header_leaves_time_for_a_fallback(rigs: Rigs) -> None:
    rig = await rigs(real_time=True)
    headers = [(b"x-gatewayz-first-chunk-timeout", b"0.2"), (b"x-gatewayz-timeout", b"30")]

    assert (await rig.ask("openai/hang", models=["groq/ok"], stream=True, headers=headers)).provider == "groq"


async def test_timeout_headers_never_exceed_the_operators_limits(rigs: Rigs) -> None:
    rig = await rigs(real_time=True)  # one second until the first chunk
    headers = [(b"x-gatewayz-first-chunk-timeout", b"3000"), (b"x-gatewayz-timeout", b"3000")]

    assert (await rig.ask("openai/hang", stream=True, headers=headers)).refused.status == 504


@pytest.mark.parametrize("strategy", ["priority", "weighted", "latency", "cost"])
async def test_failing_candidate_comes_last_under_every_strategy(rigs: Rigs, strategy: Strategy) -> None:
    rig = await rigs(groups=[ModelGroup("any", PAIR, strategy)], cost_of=lambda name, model: 1.0)
    openai = rig.fakes["openai"]
    for number in range(8):  # never five in a row, so that no breaker opens
        openai.behave = (lambda received: "503") if number % 4 else None
        await rig.ask("openai/ok")
    asked = len(openai.requests)
    openai.behave = None

    assert {(await rig.ask("any")).provider for _ in range(5)} == {"groq"}
    assert len(openai.requests) == asked
    rig.clock.now_s += 31
    assert "openai" in {(await rig.ask("any")).provider for _ in range(10)} or strategy != "priority"
