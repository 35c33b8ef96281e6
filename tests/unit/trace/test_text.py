"""Text that others wrote stays text, and times stay short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayz.trace.text import duration_text, value_text, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße, 世界 😀", "Grüße, 世界 😀"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("two\nlines\r\t\x07", r"two\nlines\r\t\x07"),
        ("turned \u202e round", r"turned \u202e round"),
        ("c1 \x9b31m", r"c1 \x9b31m"),
    ],
)
def test_control_characters_never_reach_the_terminal(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_text_stays_on_its_line(text: str) -> None:
    assert visible(text).isprintable()


def test_long_text_is_cut_and_its_length_is_shown() -> None:
    assert visible("abcdef", 3) == "abc… (6 characters)"
    assert visible("abc", 3) == "abc"


def test_a_text_and_a_number_differ() -> None:
    assert (value_text("1"), value_text(1), value_text(True), value_text(["ä"])) == ('"1"', "1", "true", '["ä"]')


@pytest.mark.parametrize(
    ("nanoseconds", "shown"),
    [
        (0, "0"),
        (7, "7 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (5_850_000, "5.85 ms"),
        (99_940_000, "99.9 ms"),
        (286_000_000, "286 ms"),
        (999_400_000, "999 ms"),
        (999_999_999, "1.00 s"),
        (1_500_000_000, "1.50 s"),
        (300_000_000_000, "300 s"),
        (-2_000_000, "-2.00 ms"),
    ],
)
def test_a_duration_has_three_digits_in_the_unit_that_fits(nanoseconds: int, shown: str) -> None:
    assert duration_text(nanoseconds) == shown
