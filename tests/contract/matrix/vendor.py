"""What each provider's script is made of: how it answers, and what it understood of the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from gatewayz.wires.base import Wire
from tests.contract.matrix.scenario import Answer, Choice, Json, Medium


@dataclass(slots=True)
class Asked:
    """One request as its provider understands it. Reading it fails where it is not in the provider's shape."""

    stream: bool = False
    system: str | None = None
    prompt: str = ""
    medium: object = None
    """The provider's own part of a message."""
    tools: list[tuple[str, Json]] = field(default_factory=list[tuple[str, Json]])
    choice: Choice | None = None
    schema: Json | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    user: str | None = None
    stop: list[str] = field(default_factory=list[str])
    thinks: bool = False
    logprobs: bool = False
    said: str = ""
    """By the model, in the turn before this one."""
    calls: list[tuple[str, str, Json]] = field(default_factory=list[tuple[str, str, Json]])
    """Id, name and arguments of what it called then."""
    results: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Id and text."""
    signed: bool = False
    """Its thought came back as it was sealed."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error before any answer."""

    status: int
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Vendor(Protocol):
    """One provider's wire, as the provider speaks it."""

    @property
    def wire(self) -> Wire: ...

    @property
    def media(self) -> Mapping[Medium, object]:
        """The parts in which this provider takes them; one that is missing it does not take."""
        ...

    def read(self, body: Json, *, native: bool) -> Asked:
        """Asserts that the body fits the vendor's own types, but for what a caller of the same wire added (``native``)."""
        ...

    def whole(self, answer: Answer, body: Json, model: str) -> Json: ...

    def events(self, answer: Answer, body: Json, model: str) -> list[bytes]:
        """The whole stream; one part of a text is one event."""
        ...

    def refusal(self, fault: str) -> Refusal:
        """For "error", "busy" and "broken"."""
        ...

    def broken(self) -> bytes:
        """The event with which a stream breaks."""
        ...


def data(value: Json) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def named(kind: str, value: Json) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps({"type": kind, **value}) + b"\n\n"
