"""What all folds share. A fold computes the outcome of an answer from its bytes; bytes that it cannot read become an error of
ours.

Pure: no I/O, no clock. Answers are observed, never rebuilt: the caller gets the provider's bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Generic, Literal, TypeVar

import msgspec
import orjson
from msgspec import Raw

from gatewayz.errors import ProviderError, ProviderMalformedResponse
from gatewayz.records import NO_USAGE, Usage
from gatewayz.wires.json_values import object_of
from gatewayz.wires.sse import DONE, data_of
from gatewayz.wires.token_estimate import output_tokens, raw_size, said_size

EventKind = Literal["content", "usage", "done", "error", "other"]
"""``usage``: an event that holds nothing else, not forwarded to a caller that did not ask for it."""

ABSENT = Raw()
"""The default of every raw member. A member that is this object was absent and needs no further look."""

EMPTY = frozenset((b"", b"null", b'""', b"[]", b"{}"))

UNREADABLE = (ValueError, RecursionError)
"""What reading untrusted JSON may raise: msgspec's and orjson's errors and UnicodeDecodeError are all ValueErrors."""

SAMPLED_EVENTS = 32
"""Content of this many first events is kept as a sample in case an estimate is needed. Few streams need one, and a stream
goes on as it begins, with one token per event or with many."""

MAX_SAMPLE_BYTES = 4096
"""Content of an event beyond this is not sampled: it is not a single token, and is counted by its size."""

MAX_TOKENS_COUNTED = 2**53  # more than any counter holds

EventRecord = TypeVar("EventRecord")
Whole = TypeVar("Whole")


class Fold:
    """The outcome of one answer. The attributes may be read at any time: of a stream that was cut, they hold what came.

    This class is enough for an answer that does not stream.
    """

    __slots__ = (
        "_counted",
        "_samples",
        "content_bytes",
        "content_events",
        "done",
        "error",
        "finish_reasons",
        "response_id",
        "response_model",
        "usage",
    )

    def __init__(self) -> None:
        self.response_id: str | None = None
        self.response_model: str | None = None
        self.finish_reasons: tuple[str, ...] = ()
        self.usage: Usage = NO_USAGE
        self.content_events: int = 0
        self.content_bytes: int = 0
        """Bytes of the model's content (text, reasoning, names and arguments of tool calls). They are approximate: raw JSON
        is longer than its text."""
        self.done: bool = False
        self.error: ProviderError | None = None
        self._counted = (0, 0)  # events and bytes that the provider's usage covers
        self._samples: list[tuple[int, bytes | str]] = []  # of the first events: bytes as counted, and the content

    @property
    def complete(self) -> bool:
        """The stream is over."""
        return self.done

    def reply(self, body: bytes) -> None:
        """Fold a whole answer. Raises ProviderMalformedResponse when it is not one, and ProviderError when it is an error
        under status 200. It raises nothing else, whatever the bytes are."""
        raise NotImplementedError

    def event(self, event: bytes) -> EventKind:
        """Fold one event of a stream. Raises ProviderMalformedResponse when its data is not JSON, and nothing else. An error
        event does not raise; it sets ``error``."""
        return "other"

    def output_so_far(self) -> int:
        """Tokens of output: the provider's latest count, plus an estimate of what has come since."""
        reported, uncounted = self.usage.output_tokens, self.uncounted_tokens()
        # A count reported before any content (Anthropic's is about 1) is not a base to add to.
        return reported + uncounted if self._counted[0] else max(reported, uncounted)

    def uncounted_tokens(self) -> int:
        """About how many tokens of output have come since the provider last reported usage; 0 where it has counted
        everything."""
        events, size = self._counted
        events, size = self.content_events - events, self.content_bytes - size
        if not events and not size:
            return 0
        counted, found, spaces = self._look_at_samples()
        if counted:
            size = size * found // counted
            spaces = spaces * events // max(1, min(self.content_events, SAMPLED_EVENTS))
        return output_tokens(events, size, spaces)

    def _sample(self, counted: int, content: bytes | str) -> None:
        """Keep the content of one of the first events, by which ``content_bytes`` has grown by ``counted``: a text, or raw
        JSON."""
        if counted <= MAX_SAMPLE_BYTES:
            self._samples.append((counted, content))

    def _look_at_samples(self) -> tuple[int, int, int]:
        """Totals of the samples: bytes as counted, bytes without JSON's escapes, spaces."""
        all_counted = size = spaces = 0
        for counted, content in self._samples:
            all_counted += counted
            found, gaps = raw_size(content) if isinstance(content, bytes) else (counted, content.count(" "))
            size += found
            spaces += gaps
        return all_counted, size, spaces


