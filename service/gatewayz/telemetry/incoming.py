"""Which trace does the caller name as its own?

W3C ``traceparent`` first, then B3 in its single and its multiple form. Only the two ids are taken: the sampled flag is
never used (a caller's flag 00 would erase its requests from every series), ``tracestate`` and baggage are not read.
What is malformed counts as absent, as both specifications demand.
"""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.trace import SpanContext, TraceFlags

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_HEX = frozenset(b"0123456789abcdef")
_HEX_ANY_CASE = frozenset(b"0123456789abcdefABCDEF")
_WANTED = frozenset({b"traceparent", b"b3", b"x-b3-traceid", b"x-b3-spanid"})


def caller_context(headers: Sequence[tuple[bytes, bytes]]) -> SpanContext | None:
    """The span that the caller names as its own, marked remote and sampled; None if it names none.

    ``headers`` have lower-case names. A header that comes twice is ambiguous, and counts as absent.
    """
    found: dict[bytes, bytes | None] | None = None
    for name, value in headers:
        if name in _WANTED:
            if found is None:
                found = {}
            found[name] = None if name in found else value
    if found is None:
        return None
    return (
        _from_traceparent(found.get(b"traceparent"))
        or _from_b3(found.get(b"b3"))
        or _context(found.get(b"x-b3-traceid"), found.get(b"x-b3-spanid"), _HEX_ANY_CASE)
    )


def _from_traceparent(value: bytes | None) -> SpanContext | None:
    if value is None:
        return None
    parts = value.strip().split(b"-")
    if len(parts) < 4:
        return None
    version, trace_id, span_id, flags = parts[:4]
    if len(version) != 2 or version == b"ff" or not _HEX.issuperset(version):
        return None
    # Version 00 has exactly four parts; a later one may append to them.
    if version == b"00" and len(parts) != 4:
        return None
    if len(trace_id) != 32 or len(flags) != 2 or not _HEX.issuperset(flags):
        return None
    return _context(trace_id, span_id, _HEX)


def _from_b3(value: bytes | None) -> SpanContext | None:
    if value is None:
        return None
    parts = value.strip().split(b"-")
    # A lone "0" or "1" is a sampling decision without a trace.
    return _context(parts[0], parts[1], _HEX_ANY_CASE) if 2 <= len(parts) <= 4 else None


def _context(trace_id: bytes | None, span_id: bytes | None, alphabet: frozenset[int]) -> SpanContext | None:
    if trace_id is None or span_id is None:
        return None
    trace_id, span_id = trace_id.strip(), span_id.strip()
    # B3 also has trace ids of 64 bits: they are the lower half of ours.
    if len(trace_id) not in (16, 32) or len(span_id) != 16:
        return None
    if not alphabet.issuperset(trace_id) or not alphabet.issuperset(span_id):
        return None
    context = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=_SAMPLED)
    return context if context.is_valid else None
