"""One stream in all the forms in which server-sent events may come: other bytes that mean the same, or nearly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence


def _no_blank_line(stream: bytes) -> Sequence[bytes]:
    return [stream.rstrip(b"\r\n") + b"\n"]


FORMS: Mapping[str, Callable[[bytes], Sequence[bytes]]] = {
    "plain": lambda stream: [stream],
    "one-byte-slices": lambda stream: [stream[place : place + 1] for place in range(len(stream))],
    "seven-byte-slices": lambda stream: [stream[place : place + 7] for place in range(0, len(stream), 7)],
    "crlf": lambda stream: [stream.replace(b"\n", b"\r\n")],
    "crlf-slices": lambda stream: [bytes([byte]) for byte in stream.replace(b"\n", b"\r\n")],
    "cr": lambda stream: [stream.replace(b"\n", b"\r")],
    "comments": lambda stream: [b": PROCESSING\n\n" + stream.replace(b"data: ", b": keep-alive\ndata: ")],
    "multi-line": lambda stream: [stream.replace(b',"', b',\ndata: "')],
    "no-blank": lambda stream: [stream.replace(b"data: ", b"data:")],
    "mark": lambda stream: [b"\xef\xbb\xbf" + stream],
    "fields": lambda stream: [b"retry: 3000\n\n" + stream.replace(b"data: ", b"id: 7\nunknown: x\ndata: ")],
    "no-last-blank-line": _no_blank_line,
    "blanks-at-the-end": lambda stream: [stream.replace(b"[DONE]", b" [DONE] ")],
    "blank-lines": lambda stream: [b"\n\n" + stream.replace(b"\n\n", b"\n\n\n\n")],
}
"""None of them cuts an event into several packets unless its name says so."""
