"""Which trace does a caller say he is in? Malformed headers count as absent, whatever is in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayz.telemetry.incoming import caller_context

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OTHER = "ffffffffffffffffffffffffffffffff"


def ids(**headers: str) -> tuple[str, str] | None:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    context = caller_context([(b"host", b"x"), *pairs])
    if context is None:
        return None
    assert context.is_remote
    assert context.trace_flags.sampled
    assert not context.trace_state
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": f"00-{TRACE}-{SPAN}-01"},
        {"traceparent": f"00-{TRACE}-{SPAN}-00", "tracestate": "a=b"},
        {"traceparent": f" 00-{TRACE}-{SPAN}-03 "},
        {"traceparent": f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like"},
        {"b3": f"{TRACE}-{SPAN}"},
        {"b3": f"{TRACE}-{SPAN}-1"},
        {"b3": f"{TRACE}-{SPAN}-0-{SPAN}"},
        {"b3": f"{TRACE.upper()}-{SPAN}-d"},
        {"x_b3_traceid": TRACE, "x_b3_spanid": SPAN, "x_b3_sampled": "0"},
        {"traceparent": f"00-{TRACE}-{SPAN}-01", "b3": f"{OTHER}-{SPAN}-1"},
        {"traceparent": "rubbish", "b3": f"{TRACE}-{SPAN}-1"},
        {"b3": "0", "x_b3_traceid": TRACE, "x_b3_spanid": SPAN},
    ],
)
def test_a_well_formed_context_is_read_whatever_its_sampling_says(headers: dict[str, str]) -> None:
    assert ids(**headers) == (TRACE, SPAN)


def test_a_b3_trace_id_of_64_bits_is_the_lower_half() -> None:
    assert ids(b3=f"{TRACE[16:]}-{SPAN}-1") == ("0" * 16 + TRACE[16:], SPAN)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"traceparent": ""},
        {"traceparent": f"ff-{TRACE}-{SPAN}-01"},
        {"traceparent": f"00-{TRACE}-{SPAN}-01-more"},
        {"traceparent": f"00-{TRACE.upper()}-{SPAN}-01"},
        {"traceparent": f"00-{'0' * 32}-{SPAN}-01"},
        {"traceparent": f"00-{TRACE}-{'0' * 16}-01"},
        {"traceparent": f"00-{TRACE[:-1]}-{SPAN}-01"},
        {"traceparent": f"00-{TRACE}-{SPAN}"},
        {"traceparent": f"00-{TRACE}-{SPAN}-zz"},
        {"traceparent": f"00_{TRACE}_{SPAN}_01"},
        {"b3": "1"},
        {"b3": f"{TRACE}"},
        {"b3": f"{TRACE}-{SPAN}-1-{SPAN}-x"},
        {"x_b3_traceid": TRACE},
        {"x_b3_spanid": SPAN},
        {"x_b3_traceid": "xyz", "x_b3_spanid": SPAN},
    ],
)
def test_a_malformed_context_is_no_context(headers: dict[str, str]) -> None:
    assert ids(**headers) is None


def test_w3c_has_no_short_trace_ids() -> None:
    assert ids(traceparent=f"00-{TRACE[16:]}-{SPAN}-01") is None


def test_a_header_that_comes_twice_counts_as_absent() -> None:
    twice = [(b"traceparent", f"00-{trace}-{SPAN}-01".encode()) for trace in (TRACE, OTHER)]
    assert caller_context(twice) is None


@given(
    st.lists(
        st.tuples(st.sampled_from([b"traceparent", b"b3", b"x-b3-traceid", b"x-b3-spanid"]), st.binary(max_size=80))
    )
)
def test_random_bytes_in_trace_headers_never_raise(headers: list[tuple[bytes, bytes]]) -> None:
    context = caller_context(headers)
    assert context is None or context.is_valid
