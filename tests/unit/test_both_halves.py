"""The last line of ``python -m tests`` counts the tests of both halves."""

from __future__ import annotations

from tests.__main__ import counted, line

FIRST = (
    "====== short test summary info ======\n"
    "FAILED tests/x.py::test_1 - 3 failed in this way\n"
    "=== 1 failed, 40 passed, 2 deselected in 3.21s (0:00:03) ===\n"
)
SECOND = "....  [100%]\n2 passed, 1 skipped, 1 error in 5.00s\n"


def test_counts_of_both_halves_add_up() -> None:
    assert line(counted([FIRST, SECOND])) == "42 passed, 1 failed, 1 skipped, 1 errors"


def test_half_that_ended_early_counts_nothing() -> None:
    assert line(counted(["2 passed in 1.0s\n", "Traceback (most recent call last):\n"])) == "2 passed, 0 failed"
