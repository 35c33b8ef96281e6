"""Server-sent events as bytes: where one ends, and what it says.

Written after the HTML standard, section "Server-sent events": lines end in LF, CR LF or CR, an empty line ends an event,
lines that begin with a colon are comments. Nothing is decoded, so an event may be cut anywhere, inside a character too;
what comes out, joined, is what went in, byte for byte.
"""

from __future__ import annotations

import re

from gatewayz.errors import ProviderMalformedResponse

MAX_EVENT_BYTES = 16_000_000  # a streamed image is megabytes; an event beyond this is an attack on memory

# An end of line followed by an empty line. Where the empty line's end is a CR that might be half of a CR LF, the next byte
# decides; only after a lone CR (a stream that ends its lines so) nothing is waited for.
_EVENT_END = re.compile(rb"\n\n|\r\n\r\n|\r\n\n|\r\r|\n\r\n|\r?\n\r(?=[^\n])")
_LONGEST_END = 4
_LINE_END = re.compile(rb"\r\n|\n|\r")

_BOM = b"\xef\xbb\xbf"
"""A stream may begin with one, which says nothing."""

DONE = b"[DONE]"
_SHORT = 16
"""What is longer is not DONE, blanks included."""


class EventSplitter:
    """Takes the bytes of one stream as they come and gives back whole events, each with the empty line that ends it."""

    __slots__ = ("_buffer", "_limit", "_scanned")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._limit = max_event_bytes

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that ``chunk`` completes. Raises ProviderMalformedResponse when one grows beyond the limit."""
        if not self._buffer and chunk.endswith(b"\n\n") and b"\r" not in chunk:
            if chunk.find(b"\n\n") == len(chunk) - 2:
                return [chunk]
            events = [piece + b"\n\n" for piece in chunk.split(b"\n\n")]
            # An odd newline too many shifts where the pairs fall, so that the last piece is not the empty one.
            if events.pop() == b"\n\n":
                return events
        return self._feed_slowly(chunk)

    def tail(self) -> bytes:
        """What came after the last whole event: an event that was cut, or nothing."""
        return bytes(self._buffer)

    def _feed_slowly(self, chunk: bytes) -> list[bytes]:
        buffer = self._buffer
        buffer += chunk
        events: list[bytes] = []
        start = 0
        position = max(0, self._scanned - _LONGEST_END)
        while (end := _EVENT_END.search(buffer, position)) is not None:
            position = end.end()
            events.append(bytes(buffer[start:position]))
            start = position
        del buffer[:start]
        self._scanned = len(buffer)
        if self._scanned > self._limit:
            raise ProviderMalformedResponse(f"The provider sent an event of more than {self._limit} bytes.")
        return events


def data_of(event: bytes) -> bytes:
    """The event's data: its ``data`` lines, joined by LF. Empty for a comment or a mere empty line; ``[DONE]`` without the
    blanks that some servers put around it."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and b"\r" not in event:
        data = event[6:-2]
        return data if len(data) > _SHORT else _plain(data)
    lines: list[bytes] = []
    for line in _LINE_END.split(event.removeprefix(_BOM)):
        if line.startswith(b"data:"):
            lines.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line == b"data":
            lines.append(b"")
    data = b"\n".join(lines)
    return data if len(data) > _SHORT else _plain(data)


def _plain(data: bytes) -> bytes:
    return DONE if data.strip(b" \t") == DONE else data


def event_of(data: bytes) -> bytes:
    """An event that says ``data``, which must be a single line."""
    return b"data: " + data + b"\n\n"
