"""Server-sent events as bytes: where one ends, and what data it has.

After the HTML standard, section "Server-sent events": lines end in LF, CR LF or CR, an empty line ends an event, lines that
begin with a colon are comments. Nothing is decoded, so an event may be cut anywhere, even inside a character. The output,
joined, is the input, byte for byte.
"""

from __future__ import annotations

import re
from typing import ClassVar, Protocol

from gatewayz.errors import ProviderMalformedResponse

MAX_EVENT_BYTES = 16_000_000  # a streamed image is megabytes; an event beyond this is an attack on memory

# A line end followed by an empty line. If the empty line ends in a CR that might be half of a CR LF, the next byte
# decides. Only after a lone CR (a stream with CR line ends) no further byte is needed.
_EVENT_END = re.compile(rb"\n\n|\r\n\r\n|\r\n\n|\r\r|\n\r\n|\r?\n\r(?=[^\n])")
_LONGEST_END = 4
_SMALL = 65_536
"""Up to this many bytes, an unfinished event is copied in front of the next chunk. That is cheaper than a regex search,
unless the event is so large that it would be copied many times."""
_LINE_END = re.compile(rb"\r\n|\n|\r")

_BOM = b"\xef\xbb\xbf"
"""A stream may begin with one; it means nothing."""

DONE = b"[DONE]"
_SHORT = 16
"""Longer data is not DONE, even with blanks around it."""


class Splitter(Protocol):
    """Splits one stream into events by the wire's framing."""

    media_type: ClassVar[str]
    """The media type of a response with this framing."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that ``chunk`` completes. Raises ProviderMalformedResponse when one grows beyond the limit."""
        ...

    def tail(self) -> bytes:
        """The bytes after the last complete event: an event that was cut, or nothing."""
        ...


class EventSplitter:
    """Takes the bytes of one stream as they come and returns complete events, each with the empty line that ends it."""

    __slots__ = ("_buffer", "_limit", "_scanned")

    media_type: ClassVar[str] = "text/event-stream"

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._limit = max_event_bytes

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that ``chunk`` completes. Raises ProviderMalformedResponse when one grows beyond the limit."""
        buffer = self._buffer
        if buffer:
            if len(buffer) > _SMALL:
                return self._feed_slowly(chunk)
            chunk = bytes(buffer) + chunk
        elif chunk.endswith(b"\n\n") and chunk.find(b"\n\n") == len(chunk) - 2 and b"\r" not in chunk:
            return [chunk]
        if b"\r" not in chunk:
            end = b"\n\n"
        elif chunk.count(b"\r\n") == chunk.count(b"\n") == chunk.count(b"\r"):
            end = b"\r\n\r\n"
        else:
            buffer.clear()
            return self._feed_slowly(chunk)
        events: list[bytes] = []
        start, size = 0, len(end)
        while (found := chunk.find(end, start)) >= 0:
            found += size
            events.append(chunk[start:found])
            start = found
        buffer[:] = chunk[start:]
        self._note_size()
        return events

    def tail(self) -> bytes:
        """The bytes after the last complete event: an event that was cut, or nothing."""
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
        self._note_size()
        return events

    def _note_size(self) -> None:
        self._scanned = len(self._buffer)
        if self._scanned > self._limit:
            raise ProviderMalformedResponse(f"The provider sent an event of more than {self._limit} bytes.")


def data_of(event: bytes) -> bytes:
    """The event's data: its ``data`` lines, joined by LF. Empty for a comment or an empty line; ``[DONE]`` without the blanks
    that some servers put around it."""
    # First the three forms of nearly all events: one data line; the same ended by CR LF, as Gemini sends it; and one after
    # a line with the event's name.
    if event.startswith(b"data: "):
        end = event.find(b"\n")
        if end == len(event) - 2 and b"\r" not in event:
            data = event[6:-2]
            return data if len(data) > _SHORT else _plain(data)
        if end == len(event) - 3 and event.find(b"\r") == len(event) - 4:
            data = event[6:-4]
            return data if len(data) > _SHORT else _plain(data)
    elif event.startswith(b"event"):
        start = event.find(b"\n") + 1
        named = event.startswith(b"data: ", start) and event.find(b"\n", start) == len(event) - 2
        if named and b"\r" not in event:
            data = event[start + 6 : -2]
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
    """The event with this ``data``, which must be a single line."""
    return b"data: " + data + b"\n\n"
