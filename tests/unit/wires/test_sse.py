"""Events come out whole, however the bytes went in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayz.errors import ProviderMalformedResponse
from gatewayz.wires.sse import EventSplitter, data_of, event_of

ENDINGS = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINES = st.one_of(
    st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12).map(str.encode),
    st.sampled_from([b": comment", b"data: {}", b"data:x", b"event: error", b"id: 1", "data: Grüße 🌍".encode()]),
)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """A well-formed stream with one kind of line ending, perhaps with its last event unfinished."""
    ending = draw(ENDINGS)
    events = draw(st.lists(st.lists(LINES.filter(bool), min_size=1, max_size=4), max_size=6))
    whole = b"".join(b"".join(line + ending for line in lines) + ending for lines in events)
    return whole + draw(st.sampled_from([b"", b"data: cut", b"data: cut" + ending]))


def split(stream: bytes, cuts: list[int]) -> tuple[list[bytes], bytes]:
    splitter = EventSplitter()
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    events = [event for start, end in pairwise(places) for event in splitter.feed(stream[start:end])]
    return events, splitter.tail()


def texts(events: list[bytes]) -> list[bytes]:
    return [data_of(event) for event in events]


@given(stream=streams(), cuts=st.lists(st.integers(0, 10_000), max_size=20))
def test_the_events_and_the_tail_are_the_stream_byte_for_byte(stream: bytes, cuts: list[int]) -> None:
    events, tail = split(stream, cuts)
    assert b"".join(events) + tail == stream


@given(stream=streams(), cuts=st.lists(st.integers(0, 10_000), max_size=20))
def test_where_the_bytes_are_cut_makes_no_difference(stream: bytes, cuts: list[int]) -> None:
    assert split(stream, cuts) == split(stream, list(range(len(stream))))


@given(
    stream=st.binary(max_size=200).map(lambda raw: bytes(b"\r\n:ad "[byte % 6] for byte in raw)),
    cut=st.integers(0, 200),
)
def test_any_mixture_of_line_endings_keeps_every_byte_and_does_not_depend_on_the_cut(stream: bytes, cut: int) -> None:
    whole, one_by_one = split(stream, [cut]), split(stream, list(range(len(stream))))
    assert b"".join(whole[0]) + whole[1] == stream
    assert whole == one_by_one


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), max_size=5))
def test_what_an_event_was_made_to_say_it_says(says: list[str]) -> None:
    stream = b"".join(event_of(text.encode()) for text in says)
    assert texts(EventSplitter().feed(stream)) == [text.encode() for text in says]


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: one\n\n", b"one"),
        (b"data:one\n\n", b"one"),
        (b"data:  one\n\n", b" one"),
        (b"data: one\ndata: two\n\n", b"one\ntwo"),
        (b"data: one\r\ndata: two\r\n\r\n", b"one\ntwo"),
        (b"event: error\rid: 1\rdata: one\r\r", b"one"),
        (b": ping\n\n", b""),
        (b"data\n\n", b""),
        (b"database: no\n\n", b""),
        (b"\xef\xbb\xbfdata: one\n\n", b"one"),
        (b"\n\n", b""),
        (b"data: [DONE]", b"[DONE]"),
        (b"data: [DONE]\n", b"[DONE]"),
    ],
)
def test_data_of(event: bytes, data: bytes) -> None:
    assert data_of(event) == data


def test_an_event_is_given_as_soon_as_it_is_whole() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: 1\n\ndata: 2\n") == [b"data: 1\n\n"]
    assert splitter.feed(b"\n") == [b"data: 2\n\n"]


def test_a_crlf_cut_in_two_is_not_two_line_ends() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: 1\r\n\r") == []
    assert splitter.feed(b"\ndata: 2\r\n\r\n") == [b"data: 1\r\n\r\n", b"data: 2\r\n\r\n"]


def test_an_event_without_end_is_given_up_at_the_limit() -> None:
    splitter = EventSplitter(max_event_bytes=1000)
    for _ in range(10):
        splitter.feed(b"x" * 100)
    with pytest.raises(ProviderMalformedResponse, match="more than 1000 bytes"):
        splitter.feed(b"x")


def test_a_large_event_in_small_pieces_takes_linear_time() -> None:
    """A megabyte, byte by byte: quadratic work would take minutes."""
    splitter = EventSplitter()
    for _ in range(200_000):
        splitter.feed(b"xxxxx")
    assert len(splitter.feed(b"\n\n")) == 1


@pytest.mark.parametrize("event", [b"data: [DONE] \n\n", b"data:[DONE]\n\n", b"data:  [DONE]\r\n\r\n"])
def test_blanks_around_the_end_do_not_count(event: bytes) -> None:
    assert data_of(event) == b"[DONE]"


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert data_of(b"\xef\xbb\xbfdata: x\n\n") == b"x"
