"""For every test."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# How long an example takes depends on who else is using the machine; what is asserted is what it does.
settings.register_profile("gatewayz", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gatewayz")

# How somebody has set up a gateway of his own is not what is tested. What steers the tests is not among it.
STEERING_TESTS = ("GATEWAYZ_BUILD_CACHE", "GATEWAYZ_TEST_")
for name in [one for one in os.environ if one.startswith("GATEWAYZ_") and not one.startswith(STEERING_TESTS)]:
    del os.environ[name]
