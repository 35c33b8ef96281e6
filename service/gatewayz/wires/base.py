"""What a wire is: the two sides on which one can be spoken, and the way between two of them.

The hub is OpenAI's chat: every caller wire can be said in it, every provider wire be made from it. Where both sides speak the
same wire nothing is translated, only observed. All of it is pure: no I/O, no clock but the one it is given, no randomness.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gatewayz.errors import GatewayError, ProviderError
from gatewayz.records import Call, Operation
from gatewayz.wires.fold import Fold as Fold
from gatewayz.wires.http_terms import HttpTerms

Wire = Literal["openai_chat", "openai_completions", "openai_responses", "anthropic_messages", "gemini"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What an answer needs to be told that no wire's answer says: which model to name, which id to give, when it was."""

    response_id: str
    model: str
    created_s: int
    stream: bool
    include_usage: bool = False
    clock: Callable[[], float] | None = None
    """The wall clock in seconds, for the wire whose answers tell when they ended; without one, they ended when they began."""

    def ended_s(self) -> int:
        return self.created_s if self.clock is None else int(self.clock())


class Translation(Protocol):
    """One answer on its way from one wire to another."""

    def reply(self, body: bytes) -> bytes:
        """A whole answer."""
        ...

    def event(self, event: bytes) -> bytes:
        """What one event becomes: none, one or several, joined."""
        ...

    def end(self) -> bytes:
        """What remains to be said when the stream has ended well."""
        ...


class ProviderWire(Protocol):
    """The side that faces a provider."""

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

    def to_chat(self, shape: Shape) -> Translation:
        """This wire's answers as chat answers."""
        ...

    def fold(self) -> Fold: ...

    def error(self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> ProviderError:
        """What a refusal means."""
        ...


class CallerWire(Protocol):
    """The side that faces a caller."""

    @property
    def name(self) -> Wire: ...

    @property
    def operation(self) -> Operation: ...

    def parse(self, body: bytes) -> Call:
        """Raises InvalidRequest naming the member at fault."""
        ...

    def as_chat(self, call: Call) -> dict[str, Any]:
        """The same request as a chat request. Raises InvalidRequest naming the member that has no equal there."""
        ...

    def from_chat(self, call: Call, shape: Shape) -> Translation:
        """Chat answers as this wire's answers."""
        ...

    def error_body(self, error: GatewayError) -> bytes: ...

    def error_event(self, error: GatewayError) -> bytes: ...