class StreamFold(Fold, Generic[EventRecord, Whole]):
    """An answer that comes whole or in events. A wire defines how either is decoded into a record and what the record means.

    A translation needs more of an answer than a fold does. It uses a fold with fuller records of the same kind, so the bytes
    are decoded once for both. The records are in ``latest`` and ``whole``.
    """

    __slots__ = ("latest", "whole")

    read_event: Callable[[bytes], EventRecord]
    read_reply: Callable[[bytes], Whole]
    content_member: ClassVar[str]
    """The member of a whole answer that holds the model's content."""

    latest: EventRecord | None
    """The record of the latest event; None where the wire does not know the event. Unset before the first event."""
    whole: Whole
    """The record of the whole answer; set by ``reply``."""

    def reply(self, body: bytes) -> None:
        try:
            whole = self.read_reply(body)
        except UNREADABLE:
            raise ProviderMalformedResponse(describe_garbage(body)) from None
        self.whole = whole
        self._take_reply(whole)
        if self.usage.source == "none":
            self._estimate(body)
        else:
            self._counted = (self.content_events, self.content_bytes)  # the count covers the whole answer

    def event(self, event: bytes) -> EventKind:
        data = data_of(event)
        if not data:
            self.latest = None
            return "other"
        if data == DONE:
            self.latest = None
            return self._last_word()
        try:
            record = self.read_event(data)
        except msgspec.ValidationError:
            self.latest = None
            return self._unknown(data)
        except UNREADABLE:
            raise ProviderMalformedResponse("The provider sent an event that is not valid JSON.") from None
        self.latest = record
        before = self.usage
        kind = self._take(record)
        if kind == "content":
            self.content_events += 1
        usage = self.usage
        if usage is not before and usage.output_tokens and self.content_events:
            self._counted = (self.content_events, self.content_bytes)
        return kind

    def _take(self, event: EventRecord) -> EventKind:
        raise NotImplementedError

    def _take_reply(self, whole: Whole) -> None:
        """Raises as ``reply`` does."""
        raise NotImplementedError

    def _last_word(self) -> EventKind:
        """``[DONE]`` ends a chat stream. Some servers of other wires send it out of habit."""
        return "other"

    def _unknown(self, data: bytes) -> EventKind:
        """JSON of an unknown shape: the caller may know it."""
        return "other"

    def _estimate(self, body: bytes) -> None:
        """Estimate a whole answer without usage by the size of its content."""
        try:
            content = object_of(orjson.loads(body)).get(self.content_member)
            size, _ = said_size(content)
        except (ValueError, TypeError):  # a member that the typed decoder skipped is not strict JSON
            size = len(body)
        self.content_bytes, self._samples = size, []


def json_of(raw: Raw) -> bytes:
    """The member's JSON, or nothing where it is absent, null or empty."""
    if raw is ABSENT:
        return b""
    found = bytes(raw)
    return b"" if found in EMPTY else found


def token_count(count: int | None) -> int:
    """The provider's count, between 0 and MAX_TOKENS_COUNTED."""
    return 0 if count is None else min(max(count, 0), MAX_TOKENS_COUNTED)


def describe_garbage(body: bytes) -> str:
    """A sentence about a body that cannot be read as an answer. It quotes none of it."""
    head = body[:64].lstrip()
    if not head:
        return "The provider's answer is empty."
    if head.startswith(b"<"):
        return "The provider answered with a web page instead of JSON."
    return "The provider's answer is not the JSON it should be."
