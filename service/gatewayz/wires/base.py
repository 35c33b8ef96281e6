"""What a wire is: a vendor's API format, for providers and for callers, and how one wire is translated into another.

Requests cross as chat requests (dialect.py), answers as parts (parts.py). Where both sides speak the same wire nothing is
translated, only observed. Everything here is pure: no I/O, no randomness, and no clock but the one passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gatewayz.errors import GatewayError, ProviderError
from gatewayz.records import Call
from gatewayz.wires.fold import EventKind, StreamFold
from gatewayz.wires.fold import Fold as Fold
from gatewayz.wires.http_terms import HttpTerms
from gatewayz.wires.parts import Part
from gatewayz.wires.sse import Splitter

Wire = Literal["openai_chat", "openai_completions", "openai_responses", "anthropic_messages", "gemini"]


@dataclass(frozen=True, slots=True)
class AnswerInfo:
    """The members of a caller's answer that no provider's answer has: the id, the caller's name of the model, the time."""

    response_id: str
    model: str
    created_s: int
    stream: bool
    include_usage: bool = False
    """The caller asked for usage in its stream, on wires where it has to ask."""
    clock: Callable[[], float] | None = None
    """The wall clock in seconds, for the wire whose answers say when they ended. Without it, an answer ends at
    ``created_s``."""

    def ended_s(self) -> int:
        return self.created_s if self.clock is None else int(self.clock())


class AnswerReader(Protocol):
    """Reads one provider answer into parts."""

    @property
    def fold(self) -> StreamFold[Any, Any]:
        """The outcome so far. The fold parses the bytes, once, into the wire's own records (``Any`` here)."""
        ...

    def event(self, event: Any) -> Sequence[Part]:
        """The parts that the fold's latest event adds."""
        ...

    def end(self) -> Sequence[Part]:
        """The remaining parts when the stream has ended well: the finish reason of each choice, and usage."""
        ...

    def reply(self, whole: Any) -> Sequence[Part]:
        """The parts of a whole answer, its end included."""
        ...


class AnswerWriter(Protocol):
    """Writes one answer for a caller from parts."""

    def write(self, parts: Sequence[Part]) -> bytes:
        """The events for these parts of a stream: none, one or several, joined."""
        ...

    def end(self) -> bytes:
        """The events that end a stream."""
        ...

    def whole(self, parts: Sequence[Part]) -> bytes:
        """The body of a whole answer."""
        ...


class Translation(Protocol):
    """Translates one answer from a provider's wire to a caller's. Raises ProviderMalformedResponse for what it cannot
    read."""

    @property
    def fold(self) -> Fold:
        """The outcome so far. The methods below keep it up to date, so that nothing is parsed twice."""
        ...

    def reply(self, body: bytes) -> bytes:
        """Translate a whole answer. Also raises ProviderError, when the body is an error under status 200."""
        ...

    def take(self, event: bytes) -> tuple[EventKind, bytes]:
        """The kind of an event, and its translation: no event, one or several, joined."""
        ...

    def end(self) -> bytes:
        """The remaining events when the stream has ended well; nothing the second time."""
        ...


class ProviderWire(Protocol):
    """A wire as providers speak it."""

    @property
    def name(self) -> Wire: ...

    @property
    def http(self) -> HttpTerms: ...

    def path(self, model: str, stream: bool) -> str:
        """What to append to the provider's base address."""
        ...

    def request(self, call: Call, model: str, *, usage_option: bool) -> bytes:
        """The body for a call on this same wire: raw members kept, the model's name replaced."""
        ...

    def from_chat(self, chat: Mapping[str, Any], model: str, *, stream: bool) -> bytes:
        """The body for a chat request. Raises InvalidRequest naming the member that has no equal here."""
        ...

    def reader(self, info: AnswerInfo) -> AnswerReader:
        """A reader of one answer of this wire, for a caller of another wire."""
        ...

    def fold(self) -> Fold:
        """A fold of one answer of this wire, for a caller of the same wire."""
        ...

    def framing(self) -> Splitter:
        """A splitter of one stream into its events."""
        ...

    def error(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now_s: float
    ) -> ProviderError:
        """The error that a refusal stands for. ``secrets`` are removed from what is forwarded; ``now_s`` is Unix time."""
        ...


class CallerWire(Protocol):
    """A wire as callers speak it."""

    @property
    def name(self) -> Wire: ...

    def parse(self, body: bytes) -> Call:
        """Raises InvalidRequest naming the member at fault."""
        ...

    def as_chat(self, call: Call) -> dict[str, Any]:
        """The call as a chat request. Raises InvalidRequest naming the member that has no equal there."""
        ...

    def writer(self, call: Call, info: AnswerInfo) -> AnswerWriter:
        """A writer of this wire's answer to a call."""
        ...

    def error_event(self, error: GatewayError) -> bytes: ...
