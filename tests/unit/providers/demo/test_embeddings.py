"""The demo's vectors: equal for equal texts, near each other for similar ones, of length 1, in both encodings."""

from __future__ import annotations

import math
import struct
from base64 import b64decode
from typing import Any

import orjson
import pytest

from gatewayz.providers.demo.embeddings import (
    DIMENSIONS,
    MAX_CHARACTERS,
    MAX_DIMENSIONS,
    MAX_INPUTS,
    MAX_TOKENS,
    WrongInput,
    embed,
)


def answer(**members: Any) -> dict[str, Any]:
    return orjson.loads(embed(orjson.dumps({"model": "embed", **members})))


def vectors(**members: Any) -> list[list[float]]:
    return [one["embedding"] for one in answer(**members)["data"]]


def nearness(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_the_same_text_has_the_same_vector_of_length_1() -> None:
    first, second, other = vectors(input=["a quick fox", "a quick fox", "prices of steel"])
    assert first == second != other
    assert len(first) == DIMENSIONS
    assert math.hypot(*first) == pytest.approx(1)


def test_similar_texts_are_near_and_others_are_not() -> None:
    fox, foxes, steel = vectors(input=["the quick brown fox jumps", "a quick brown fox runs", "prices of steel in May"])
    assert nearness(fox, foxes) > 0.3 > nearness(fox, steel)


def test_base64_holds_the_same_numbers_as_32_bit_floats() -> None:
    plain = vectors(input="hello")[0]
    packed = b64decode(answer(input="hello", encoding_format="base64")["data"][0]["embedding"])
    assert struct.unpack(f"<{DIMENSIONS}f", packed) == pytest.approx(plain)


@pytest.mark.parametrize("size", [1, 2, 64, MAX_DIMENSIONS])
def test_dimensions_are_as_many_as_asked_for(size: int) -> None:
    (vector,) = vectors(input="hello there", dimensions=size)
    assert len(vector) == size
    assert math.hypot(*vector) == pytest.approx(1)


def test_tokens_are_taken_as_one_input_or_several_and_counted() -> None:
    one = answer(input=[15339, 1917, 0])
    assert len(one["data"]) == 1
    assert one["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    several = answer(input=[[1, 2], [3]])
    assert [entry["index"] for entry in several["data"]] == [0, 1]
    assert several["usage"]["prompt_tokens"] == 3


def test_usage_is_the_tokens_of_all_inputs() -> None:
    assert answer(input=["one two", "three"])["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


@pytest.mark.parametrize(
    ("members", "member"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": [[1], []]}, "input"),
        ({"input": ["a"] * (MAX_INPUTS + 1)}, "input"),
        ({"input": "a " * (MAX_TOKENS + 1)}, "input"),
        ({"input": ["a " * 8000] * 100}, "input"),
        ({"input": "x" * (MAX_CHARACTERS + 1)}, "input"),
        ({"input": ["a"] * MAX_INPUTS, "dimensions": MAX_DIMENSIONS}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": MAX_DIMENSIONS + 1}, "dimensions"),
        ({"input": ["a", 1]}, "input"),
        ({"input": [True]}, None),
        ({"input": "a", "encoding_format": "hex"}, None),
        ({}, None),
    ],
)
def test_input_that_cannot_be_embedded_names_the_member_at_fault(members: dict[str, Any], member: str | None) -> None:
    with pytest.raises(WrongInput) as caught:
        answer(**members)
    assert caught.value.member == member
    assert caught.value.reason
