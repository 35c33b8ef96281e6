"""The parts of an answer: every wire's answers are translated into every other wire's through them.

A provider's wire reads its answer into parts (``answer_to_chat``), a caller's wire writes its own answer from them
(``answer_from_chat``). A whole answer and a stream become the same kinds of parts in the same order: a stream has more of
them, each with less in it.

Values are those of OpenAI's chat, which is the hub: finish reasons, citations and reasoning details. ``choice`` is the index
of the answer among several that one call asked for.
"""

from __future__ import annotations

from typing import Any

from gatewayz.records import Record, Usage
from gatewayz.wires.json_values import Object


class Started(Record, frozen=True):
    """The answer has begun; it has no content yet. Not every wire announces that."""

    choice: int = 0


class Text(Record, frozen=True):
    """Text for the caller. It is empty where only ``logprobs`` come."""

    text: str
    choice: int = 0
    logprobs: list[Any] | None = None
    """Chat's log probabilities of the text's tokens."""


class Refusal(Record, frozen=True):
    """Text by which the model, or the provider, refuses to answer."""

    text: str
    choice: int = 0


class Thought(Record, frozen=True):
    """Reasoning that the provider shows."""

    text: str
    choice: int = 0


class SealedThought(Record, frozen=True):
    """Signed or encrypted reasoning that only its provider can read, and that it wants back with the next turn."""

    detail: Object
    """An entry of chat's ``reasoning_details`` (OpenRouter's form): ``reasoning.text`` with a ``signature`` of the thought
    before it, or ``reasoning.encrypted`` with ``data``. Unknown members are kept."""
    choice: int = 0


class Signed(Record, frozen=True):
    """Gemini's signature of the content so far; chat has it as a message's ``extra_content``."""

    extra_content: Object
    choice: int = 0


class ToolCall(Record, frozen=True):
    """A tool call, or a further piece of one.

    The first piece has the name, and the id where the provider gives one. Further pieces have the same ``index`` and neither.
    The pieces of several calls may be interleaved. The joined arguments are JSON only if the answer was not cut off.
    """

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    choice: int = 0
    custom: bool = False
    """A call of a custom tool: its arguments are plain text."""
    extra_content: Object | None = None
    """Gemini's signature of the call, which it wants back with the call's result."""


class Citation(Record, frozen=True):
    """An entry of chat's ``annotations``: what the text before it refers to."""

    annotation: Object
    choice: int = 0


class Picture(Record, frozen=True):
    """An image that the model made, as a data URL."""

    url: str
    choice: int = 0


class Served(Record, frozen=True):
    """How the provider served the call, in the provider's own values; None where it does not say."""

    service_tier: Any = None
    system_fingerprint: Any = None


class Finished(Record, frozen=True):
    """Why a choice ended. It comes after all content, once it is certain that the answer is complete."""

    reason: str
    """``stop``, ``length``, ``tool_calls`` or ``content_filter``; another value where a chat provider has one."""
    choice: int = 0
    stop_sequence: str | None = None
    """The stop sequence that matched, where the provider names it."""


class Used(Record, frozen=True):
    """The usage of the whole answer. It is the last part."""

    usage: Usage
    reported: bytes | None = None
    """The provider's own usage object as JSON, where its wire is chat: callers of completions get it unchanged."""


Part = (
    Started
    | Text
    | Refusal
    | Thought
    | SealedThought
    | Signed
    | ToolCall
    | Citation
    | Picture
    | Served
    | Finished
    | Used
)
