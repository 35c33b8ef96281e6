"""The depth of a body, with brackets in every place where they are none."""

from __future__ import annotations

import random
import time

import orjson
import pytest

from gatewayz.errors import InvalidRequest
from gatewayz.wires.json_depth import check_depth

LIMIT = 64


def nested(levels: int, inner: bytes = b"1") -> bytes:
    return b'{"a":[' * (levels // 2) + b"[" * (levels % 2) + inner + b"]" * (levels % 2) + b"]}" * (levels // 2)


def too_deep(body: bytes, limit: int = LIMIT) -> bool:
    try:
        check_depth(body, limit)
    except InvalidRequest as error:
        assert error.code == "nested_too_deeply"  # noqa: PT017 - that it is this error is the point
        return True
    return False


@pytest.mark.parametrize(("levels", "refused"), [(63, False), (64, False), (65, True), (900, True), (100_000, True)])
def test_the_limit_is_exact(levels: int, refused: bool) -> None:
    assert too_deep(nested(levels)) == refused
    assert too_deep(b'{"x":"' + b"a" * 10_000 + b'","y":' + nested(levels - 1) + b"}") == refused


@pytest.mark.parametrize(
    "text", ["[" * 500, '"' + "[" * 500, "\\" + "{" * 99, '\\"[' * 99, '"[{' * 99 + "\\", "\n[\\\\" * 99]
)
def test_brackets_in_strings_are_text(text: str) -> None:
    assert not too_deep(orjson.dumps({text: [text, {"a": text}, "", text]}))


def test_width_is_not_depth() -> None:
    assert not too_deep(b'{"a":[' + b",".join([nested(62)] * 500) + b"]}")
    assert too_deep(b'{"a":[' + b",".join([nested(62)] * 500 + [nested(63)]) + b"]}")


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)  # pyright: ignore[reportUnknownArgumentType]
    return 0


def test_any_value_is_as_deep_as_it_is() -> None:
    chance = random.Random(4)  # noqa: S311 - no secret

    def value(levels: int) -> object:
        match chance.randrange(4) if levels else 3:
            case 0:
                return [value(levels - 1) for _ in range(chance.randrange(4))]
            case 1 | 2:
                return {chance.choice(['"', "[", "]}", "\\"]) + str(n): value(levels - 1) for n in range(3)}
            case _:
                return chance.choice(['"[', "\\]", "", '\\"', 1, None, "{}"])

    for _ in range(300):
        one = value(9)
        body, depth = orjson.dumps(one), depth_of(one)
        assert not too_deep(body, max(depth, 1))
        if depth > 1:
            assert too_deep(body, depth - 1)


HOSTILE = {
    "open": b"[" * 10_000_000,
    "keys": b'{"a":' * 2_000_000,
    "wide": b"[" + b"[]," * 3_300_000 + b"1]",
    "chains": b"[" + (b"[" * 60 + b"]" * 60 + b",") * 80_000 + b"1]",
    "strings": b"[" + b'"[",' * 2_500_000 + b"1]",
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_ten_megabytes_of_brackets_cost_little(shape: str) -> None:
    body = HOSTILE[shape]
    began = time.thread_time()
    orjson.dumps(body.decode())  # one pass over as many bytes, as a measure of this machine
    one_pass_s = time.thread_time() - began
    began = time.thread_time()
    too_deep(body)
    # One pass per level would be over a second.
    assert time.thread_time() - began < max(0.4, 40 * one_pass_s)
