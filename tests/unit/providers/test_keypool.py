"""Which key is used next: in turn, without those that cool down, and one at least unless the provider said how long to wait."""

from __future__ import annotations

import pytest

from gatewayz.providers.keypool import (
    MAX_COOLDOWNS,
    RATE_LIMITED_COOLDOWN_S,
    REJECTED_COOLDOWN_S,
    KeyPool,
    Secret,
    split_keys,
)

MODEL = "gpt-4o"


def pool(*keys: str) -> KeyPool:
    return KeyPool(Secret(key) for key in keys)


def taken(keys: KeyPool, now_s: float, model: str = MODEL) -> str | None:
    key = keys.take(model, now_s)
    return None if key is None else key.reveal()


def fail(keys: KeyPool, key: str, status: int, *, retry_after_s: float | None = None, now_s: float = 0.0) -> None:
    secret = next(one for one in keys.secrets if one.reveal() == key)
    keys.failed(secret, MODEL, status, retry_after_s, now_s)


def test_keys_take_turns() -> None:
    keys = pool("a", "b", "c")
    assert [taken(keys, 0.0) for _ in range(4)] == ["a", "b", "c", "a"]


def test_repeated_key_is_kept_once() -> None:
    assert len(pool("a", "b", "a")) == 2


@pytest.mark.parametrize("status", [401, 402])
def test_rejected_key_cools_down_for_every_model(status: int) -> None:
    keys = pool("a", "b")
    fail(keys, "a", status)
    assert {taken(keys, REJECTED_COOLDOWN_S - 1, model) for model in (MODEL, "o3") for _ in range(3)} == {"b"}
    assert {taken(keys, REJECTED_COOLDOWN_S) for _ in range(2)} == {"a", "b"}


@pytest.mark.parametrize("status", [400, 403, 404, 500, 503, 529])
def test_other_failures_leave_the_key_in_use(status: int) -> None:
    keys = pool("a", "b")
    fail(keys, "a", status)
    assert {taken(keys, 0.0) for _ in range(2)} == {"a", "b"}


def test_rate_limited_key_cools_down_as_long_as_the_provider_says_for_that_model_alone() -> None:
    keys = pool("a", "b")
    fail(keys, "a", 429, retry_after_s=20.0)
    assert {taken(keys, 19.9) for _ in range(3)} == {"b"}
    assert {taken(keys, 19.9, "o3") for _ in range(2)} == {"a", "b"}
    assert {taken(keys, 20.0) for _ in range(2)} == {"a", "b"}


def test_rate_limited_key_cools_down_briefly_without_retry_after() -> None:
    keys = pool("a", "b")
    fail(keys, "a", 429)
    assert {taken(keys, RATE_LIMITED_COOLDOWN_S - 0.1) for _ in range(3)} == {"b"}
    assert {taken(keys, RATE_LIMITED_COOLDOWN_S) for _ in range(2)} == {"a", "b"}


def test_shorter_cooldown_does_not_cut_a_longer_one_short() -> None:
    keys = pool("a")
    fail(keys, "a", 429, retry_after_s=60.0, now_s=0.0)
    fail(keys, "a", 429, retry_after_s=1.0, now_s=10.0)
    assert keys.wait_s(MODEL, 20.0) == pytest.approx(40.0)


@pytest.mark.parametrize("status", [401, 429])
def test_last_key_does_not_cool_down_without_retry_after(status: int) -> None:
    keys = pool("a", "b")
    fail(keys, "a", status)
    fail(keys, "b", status)
    assert taken(keys, 1.0) == "b"
    single = pool("a")
    fail(single, "a", status)
    assert taken(single, 0.0) == "a"


def test_retry_after_is_obeyed_even_with_the_last_key() -> None:
    keys = pool("a")
    fail(keys, "a", 429, retry_after_s=2.0)
    assert taken(keys, 1.9) is None
    assert keys.wait_s(MODEL, 1.5) == pytest.approx(0.5)
    assert taken(keys, 2.0) == "a"


def test_provider_without_keys_needs_none_and_waits_for_none() -> None:
    assert taken(pool(), 0.0) is None
    assert pool().wait_s(MODEL, 0.0) == 0


def test_accepted_key_is_in_use_again_at_once() -> None:
    keys = pool("a", "b")
    fail(keys, "a", 401)
    keys.succeeded(keys.secrets[0])
    assert {taken(keys, 0.0) for _ in range(2)} == {"a", "b"}


def test_number_of_cooldowns_is_bounded() -> None:
    keys = pool("a")
    for number in range(3 * MAX_COOLDOWNS):
        keys.failed(keys.secrets[0], f"model-{number}", 429, 1000.0, 0.0)
    cooling = sum(keys.wait_s(f"model-{number}", 1.0) > 0 for number in range(3 * MAX_COOLDOWNS))
    assert cooling == MAX_COOLDOWNS
    assert keys.wait_s(f"model-{3 * MAX_COOLDOWNS - 1}", 1.0) > 0


def test_new_pool_adopts_cooldowns_of_keys_that_remain() -> None:
    before = pool("a", "b", "c")
    fail(before, "a", 401)
    fail(before, "b", 429, retry_after_s=50.0)
    after = pool("b", "a", "d")
    after.adopt(before)
    assert {taken(after, 10.0) for _ in range(3)} == {"d"}


@pytest.mark.parametrize(
    ("value", "keys"), [("", []), (" , ", []), ("a", ["a"]), ("a,b", ["a", "b"]), (" a , b,", ["a", "b"])]
)
def test_keys_are_separated_by_commas(value: str, keys: list[str]) -> None:
    assert split_keys(value) == keys
