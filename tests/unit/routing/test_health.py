from __future__ import annotations

import pytest

from gatewayz.routing.health import WINDOW_S, Health


def test_route_without_traffic_is_healthy() -> None:
    health = Health()
    assert health.availability(0) == 1
    assert not health.failing(0)
    assert health.latency_s(0, stream=True) is None


def test_availability_is_the_share_of_the_last_five_minutes() -> None:
    health = Health()
    for number in range(20):
        health.record(number * 10, failed=number % 4 == 0)
    assert health.availability(200) == pytest.approx(0.75)
    assert health.availability(200 + WINDOW_S + 60) == 1


def test_few_attempts_do_not_make_a_route_failing() -> None:
    health = Health()
    for _ in range(4):
        health.record(0, failed=True)
    assert not health.failing(0)
    health.record(0, failed=True)
    assert health.failing(0)


def test_failure_half_a_minute_ago_does_not_count() -> None:
    health = Health()
    for _ in range(5):
        health.record(0, failed=True)
    assert health.failing(29)
    assert not health.failing(30)


def test_latency_follows_measurements_and_expires_with_the_window() -> None:
    health = Health()
    health.measured(0, 1.0, stream=True)
    for _ in range(30):
        health.measured(1, 2.0, stream=True)
    assert health.latency_s(1, stream=True) == pytest.approx(2.0, abs=0.01)
    assert health.latency_s(1, stream=False) is None
    assert health.latency_s(2 + WINDOW_S, stream=True) is None
