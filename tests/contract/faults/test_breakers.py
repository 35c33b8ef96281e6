"""A provider that is down is left alone but for single probes, which never get stuck and come at growing intervals; its fallback
answers meanwhile, and it is back soon after it recovers."""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import pairwise
from time import monotonic

import httpx
import pytest

from tests.contract.faults.stage import BREAKER_MAX_OPEN_S, BREAKER_OPEN_S, Stage
from tests.fakes.provider.server import FakeLLM, Received
from tests.polling import eventually

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
SOON_S = 10.0
"""Until a provider that has recovered is asked again. A breaker opens for less than one second here; the rest is slack."""

Ill = Callable[[FakeLLM, str, str | None], None]


@pytest.fixture
def ill() -> Generator[Ill]:
    """``ill(provider, model, script)``: from now on it does this for that model; None: it has recovered."""
    known: dict[FakeLLM, dict[str, str]] = {}

    def make(fake: FakeLLM, model: str, script: str | None) -> None:
        scripts = known.setdefault(fake, {})
        scripts.pop(model, None)
        if script is not None:
            scripts[model] = script

        def behave(received: Received) -> str | None:
            return scripts.get(received.model)

        fake.behave = behave

    yield make
    for fake in known:
        fake.behave = None


def opened(stage: Stage, model: str) -> None:
    """Asks until its breaker is open."""
    for _ in range(5):
        assert stage.ask(f"openai/{model}", headers={"x-gatewayz-provider": "openai"}).status == 502
        if stage.asked("openai", model) >= 5:
            break


def test_dead_provider_gets_single_probes_at_growing_intervals(stage: Stage, ill: Ill) -> None:
    model = stage.fresh("ok")
    ill(stage.fakes["openai"], model, "500")
    first = stage.storm(500, f"openai/{model}")
    assert {one.status for one in first} <= {502, 503}
    known = stage.asked("openai", model)

    probes = 3
    until_s = monotonic() + 30
    while stage.asked("openai", model) < known + probes and monotonic() < until_s:
        refused = stage.storm(10, f"openai/{model}")  # whenever somebody may go, ten want to
        assert {one.status for one in refused} <= {502, 503}
        assert all(int(one.retry_after or 0) >= 1 for one in refused if one.status == 503)
    arrivals = sorted(stage.arrivals("openai", model))[known - 1 : known + probes]
    waits = [later - earlier for earlier, later in pairwise(arrivals)]
    expected = [BREAKER_OPEN_S, 2 * BREAKER_OPEN_S, BREAKER_MAX_OPEN_S]
    assert len(waits) == probes
    for wait, least in zip(waits, expected, strict=True):
        assert least * 0.99 <= wait < least + SOON_S

    ill(stage.fakes["openai"], model, None)
    eventually(lambda: stage.ask(f"openai/{model}").status == 200, deadline_s=SOON_S)
    assert {one.status for one in stage.storm(20, f"openai/{model}")} == {200}


def test_open_breaker_lets_no_call_through(stage: Stage, ill: Ill) -> None:
    model = stage.fresh("ok")
    ill(stage.fakes["openai"], model, "500")
    opened(stage, model)
    refused = stage.ask(f"openai/{model}")

    assert (refused.status, refused.error["code"]) == (503, "no_candidate")
    assert int(refused.headers["retry-after"]) >= 1
    assert stage.tried(refused) == []
    assert [one["gatewayz.skip.reason"] for one in stage.events(refused, "gatewayz.candidate.skipped")] == [
        "breaker_open"
    ]
    told = stage.server(refused)
    assert (told["error.type"], told["gatewayz.outcome"]) == ("gateway_no_candidate", "gateway_error")


@BOTH
def test_probe_whose_caller_disconnects_makes_room_for_the_next(stage: Stage, ill: Ill, stream: bool) -> None:
    model, primary = stage.fresh("ok"), stage.fakes["openai"]
    ill(primary, model, "500")
    opened(stage, model)
    ill(primary, model, "hang")
    known = stage.asked("openai", model)

    def probe_is_under_way() -> bool:
        try:
            stage.ask(f"openai/{model}", stream=stream, timeout_s=0.4)
        except httpx.TimeoutException:
            return True
        return False

    eventually(probe_is_under_way, deadline_s=SOON_S)
    assert stage.asked("openai", model) == known + 1
    ill(primary, model, None)
    left_s = monotonic()
    eventually(lambda: stage.ask(f"openai/{model}", stream=stream).status == 200, deadline_s=SOON_S)
    assert stage.arrivals("openai", model)[-1] - left_s < SOON_S
    assert {one.status for one in stage.storm(5, f"openai/{model}")} == {200}


