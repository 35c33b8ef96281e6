"""The numbers that routing goes by, each with its reason."""

from __future__ import annotations

from gatewayz.config import Settings
from gatewayz.records import Record, Strategy


class BreakerPolicy(Record, frozen=True):
    """When a route (one provider and model) is not called any more, and for how long."""

    consecutive_failures: int = 5
    failure_share: float = 0.5
    min_attempts: int = 20  # fewer say nothing about a share
    window_s: float = 60.0
    open_s: float = 30.0  # longer than a typical provider blip, shorter than a user's patience
    max_open_s: float = 300.0  # a provider that was away for an hour is noticed to be back within five minutes
    probe_s: float = 30.0  # a probe that says nothing for so long is given up, and another may go


class RetryPolicy(Record, frozen=True):
    """How often a call is tried, and how politely."""

    max_attempts: int = 6  # per call, whatever happens
    tries_per_candidate: int = 2  # the second try saves most blips; a third seldom does what another provider cannot
    backoff_s: float = 0.25
    max_backoff_s: float = 2.0
    max_wait_s: float = 5.0  # a Retry-After beyond this is the caller's to wait for: he knows whether he wants to
    max_wait_with_others_s: float = 0.5  # where somebody else can answer, only a blink is waited for
    budget_share: float = 0.2  # extra attempts per request: Envoy's default, beyond which retries make an outage worse
    budget_min: float = 3.0
    budget_wait_s: float = 30.0  # for what is on loan; as long as a substitute may take to show that it answers
    budget_rest_s: float = 60.0  # after so long without a call it is as at the start: a lone caller's retries come back


class RoutingPolicy(Record, frozen=True):
    """Everything about routing that an operator may set."""

    strategy: Strategy = "priority"
    """For a plain model name that several providers serve."""
    breaker: BreakerPolicy = BreakerPolicy()
    retry: RetryPolicy = RetryPolicy()
    max_in_flight: int = 1024
    """Calls at a time, per worker."""
    provider_in_flight: int = 512
    """Attempts at a time, per provider and worker, where its entry does not say otherwise."""
    max_timeout_s: float = 600.0
    """The longest a call may take, retries included; a caller may ask for less."""


def policy_of(settings: Settings) -> RoutingPolicy:
    """The policy that the settings ask for."""
    return RoutingPolicy(
        breaker=BreakerPolicy(
            consecutive_failures=settings.breaker_failures,
            failure_share=settings.breaker_failure_share,
            min_attempts=settings.breaker_min_attempts,
            window_s=settings.breaker_window_s,
            open_s=settings.breaker_open_s,
            max_open_s=max(settings.breaker_max_open_s, settings.breaker_open_s),
        ),
        retry=RetryPolicy(
            max_attempts=settings.max_attempts,
            budget_share=settings.retry_budget,
            max_wait_s=settings.max_retry_wait_s,
        ),
        max_in_flight=settings.max_in_flight,
        provider_in_flight=settings.provider_max_in_flight,
        max_timeout_s=settings.total_timeout_s,
    )
