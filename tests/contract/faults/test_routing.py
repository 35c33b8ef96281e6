"""What routing makes of what it has seen: keys that are used up, routes that fail, callers that stay where their prompts are."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.contract.faults.stage import FALLBACK, Stage, staged
from tests.fakes.gateway import create_key
from tests.fakes.provider.server import Received

PROVIDERS = ("openai", "groq", "together")

FILE = """
models:
  loyal:
    strategy: weighted
    sticky: true
    targets: [openai/ok-2-tokens, groq/ok-2-tokens, together/ok-2-tokens]
  ordered:
    targets: [openai/ok-4-tokens, groq/ok-4-tokens]
"""


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """Two keys for each provider, groups of models, and breakers that stay out of the way."""
    directory = tmp_path_factory.mktemp("routing")
    file = directory / "gatewayz.yaml"
    file.write_text(FILE)
    more = {f"{name.upper()}_API_KEY": "sk-one-canary-key,sk-two-canary-key" for name in PROVIDERS}
    more |= {
        "GATEWAYZ_CONFIG_FILE": str(file),
        "GATEWAYZ_BREAKER_FAILURES": "100000",
        "GATEWAYZ_BREAKER_MIN_ATTEMPTS": "100000",
    }
    with staged(directory, PROVIDERS, **more) as stage:
        yield stage


@pytest.mark.parametrize(
    ("provider", "script", "error_type"),
    [
        ("openai", "429-quota", "provider_rate_limited"),
        ("groq", "401", "provider_auth_error"),
        ("together", "429-retry-after-60", "provider_rate_limited"),
        ("together", "429-of-no-use", "provider_rate_limited"),
    ],
)
def test_key_without_quota_or_refused_is_replaced_and_cools_down(
    routed: Stage, provider: str, script: str, error_type: str
) -> None:
    """Of OpenAI's 429s one says that waiting is of no use: ``insufficient_quota``."""
    model, fake = routed.fresh("ok"), routed.fakes[provider]
    known = len(fake.requests)

    def behave(received: Received) -> str | None:
        return script if "two" in received.headers["authorization"] else None

    fake.behave = behave
    try:
        replies = [routed.ask(f"{provider}/{model}", stream=bool(number % 2)) for number in range(6)]
    finally:
        fake.behave = None

    assert {one.status for one in replies} == {200}
    failed = [one for reply in replies for one in routed.tried(reply) if one[2] is not None]
    assert failed == [(provider, "first", error_type)]
    assert len(fake.requests) == known + 7  # six answers and one refusal: that key was not asked again


def test_unknown_model_falls_back_to_another(routed: Stage) -> None:
    for stream in (False, True):
        reply = routed.ask(f"together/{routed.fresh('404')}", models=FALLBACK, stream=stream)
        assert (reply.status, reply.provider) == (200, "groq")
        assert routed.tried(reply) == [("together", "first", "provider_bad_request"), ("groq", "fallback", None)]


def test_target_that_mostly_failed_is_asked_last(routed: Stage) -> None:
    primary = routed.fakes["openai"]
    primary.behave = lambda received: "500" if received.model == "ok-4-tokens" else None
    try:
        replies = [routed.ask("ordered", stream=bool(number % 2)) for number in range(6)]
    finally:
        primary.behave = None

    assert {(one.status, one.provider) for one in replies} == {(200, "groq")}
    assert routed.tried(replies[0])[0] == ("openai", "first", "provider_server_error")
    assert routed.tried(replies[-1]) == [("groq", "first", None)]


def test_sticky_caller_stays_with_one_provider_until_it_fails(routed: Stage) -> None:
    made = [routed.pool.submit(create_key, routed.gateway.data_dir, name) for name in ("one", "two")]
    keys = [routed.gateway.api_key, *(one.result() for one in made)]
    homes = {key: {asked_by(routed, key) for _ in range(6)} for key in keys}
    assert {len(found) for found in homes.values()} == {1}

    (home,) = homes[keys[0]]
    routed.fakes[str(home)].behave = lambda received: "503"
    try:
        assert asked_by(routed, keys[0]) not in (None, home)
    finally:
        routed.fakes[str(home)].behave = None
    assert asked_by(routed, keys[0]) == home


def asked_by(stage: Stage, key: str) -> str | None:
    return stage.ask("loyal", headers={"authorization": f"Bearer {key}"}).provider
