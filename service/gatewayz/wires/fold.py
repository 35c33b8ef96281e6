"""What all folds share: what an answer amounts to, and how bytes that may be anything become that or an error of ours.

Pure: no I/O, no clock. Answers are observed, never rebuilt: the bytes that a caller gets are the provider's.
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
"""``usage``: an event that says nothing else, to be kept from a caller who did not ask for it."""

ABSENT = Raw()
"""The default of every raw member: what is this very object was not there, and need not be looked at."""

EMPTY = frozenset((b"", b"null", b'""', b"[]", b"{}"))

UNREADABLE = (ValueError, RecursionError)
"""What reading somebody else's JSON may raise: msgspec's and orjson's errors and UnicodeDecodeError are all ValueErrors."""

SAMPLED_EVENTS = 32
"""What so many first events say is kept, to be looked at closely if an estimate is wanted: few streams need one, and a stream
goes on as it begins, with a token per event or with many."""

MAX_SAMPLE_BYTES = 4096
"""More than that in one event is not kept: it is no token, and counted by its size."""

MAX_TOKENS_COUNTED = 2**53  # more than any counter holds

Said = TypeVar("Said")
Whole = TypeVar("Whole")


class Fold:
    """What one answer amounts to. Read the attributes at any time: a stream that was cut has said what it has said.

    This much is all there is to an answer that comes whole or not at all.
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
        """Of what the model said (text, reasoning, names and arguments of tool calls), nearly: JSON as it came is longer."""
        self.done: bool = False
        self.error: ProviderError | None = None
        self._counted = (0, 0)  # events and bytes that usage knows of
        self._samples: list[tuple[int, bytes | str]] = []  # of the first events: bytes as counted, and what was said

    @property
    def complete(self) -> bool:
        """The stream said that it was over."""
        return self.done

    def reply(self, body: bytes) -> None:
        """Fold a whole answer. Raises ProviderMalformedResponse when it is not one, ProviderError when it is an error under
        status 200; nothing else, whatever the bytes are."""
        raise NotImplementedError

    def event(self, event: bytes) -> EventKind:
        """Fold one event of a stream. Raises ProviderMalformedResponse when its data is not JSON, and nothing else; an error
        event does not raise but sets ``error``."""
        return "other"

    def output_so_far(self) -> int:
        """Tokens of output: the provider's count of what it has counted, and about how many have come since."""
        told, uncounted = self.usage.output_tokens, self.uncounted_tokens()
        # What is told before there is content is a beginning (Anthropic's is 1 or so), not a count to add to.
        return told + uncounted if self._counted[0] else max(told, uncounted)

    def uncounted_tokens(self) -> int:
        """About how many tokens of output have come since the provider last told its usage; 0 where that was the end."""
        events, size = self._counted
        events, size = self.content_events - events, self.content_bytes - size
        if not events and not size:
            return 0
        counted, found, spaces = self._look_at_samples()
        if counted:
            size = size * found // counted
            spaces = spaces * events // max(1, min(self.content_events, SAMPLED_EVENTS))
        return output_tokens(events, size, spaces)

    def _sample(self, counted: int, said: bytes | str) -> None:
        """What one of the first events said, by which ``content_bytes`` has grown by ``counted``: a text, or JSON as it came."""
        if counted <= MAX_SAMPLE_BYTES:
            self._samples.append((counted, said))

    def _look_at_samples(self) -> tuple[int, int, int]:
        """Of the samples: bytes as they were counted, bytes as they are without JSON's escapes, spaces."""
        all_counted = size = spaces = 0
        for counted, said in self._samples:
            all_counted += counted
            found, gaps = raw_size(said) if isinstance(said, bytes) else (counted, said.count(" "))
            size += found
            spaces += gaps
        return all_counted, size, spaces


class StreamFold(Fold, Generic[Said, Whole]):
    """An answer that comes whole or in events. A wire says how to read either into a record, and what that then means.

    A translation needs more of an answer than a fold does. It has a fold with fuller records of the same kind, so that the bytes
    are read once for both, and finds what was read in ``said`` and ``whole``.
    """

    __slots__ = ("said", "whole")

    read_event: Callable[[bytes], Said]
    read_reply: Callable[[bytes], Whole]
    said_in: ClassVar[str]
    """The member of a whole answer that holds what the model says."""

    said: Said | None
    """What the latest event said; None where that was nothing that the wire knows. There is none before the first."""
    whole: Whole
    """What ``reply`` has read."""

    def reply(self, body: bytes) -> None:
        try:
            whole = self.read_reply(body)
        except UNREADABLE:
            raise ProviderMalformedResponse(describe_garbage(body)) from None
        self.whole = whole
        self._take_reply(whole)
        if self.usage.source == "none":
            self._weigh(body)
        else:
            self._counted = (self.content_events, self.content_bytes)  # the count of a whole answer is of all of it

    def event(self, event: bytes) -> EventKind:
        data = data_of(event)
        if not data:
            self.said = None
            return "other"
        if data == DONE:
            self.said = None
            return self._last_word()
        try:
            said = self.read_event(data)
        except msgspec.ValidationError:
            self.said = None
            return self._unknown(data)
        except UNREADABLE:
            raise ProviderMalformedResponse("The provider sent an event that is not valid JSON.") from None
        self.said = said
        before = self.usage
        kind = self._take(said)
        if kind == "content":
            self.content_events += 1
        usage = self.usage
        if usage is not before and usage.output_tokens and self.content_events:
            self._counted = (self.content_events, self.content_bytes)
        return kind

    def _take(self, said: Said) -> EventKind:
        raise NotImplementedError

    def _take_reply(self, whole: Whole) -> None:
        """Raises as ``reply`` does."""
        raise NotImplementedError

    def _last_word(self) -> EventKind:
        """``[DONE]``: chat's, and what some servers of other wires send out of habit."""
        return "other"

    def _unknown(self, data: bytes) -> EventKind:
        """JSON, but of a shape that we do not know: the caller may."""
        return "other"

    def _weigh(self, body: bytes) -> None:
        """A whole answer without usage is counted by what it says."""
        try:
            said = object_of(orjson.loads(body)).get(self.said_in)
            size, _ = said_size(said)
        except (ValueError, TypeError):  # what our peek has passed over is not as strict JSON as the rest
            size = len(body)
        self.content_bytes, self._samples = size, []


def json_of(raw: Raw) -> bytes:
    """The member's JSON, or nothing where it is absent, null or empty."""
    if raw is ABSENT:
        return b""
    found = bytes(raw)
    return b"" if found in EMPTY else found


def token_count(count: int | None) -> int:
    """A count as a provider gave it: never below nothing, never more than a counter holds."""
    return 0 if count is None else min(max(count, 0), MAX_TOKENS_COUNTED)


def describe_garbage(body: bytes) -> str:
    """What a body that cannot be read as an answer looks like, in a sentence that repeats none of it."""
    head = body[:64].lstrip()
    if not head:
        return "The provider's answer is empty."
    if head.startswith(b"<"):
        return "The provider answered with a web page instead of JSON."
    return "The provider's answer is not the JSON it should be."
