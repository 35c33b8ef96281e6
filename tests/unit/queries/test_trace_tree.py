"""Every span of a trace is in the tree once, whatever its parents are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayz.queries.trace_tree import MAX_DRAWN_DEPTH, branches
from gatewayz.queries.traces import Span, Trace


def trace(*parents: tuple[str, str]) -> Trace:
    """Spans (own id, parent's id) in the order in which they began."""
    spans = [
        Span("t", own, parent, own, "internal", place, place + 1, "unset", "", {}, (), (), {})
        for place, (own, parent) in enumerate(parents)
    ]
    return Trace("t", tuple(spans))


def drawn(one: Trace) -> list[str]:
    return [f"{'  ' * branch.depth}{branch.span.span_id}{'?' if branch.orphan else ''}" for branch in branches(one)]


@pytest.mark.parametrize(
    ("parents", "tree"),
    [
        ([("a", "")], ["a"]),
        ([("a", ""), ("b", "a"), ("c", "b"), ("d", "a")], ["a", "  b", "    c", "  d"]),
        ([("b", "a"), ("a", "")], ["a", "  b"]),
        ([("a", "gone"), ("b", "a")], ["a?", "  b"]),
        ([("a", ""), ("x", "gone"), ("b", "a")], ["a", "  b", "x?"]),
        ([("a", "a")], ["a?"]),
        ([("a", "b"), ("b", "a")], ["a?", "  b"]),
        ([("r", ""), ("a", "c"), ("b", "a"), ("c", "b")], ["r", "a?", "  b", "    c"]),
        ([("a", ""), ("a", ""), ("b", "a")], ["a", "  b", "a"]),
    ],
    ids=str,
)
def test_spans_hang_under_their_parents(parents: list[tuple[str, str]], tree: list[str]) -> None:
    assert drawn(trace(*parents)) == tree


def test_the_last_of_its_siblings_is_marked() -> None:
    tree = branches(trace(("a", ""), ("b", "a"), ("c", "b"), ("d", "a")))

    assert [branch.last_of for branch in tree] == [(True,), (True, False), (True, False, True), (True, True)]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", *"abcdefg"])), max_size=12))
def test_every_span_is_there_exactly_once(parents: list[tuple[str, str]]) -> None:
    one = trace(*parents)

    assert sorted(map(id, (branch.span for branch in branches(one)))) == sorted(map(id, one.spans))


def test_a_chain_of_many_thousand_spans_is_drawn() -> None:
    tree = branches(trace(("0", ""), *((str(depth), str(depth - 1)) for depth in range(1, 20_000))))

    assert tree[-1].depth == 19_999
    assert max(len(branch.last_of) for branch in tree) == MAX_DRAWN_DEPTH
