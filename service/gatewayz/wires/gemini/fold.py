"""What a Gemini answer amounts to, whether it comes whole or in events: identity, finish reasons, usage, errors."""

from __future__ import annotations

import msgspec

from gatewayz.errors import ProviderMalformedResponse
from gatewayz.wires.fold import SAMPLED_EVENTS, EventKind, StreamFold
from gatewayz.wires.gemini.answer import GeminiAnswer, Part, UsageMetadata, broken_reason, error_of, usage_of
from gatewayz.wires.gemini.errors import gemini_error_in_band
from gatewayz.wires.token_estimate import arguments_size, size_of

_ANSWER = msgspec.json.Decoder(GeminiAnswer)


class GeminiFold(StreamFold[GeminiAnswer, GeminiAnswer]):
    """An answer of Gemini's, whose events are each one as well. A stream has no last word: it is complete once each candidate
    that was begun has said why it stopped, and over when the body ends. Finish reasons are Gemini's words in lower case, one
    per candidate however often it was said."""

    __slots__ = ("_metadata", "_running", "reasons")

    read_event = _ANSWER.decode
    read_reply = _ANSWER.decode
    said_in = "candidates"

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[int, str] = {}
        """By candidate."""
        self._running: set[int] = set()
        self._metadata: UsageMetadata | None = None

    @property
    def complete(self) -> bool:
        return bool(self.reasons) and not self._running

    def _take_reply(self, whole: GeminiAnswer) -> None:
        if (error := error_of(whole)) is not None:
            raise gemini_error_in_band(error)
        self._fold(whole)
        if self.error is not None:
            raise self.error
        if not self.reasons:
            raise ProviderMalformedResponse("The provider's answer has no candidates, or one without an end.")

    def _take(self, said: GeminiAnswer) -> EventKind:
        if (error := error_of(said)) is not None:
            self.error = gemini_error_in_band(error)
            return "error"
        says_something = self._fold(said)
        if self.error is not None:
            return "error"
        if says_something:
            return "content"
        only_usage = not said.candidates and said.block_reason is None and said.usage_metadata is not None
        return "usage" if only_usage else "other"

    def _unknown(self, data: bytes) -> EventKind:
        # Nobody gets these events as they are, so an unknown shape is of no use to anybody.
        raise ProviderMalformedResponse("The provider sent an event that is no answer of Gemini's.")

    def _fold(self, answer: GeminiAnswer) -> bool:
        self.response_id = self.response_id or answer.response_id
        self.response_model = self.response_model or answer.model_version
        if answer.usage_metadata is not None:
            self.usage = usage_of(answer.usage_metadata, self._metadata)
            self._metadata = answer.usage_metadata
        if not answer.candidates and answer.block_reason is not None:
            self.reasons[0] = answer.block_reason.lower()
        says_something = False
        for candidate in answer.candidates or ():
            if candidate.finish_reason:
                self.reasons[candidate.index] = candidate.finish_reason.lower()
                self._running.discard(candidate.index)
            elif candidate.index not in self.reasons:
                self._running.add(candidate.index)
            for part in candidate.parts:
                says_something = self._takes(part) or says_something
        self.finish_reasons = tuple(self.reasons.values())
        if (reason := broken_reason(answer)) is not None:
            self.error = ProviderMalformedResponse(f"The provider's model did not bring off an answer ({reason}).")
        return says_something

    def _takes(self, part: Part) -> bool:
        """Content, if there is any in it."""
        if text := part.text:
            size = len(text) if text.isascii() else size_of(text)
            self.content_bytes += size
            if self.content_events < SAMPLED_EVENTS:
                self._sample(size, text)
            return True
        if (call := part.function_call) is not None:
            self.content_bytes += size_of(call.name) + arguments_size(len(bytes(call.args)))
            return True
        return part.inline_data is not None
