"""What a wire is: a vendor's API format, as a provider speaks it and as a caller speaks it, and the way between two of them.

Requests cross as chat requests (dialect.py), answers as parts (parts.py). Where both sides speak the same wire nothing is
translated, only observed. All of it is pure: no I/O, no clock but the one it is given, no randomness.
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
    """What a caller's answer says that no provider's answer does: the id, the model as the caller named it, the time."""

    response_id: str
    model: str
    created_s: int
    stream: bool
    include_usage: bool = False
    """A stream's caller asked for its usage, on the wires on which one has to."""
    clock: Callable[[], float] | None = None
    """The wall clock in seconds, for the wire whose answers tell when they ended; without one, they ended when they began."""

    def ended_s(self) -> int:
        return self.created_s if self.clock is None else int(self.clock())


class AnswerReader(Protocol):
    """Reads one answer of a provider's into parts."""

    @property
    def fold(self) -> StreamFold[Any, Any]:
        """What the answer amounts to. It reads the bytes into the wire's own records (``Any`` here), which is done once."""
        ...

    def event(self, said: Any) -> Sequence[Part]:
        """What the fold's latest event adds."""
        ...

    def end(self) -> Sequence[Part]:
        """What remains when the stream has ended well: why each choice ended, and usage."""
        ...

    def reply(self, whole: Any) -> Sequence[Part]:
        """A whole answer, its end included."""
        ...


class AnswerWriter(Protocol):
    """Writes one answer for a caller of parts."""

    def write(self, parts: Sequence[Part]) -> bytes:
        """The events for these parts of a stream: none, one or several, joined."""
        ...

    def end(self) -> bytes:
        """The events with which a stream ends."""
        ...

    def whole(self, parts: Sequence[Part]) -> bytes:
        """The body of a whole answer."""
        ...


class Translation(Protocol):
    """One answer on its way from a provider's wire to a caller's. Raises ProviderMalformedResponse for what it cannot read."""

    @property
    def fold(self) -> Fold:
        """What the answer amounts to: kept up to date by the methods below, so that nothing is read twice."""
        ...

    def reply(self, body: bytes) -> bytes:
        """A whole answer. Raises ProviderError, too, when it is an error under status 200."""
        ...

    def take(self, event: bytes) -> tuple[EventKind, bytes]:
        """What one event is, and what it becomes: no event, one or several, joined."""
        ...

    def end(self) -> bytes:
        """What remains to be said when the stream has ended well; nothing the second time."""
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
        """The body for a call that came in this very wire: raw members kept, the model's name replaced."""
        ...

    def from_chat(self, chat: Mapping[str, Any], model: str, *, stream: bool) -> bytes:
        """The body for a chat request. Raises InvalidRequest naming the member that has no equal here."""
        ...

    def reader(self, info: AnswerInfo) -> AnswerReader:
        """Reads one of this wire's answers for a caller of another wire."""
        ...

    def fold(self) -> Fold:
        """Observes one of this wire's answers for a caller of the same wire."""
        ...

    def framing(self) -> Splitter:
        """Tells one stream's events apart."""
        ...

    def error(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now_s: float
    ) -> ProviderError:
        """What a refusal means. ``secrets`` are struck from what is handed on; ``now_s`` is Unix time."""
        ...


class CallerWire(Protocol):
    """A wire as callers speak it."""

    @property
    def name(self) -> Wire: ...

    def parse(self, body: bytes) -> Call:
        """Raises InvalidRequest naming the member at fault."""
        ...

    def as_chat(self, call: Call) -> dict[str, Any]:
        """The same request as a chat request. Raises InvalidRequest naming the member that has no equal there."""
        ...

    def writer(self, call: Call, info: AnswerInfo) -> AnswerWriter:
        """Writes this wire's answer to a call."""
        ...

    def error_event(self, error: GatewayError) -> bytes: ...
