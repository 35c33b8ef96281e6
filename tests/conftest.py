"""For every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes depends on who else is using the machine; what is asserted is what it does.
settings.register_profile("gatewayz", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gatewayz")
