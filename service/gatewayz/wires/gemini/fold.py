"""The outcome of a Gemini answer, whole or streamed: identity, finish reasons, usage, errors."""

from __future__ import annotations

import msgspec

from gatewayz.errors import ProviderMalformedResponse
from gatewayz.wires.fold import SAMPLED_EVENTS, EventKind, StreamFold
from gatewayz.wires.gemini.answer import GeminiAnswer, Part, UsageMetadata, broken_reason, error_of, usage_of
from gatewayz.wires.gemini.errors import gemini_error_in_band
from gatewayz.wires.token_estimate import arguments_size, size_of

_ANSWER = msgspec.json.Decoder(GeminiAnswer)


class GeminiFold(StreamFold[GeminiAnswer, GeminiAnswer]):
    """An answer of Gemini's. Each event of a stream has the shape of a whole answer. A stream has no final event: it is
    complete once every candidate that began has a finish reason, and it ends with the body. Finish reasons are Gemini's
    values in lower case, one per candidate."""

    __slots__ = ("_metadata", "_running", "reasons")

    read_event = _ANSWER.decode
    read_reply = _ANSWER.decode
    content_member = "candidates"

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[int, str] = {}
        """Finish reasons by candidate."""
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

    def _take(self, event: GeminiAnswer) -> EventKind:
        if (error := error_of(event)) is not None:
            self.error = gemini_error_in_band(error)
            return "error"
        says_something = self._fold(event)
        if self.error is not None:
            return "error"
        if says_something:
            return "content"
        only_usage = not event.candidates and event.block_reason is None and event.usage_metadata is not None
        return "usage" if only_usage else "other"

    def _unknown(self, data: bytes) -> EventKind:
        # These events are never forwarded unchanged, so an unknown shape is an error.
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
        """Add the part's content. Returns whether there was any."""
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