def test_probe_that_hangs_ends_and_the_next_one_follows(stage: Stage, ill: Ill) -> None:
    primary = stage.fakes["openai"]

    def play(stream: bool) -> None:
        model = stage.fresh("ok")
        ill(primary, model, "500")
        opened(stage, model)
        ill(primary, model, "hang")
        eventually(lambda: stage.ask(f"openai/{model}", stream=stream).status == 504, deadline_s=SOON_S)
        ill(primary, model, None)
        eventually(lambda: stage.ask(f"openai/{model}", stream=stream).status == 200, deadline_s=SOON_S)

    list(stage.pool.map(play, (False, True)))  # together: each waits for a time-out


@pytest.mark.parametrize("script", ["cut-after-3", "overload-after-3", "garbage-after-3"])
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_streams_that_break_open_the_breaker(stage: Stage, provider: str, script: str) -> None:
    model = stage.fresh(script)
    while stage.asked(provider, model) < 5:
        reply = stage.ask(f"{provider}/{model}", stream=True)
        assert reply.status == 200 or stage.tried(reply)  # an error: all of it came in one packet, on a busy machine
    refused = stage.ask(f"{provider}/{model}", stream=True)

    assert refused.status == 503
    assert stage.asked(provider, model) == 5


@pytest.mark.parametrize("script", ["400", "404", "422", "429-retry-after-0"])
def test_bad_requests_and_rate_limits_do_not_open_the_breaker(stage: Stage, script: str) -> None:
    model = stage.fresh(script)
    for _ in range(8):
        assert stage.ask(f"openai/{model}").status == int(script[:3])
    assert stage.asked("openai", model) >= 8


@BOTH
def test_fallback_answers_while_the_primary_is_down_and_the_primary_once_it_is_back(
    stage: Stage, ill: Ill, stream: bool
) -> None:
    model, fallback = stage.fresh("ok"), f"groq/{stage.fresh('ok-7-tokens')}"
    primary = stage.fakes["openai"]
    ill(primary, model, "500")
    down_until_s = monotonic() + 3 * BREAKER_OPEN_S
    down = [stage.ask(f"openai/{model}", models=[fallback], stream=stream)]
    down += [stage.ask(f"openai/{model}", models=[fallback], stream=stream) for _ in range(8)]
    eventually(
        lambda: stage.gauge("gatewayz.circuit_breaker.state", gatewayz__provider__name="openai").get("open") == 1
    )
    while monotonic() < down_until_s:
        crowd = stage.storm(20, f"openai/{model}", models=[fallback], stream=stream)
        assert {(one.status, one.provider) for one in crowd} == {(200, "groq")}
    assert {(one.status, one.provider) for one in down} == {(200, "groq")}
    # Five to open it, and a probe now and then.
    assert 5 <= stage.asked("openai", model) <= 5 + 4
    opening = [one for one in down if stage.events(one, "gatewayz.circuit_breaker.changed")]
    (event,) = stage.events(opening[0], "gatewayz.circuit_breaker.changed")
    assert event["gatewayz.circuit_breaker.state"] == "open"
    passed_over = down[-1]
    assert stage.tried(passed_over) == [("groq", "first", None)]
    (skipped,) = stage.events(passed_over, "gatewayz.candidate.skipped")
    assert skipped["gatewayz.skip.reason"] == "breaker_open"

    ill(primary, model, None)
    recovered_s = monotonic()
    back = eventually(
        lambda: (
            reply
            if (reply := stage.ask(f"openai/{model}", models=[fallback], stream=stream)).provider == "openai"
            else None
        ),
        deadline_s=SOON_S,
    )
    assert monotonic() - recovered_s < SOON_S
    (event,) = stage.events(back, "gatewayz.circuit_breaker.changed")
    assert event["gatewayz.circuit_breaker.state"] == "closed"
    after = stage.storm(20, f"openai/{model}", models=[fallback], stream=stream)
    assert {(one.status, one.provider) for one in after} == {(200, "openai")}


def test_retry_after_is_told_while_all_breakers_are_open_and_the_first_to_recover_answers(
    stage: Stage, ill: Ill
) -> None:
    model, other = stage.fresh("ok"), stage.fresh("ok")
    for provider, name in (("openai", model), ("groq", other)):
        ill(stage.fakes[provider], name, "500")

    def all_are_open() -> bool:
        reply = stage.ask(f"openai/{model}", models=[f"groq/{other}"])
        assert reply.status in (502, 503)
        return not stage.tried(reply) and int(reply.headers["retry-after"]) >= 1

    eventually(all_are_open, deadline_s=SOON_S)
    ill(stage.fakes["groq"], other, None)
    eventually(lambda: stage.ask(f"openai/{model}", models=[f"groq/{other}"]).provider == "groq", deadline_s=SOON_S)
