"""For every test."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.campaigns import SEED

# How long an example takes depends on who else is using the machine; what is asserted is what it does.
settings.register_profile("gatewayz", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gatewayz")

# How somebody has set up a gateway of his own is not what is tested. What steers the tests is not among it.
STEERING_TESTS = ("GATEWAYZ_BUILD_CACHE", "GATEWAYZ_TEST_")
for name in [one for one in os.environ if one.startswith("GATEWAYZ_") and not one.startswith(STEERING_TESTS)]:
    del os.environ[name]


def _proving(config: pytest.Config) -> bool:
    return "prove" in (config.getoption("markexpr") or "")


def pytest_report_header(config: pytest.Config) -> list[str]:
    return [f"prove: GATEWAYZ_TEST_SEED={SEED} repeats these seeds"] if _proving(config) else []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long campaigns run only where they are asked for, whatever else is selected."""
    if _proving(config):
        return
    long = [item for item in items if item.get_closest_marker("prove")]
    items[:] = [item for item in items if item not in set(long)]
    config.hook.pytest_deselected(items=long)
