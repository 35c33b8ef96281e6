"""How deep a JSON body is nested, checked before any decoding: a decoder's own limit is the interpreter's stack."""

from __future__ import annotations

from gatewayz.errors import InvalidRequest

_OTHERS = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_ALIKE = bytes.maketrans(b"{}", b"[]")
_SIBLINGS = tuple((b"[" * depth + b"]" * depth + b"[" * depth, b"[" * depth) for depth in (1, 2, 3))
"""A bracket pair followed by one at least as deep can be left out. That shortens wide bodies before the walk."""
_HEAD_BYTES = 4096


def check_depth(body: bytes, limit: int) -> None:
    """Raises InvalidRequest if arrays and objects are nested deeper than ``limit``; brackets in strings are text.

    Invalid JSON passes here: the decoder's error is more precise. The work is linear in the body and done by the C functions
    of ``bytes``. A body with no more brackets than ``limit`` costs two counts.
    """
    if body.count(b"[") + body.count(b"{") <= limit:
        return
    # A body of a hundred thousand levels is usually nested from its start, so the head is checked first.
    if _deeper(_brackets(body[:_HEAD_BYTES]), limit) or (len(body) > _HEAD_BYTES and _deeper(_brackets(body), limit)):
        raise InvalidRequest(
            f"The body is nested deeper than {limit} levels of arrays and objects.", code="nested_too_deeply"
        )


def _brackets(body: bytes) -> bytes:
    """The brackets outside of strings, with braces turned into brackets (the decoder checks that they match)."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two adjacent quotes are a string without brackets, or the border of two strings: neither changes what is outside.
    kept = body.translate(_ALIKE, _OTHERS).replace(b'""', b"")
    return b"".join(kept.split(b'"')[::2]) if b'"' in kept else kept


def _deeper(brackets: bytes, limit: int) -> bool:
    """Whether more than ``limit`` brackets are open at once."""
    if b"[" * (limit + 1) in brackets:
        return True
    for shallow, kept in _SIBLINGS:
        while True:
            before = len(brackets)
            brackets = brackets.replace(shallow, kept)
            if len(brackets) > 0.9 * before:
                break
    depth = 0
    # Each piece opens some levels, then closes some. (The closing and opening pair at a split cancel out.)
    for peak in brackets.split(b"]["):
        opened = peak.count(b"[")
        if depth + opened > limit:
            return True
        depth += 2 * opened - len(peak)
    return False
