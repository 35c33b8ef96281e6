"""What a key looks like and where a request carries it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayz.accounts.keys.credentials import CREDENTIAL_LENGTH, Credential, credential_of, new_credential, parse


def test_new_key_has_a_public_id_and_a_random_secret() -> None:
    made = [new_credential() for _ in range(50)]
    assert len({one.key_id for one in made}) == len({one.value for one in made}) == 50
    for one in made:
        shape = re.fullmatch(r"gz_([0-9A-Za-z]{12})_([0-9A-Za-z]{43})", one.value)
        assert shape is not None
        assert shape[1] == one.key_id
        assert len(one.value) == CREDENTIAL_LENGTH
        assert parse(one.value) == one


def test_secret_is_not_in_the_representation() -> None:
    one = new_credential()
    assert one.value not in repr(one)
    assert one.key_id in repr(one)


GOOD = "gz_" + "a" * 12 + "_" + "b" * 43


@pytest.mark.parametrize(
    "value",
    [
        "",
        "gz_",
        "sk-proj-" + "a" * 51,
        GOOD + "b",
        GOOD[:-1],
        GOOD[:-1] + "\n",
        GOOD[:-1] + "'",
        GOOD[:-1] + "\u0661",  # a digit, but not one of ours
        GOOD.replace("gz_", "GZ_"),
        "x" * 1_000_000,
    ],
)
def test_value_of_another_form_is_not_a_key(value: str) -> None:
    assert parse(value) is None


@given(st.text())
def test_parsing_never_raises(value: str) -> None:
    assert parse(value) is None


def test_digest_is_of_the_whole_key() -> None:
    other = Credential("a" * 12, GOOD[:-1] + "c")
    assert other.digest != Credential("a" * 12, GOOD).digest


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        ([(b"authorization", b"Bearer gz_x")], "gz_x"),
        ([(b"authorization", b"bearer   gz_x ")], "gz_x"),
        ([(b"x-api-key", b"gz_x")], "gz_x"),
        ([(b"api-key", b"gz_x")], "gz_x"),
        ([(b"x-api-key", b""), (b"api-key", b"gz_x")], "gz_x"),
        ([(b"api-key", b"gz_y"), (b"authorization", b"Bearer gz_x")], "gz_x"),
        ([(b"x-api-key", b"gz_y"), (b"authorization", b"Bearer gz_x")], "gz_x"),
        ([(b"authorization", b"Basic dXNlcjpwYXNz"), (b"x-api-key", b"gz_y")], "gz_y"),
        ([(b"authorization", b"Bearer "), (b"x-api-key", b"gz_y")], "gz_y"),
        ([(b"authorization", b"gz_x")], None),
        ([(b"authorization", b"Bearer")], None),
        ([(b"x-api-key", b" ")], None),
        ([(b"cookie", b"key=gz_x")], None),
        ([(b"authorization", b"Bearer \xff\xfe")], "\xff\xfe"),
        ([], None),
    ],
)
def test_key_is_found_where_the_sdks_put_it(headers: list[tuple[bytes, bytes]], credential: str | None) -> None:
    assert credential_of(headers) == credential
