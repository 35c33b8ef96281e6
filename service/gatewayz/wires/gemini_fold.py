"""What a Gemini answer amounts to, whether it comes whole or in events: identity, finish reasons, usage, errors."""

from __future__ import annotations

from gatewayz.errors import ProviderError, ProviderMalformedResponse
from gatewayz.records import NO_USAGE, Usage
from gatewayz.wires.chat_fold import EventKind
from gatewayz.wires.gemini_answer import (
    GeminiAnswer,
    Part,
    UsageMetadata,
    broken_reason,
    error_of,
    read_answer,
    usage_of,
)
from gatewayz.wires.gemini_errors import gemini_error_in_band
from gatewayz.wires.sse import data_of


class GeminiFold:
    """The counterpart of ChatFold. A Gemini stream has no last word: it is complete once each candidate that was begun
    has said why it stopped, and over when the body ends."""

    __slots__ = (
        "_metadata",
        "_reasons",
        "_running",
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
        """In Gemini's words, lower case; one per candidate, however often it was said."""
        self.usage: Usage = NO_USAGE
        self.content_events = 0
        self.done = False
        self.error: ProviderError | None = None
        self._reasons: dict[int, str] = {}
        self._running: set[int] = set()
        self._metadata: UsageMetadata | None = None

    @property
    def complete(self) -> bool:
        return bool(self._reasons) and not self._running

    def reply(self, body: bytes) -> None:
        """Raises ProviderMalformedResponse when it is not an answer, ProviderError when it is an error under status 200."""
        answer = read_answer(body)
        if (error := error_of(answer)) is not None:
            raise gemini_error_in_band(error)
        self._fold(answer)
        if self.error is not None:
            raise self.error
        if not self._reasons:
            raise ProviderMalformedResponse("The provider's answer has no candidates, or one without an end.")

    def event(self, event: bytes) -> EventKind:
        """Raises ProviderMalformedResponse when the data is no answer of Gemini's; an error event sets ``error`` instead."""
        data = data_of(event)
        if not data:
            return "other"
        answer = read_answer(data)
        if (error := error_of(answer)) is not None:
            self.error = gemini_error_in_band(error)
            return "error"
        says_something = self._fold(answer)
        if self.error is not None:
            return "error"
        if says_something:
            self.content_events += 1
            return "content"
        only_usage = not answer.candidates and answer.block_reason is None and answer.usage_metadata is not None
        return "usage" if only_usage else "other"

    def _fold(self, answer: GeminiAnswer) -> bool:
        self.response_id = self.response_id or answer.response_id
        self.response_model = self.response_model or answer.model_version
        if answer.usage_metadata is not None:
            self.usage = usage_of(answer.usage_metadata, self._metadata)
            self._metadata = answer.usage_metadata
        if not answer.candidates and answer.block_reason is not None:
            self._reasons[0] = answer.block_reason.lower()
        says_something = False
        for candidate in answer.candidates or ():
            if candidate.finish_reason:
                self._reasons[candidate.index] = candidate.finish_reason.lower()
                self._running.discard(candidate.index)
            elif candidate.index not in self._reasons:
                self._running.add(candidate.index)
            says_something = says_something or any(_says_something(part) for part in candidate.parts)
        self.finish_reasons = tuple(self._reasons.values())
        if (reason := broken_reason(answer)) is not None:
            self.error = ProviderMalformedResponse(f"The provider's model did not bring off an answer ({reason}).")
        return says_something


def _says_something(part: Part) -> bool:
    return bool(part.text) or part.function_call is not None or part.inline_data is not None
