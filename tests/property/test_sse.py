"""Any stream of events, cut anywhere: what comes out is what a plain reading of the standard says, and the bytes are the same."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayz.wires.sse import DONE, EventSplitter, data_of

BOM = b"\xef\xbb\xbf"
LAST = b": the end\n"
"""A line that decides whether a CR before it was half of a line's end, and says nothing."""

ENDINGS = (b"\n", b"\r\n", b"\r")
TEXTS = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=8).map(str.encode)
FIELDS = st.sampled_from(
    [b"data", b"data", b"data", b"event", b"id", b"retry", b"database", b" data", b"DATA", b"", b"\xc3\xbc"]
)
LINES = st.one_of(
    st.tuples(FIELDS, st.sampled_from([b":", b": ", b":  ", b""]), TEXTS).map(b"".join),
    st.sampled_from([b"", b"", b": ping", b":", b"data", b"data:", b'data: {"a":"\xf0\x9f\x8c\x8d"}', b"data: [DONE]"]),
)
STREAMS = st.tuples(
    st.sampled_from([b"", b"", BOM]),
    st.lists(st.tuples(LINES, st.sampled_from(ENDINGS)).map(b"".join), max_size=16).map(b"".join),
).map(b"".join)
SAME_ENDINGS = st.tuples(st.lists(LINES, max_size=16), st.sampled_from(ENDINGS)).map(
    lambda made: b"".join(line + made[1] for line in made[0])
)


def read_by_the_standard(stream: bytes) -> list[bytes]:
    """Section 9.2.6 of the HTML standard, line by line: the data of each event that is dispatched and not empty."""
    text = stream.removeprefix(BOM)
    lines: list[bytes] = []
    line = bytearray()
    place = 0
    while place < len(text):
        byte = text[place : place + 1]
        if byte in (b"\r", b"\n"):
            lines.append(bytes(line))
            line.clear()
            place += 2 if text[place : place + 2] == b"\r\n" else 1
        else:
            line += byte
            place += 1
    events: list[bytes] = []
    data: list[bytes] = []
    for one in lines:  # what follows the last line's end is no line yet
        if not one:
            if joined := b"\n".join(data):
                events.append(joined)
            data.clear()
            continue
        name, _, value = one.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
    return events


def split(stream: bytes, cuts: list[int]) -> tuple[list[bytes], bytes]:
    splitter = EventSplitter()
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    events = [event for start, end in pairwise(places) for event in splitter.feed(stream[start:end])]
    return events, splitter.tail()


@settings(max_examples=500, print_blob=True)
@given(stream=STREAMS | SAME_ENDINGS, cuts=st.lists(st.integers(0, 500), max_size=12))
def test_the_events_are_those_of_the_standard(stream: bytes, cuts: list[int]) -> None:
    whole = stream + LAST
    events, tail = split(whole, cuts)
    standard = [DONE if data.strip(b" \t") == DONE else data for data in read_by_the_standard(whole)]
    assert [data for data in map(data_of, events) if data] == standard  # but for the blanks around the last word
    assert b"".join(events) + tail == whole


@settings(max_examples=200, print_blob=True)
@given(stream=STREAMS | SAME_ENDINGS)
def test_a_stream_that_comes_byte_by_byte_is_the_same(stream: bytes) -> None:
    whole = stream + LAST
    assert split(whole, list(range(len(whole)))) == split(whole, [])
