"""How deep a JSON body is nested, told before anything decodes it: a decoder's own limit is the interpreter's stack."""

from __future__ import annotations

from gatewayz.errors import InvalidRequest

_OTHERS = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_ALIKE = bytes.maketrans(b"{}", b"[]")
_SIBLINGS = tuple((b"[" * depth + b"]" * depth + b"[" * depth, b"[" * depth) for depth in (1, 2, 3))
"""Who stands before one who is as deep at least can be left out: that makes wide bodies short before they are walked."""
_HEAD_BYTES = 4096


def check_depth(body: bytes, limit: int) -> None:
    """Raises InvalidRequest if arrays and objects are nested deeper than ``limit``; brackets in strings are text.

    What is no JSON at all passes here: the decoder says better what is wrong with it. Work is linear in the body and done by
    the C functions of ``bytes``; a body with no more brackets than ``limit`` costs two counts.
    """
    if body.count(b"[") + body.count(b"{") <= limit:
        return
    # Who nests a hundred thousand levels does so at once: the head is enough to see it.
    if _deeper(_brackets(body[:_HEAD_BYTES]), limit) or (len(body) > _HEAD_BYTES and _deeper(_brackets(body), limit)):
        raise InvalidRequest(
            f"The body is nested deeper than {limit} levels of arrays and objects.", code="nested_too_deeply"
        )


def _brackets(body: bytes) -> bytes:
    """The brackets outside of strings, with braces made brackets (which closes which, the decoder checks)."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two quotes side by side are a string without brackets, or the seam of two strings: neither changes what is outside.
    kept = body.translate(_ALIKE, _OTHERS).replace(b'""', b"")
    return b"".join(kept.split(b'"')[::2]) if b'"' in kept else kept


def _deeper(brackets: bytes, limit: int) -> bool:
    """Whether more than ``limit`` are open at once."""
    if b"[" * (limit + 1) in brackets:
        return True
    for shallow, kept in _SIBLINGS:
        while True:
            before = len(brackets)
            brackets = brackets.replace(shallow, kept)
            if len(brackets) > 0.9 * before:
                break
    depth = 0
    # Between one valley and the next: some that open, then some that close. (The valley's own two cancel out.)
    for peak in brackets.split(b"]["):
        opened = peak.count(b"[")
        if depth + opened > limit:
            return True
        depth += 2 * opened - len(peak)
    return False
