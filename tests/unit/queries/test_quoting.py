"""A value that is written into a query stays a value."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayz.queries.quoting import quoted


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("plain", '"plain"'),
        ('a"b', r'"a\"b"'),
        ("back\\slash", r'"back\\slash"'),
        ("two\nlines", r'"two\nlines"'),
        ("\x00\x1b", r'"\u0000\u001b"'),
        ("世界 😀", '"世界 😀"'),
        ("half \ud83d", '"half \ufffd"'),
    ],
)
def test_what_would_end_the_literal_is_escaped(text: str, literal: str) -> None:
    assert quoted(text) == literal


@given(st.text())
def test_a_literal_has_one_end_and_reads_back(text: str) -> None:
    literal = quoted(text)

    assert json.loads(literal) == text
    assert literal.encode(), "can be sent"
    assert not any(character < " " for character in literal)
