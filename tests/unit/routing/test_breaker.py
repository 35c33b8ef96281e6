from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatewayz.config import BreakerPolicy
from gatewayz.routing.breaker import Breaker

POLICY = BreakerPolicy()


def opened(at_s: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(POLICY.consecutive_failures):
        breaker.failed(at_s, 0)
    return breaker


def test_success_restarts_the_count_of_failures() -> None:
    breaker = Breaker(POLICY)
    for number in range(12):
        if number % 5 == 4:
            breaker.succeeded(0, 0)
        else:
            assert not breaker.failed(0, 0)
    assert breaker.state(0) == "closed"


def breaker_says(breaker: Breaker, number: int) -> bool:
    """Every other attempt fails, one every other second. Whether this one opens the breaker."""
    breaker.succeeded(number * 2 - 2, 0)
    return breaker.failed(number * 2, 0)


def test_half_of_twenty_attempts_failing_within_a_minute_opens_it() -> None:
    breaker = Breaker(POLICY)
    opened_at = [number for number in range(20) if number % 2 and breaker_says(breaker, number)]
    assert opened_at == [19]
    assert breaker.state(38) == "open"


def test_failures_outside_the_window_do_not_count() -> None:
    breaker = Breaker(POLICY)
    for _ in range(9):
        breaker.succeeded(0, 0)
        breaker.failed(0, 0)
    for _ in range(4):
        breaker.succeeded(120, 0)
        assert not breaker.failed(120, 0)
    assert breaker.state(120) == "closed"


def test_open_breaker_lets_one_probe_through_after_half_a_minute() -> None:
    breaker = opened()
    assert not breaker.may_call(29.9)
    assert breaker.retry_after_s(10) == 20
    assert breaker.state(30) == "half_open"
    assert breaker.may_call(30)
    assert breaker.enter(30)
    assert not breaker.may_call(30)


def test_failure_of_an_earlier_attempt_prolongs_the_opening_without_doubling_it() -> None:
    breaker = opened(0)
    for _ in range(500):
        breaker.failed(20, 0)
    assert breaker.retry_after_s(20) == 30
    breaker.failed(21, 0)
    assert breaker.retry_after_s(21) == 30


def test_late_failure_never_shortens_the_opening() -> None:
    breaker = opened(0)
    probe = breaker.enter(30)
    breaker.failed(30, probe)
    assert breaker.retry_after_s(30) == 60
    breaker.failed(31, 0)
    assert breaker.retry_after_s(31) >= 59


def test_begun_stream_closes_it_but_only_a_success_resets_the_opening() -> None:
    breaker = opened(0)
    probe = breaker.enter(30)
    assert breaker.began(probe)
    assert breaker.state(30) == "closed"
    for _ in range(POLICY.consecutive_failures):  # every stream is cut
        breaker.failed(40, 0)
    assert breaker.retry_after_s(40) == 60

    probe = breaker.enter(100)
    breaker.began(probe)
    breaker.succeeded(101, probe)
    for _ in range(POLICY.consecutive_failures):
        breaker.failed(102, 0)
    assert breaker.retry_after_s(102) == 30


def test_replaced_probe_is_ignored() -> None:
    breaker = opened(0)
    old = breaker.enter(30)
    new = breaker.enter(30 + POLICY.probe_s)
    assert not breaker.failed(61, old)
    breaker.abandoned(old)
    assert not breaker.may_call(61)
    assert breaker.succeeded(61, new)


@given(
    st.lists(st.tuples(st.floats(0, 90), st.sampled_from(["enter", "fail", "succeed", "leave", "begin"])), max_size=120)
)
def test_breaker_is_never_stuck(steps: list[tuple[float, str]]) -> None:
    breaker, now_s, held = Breaker(POLICY), 0.0, 0
    for wait_s, what in steps:
        now_s += wait_s
        match what:
            case "enter":
                if breaker.may_call(now_s):
                    held = breaker.enter(now_s)
            case "fail":
                breaker.failed(now_s, held)
            case "succeed":
                breaker.succeeded(now_s, held)
            case "begin":
                breaker.began(held)
            case _:
                breaker.abandoned(held)
        assert 0 <= breaker.retry_after_s(now_s) <= POLICY.max_open_s
    assert breaker.may_call(now_s + breaker.retry_after_s(now_s) + 1e-6)
