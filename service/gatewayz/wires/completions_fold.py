"""What an answer of OpenAI's older completions amounts to. It differs from chat in where the text is, and in nothing else."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gatewayz.wires.chat_fold import ChatFold, EventKind
from gatewayz.wires.sse import data_of


class _Choice(Struct):
    text: Raw = Raw()


class _Chunk(Struct):
    choices: list[_Choice] | None = None


_CHUNK = msgspec.json.Decoder(_Chunk)


class CompletionsFold(ChatFold):
    """As ChatFold, for ``choices[].text``."""

    __slots__ = ()

    def event(self, event: bytes) -> EventKind:
        kind = super().event(event)
        if kind == "other" and self.error is None and _has_text(data_of(event)):
            self.content_events += 1
            return "content"
        return kind


def _has_text(data: bytes) -> bool:
    try:
        choices = _CHUNK.decode(data).choices
    except msgspec.DecodeError:  # a comment, or a shape that we do not know
        return False
    return any(bytes(choice.text) not in (b"", b"null", b'""') for choice in choices or ())
