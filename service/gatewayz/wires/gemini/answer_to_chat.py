"""An answer of Gemini's as parts, whole or event by event. Pure: no I/O, no clock."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gatewayz.errors import ProviderMalformedResponse
from gatewayz.wires.base import AnswerInfo
from gatewayz.wires.fold import UNREADABLE
from gatewayz.wires.gemini.answer import AnswerCandidate, FunctionCall, GeminiAnswer, LogprobsResult, TokenLogprob
from gatewayz.wires.gemini.fold import GeminiFold
from gatewayz.wires.json_values import Object
from gatewayz.wires.parts import Finished, Part, Picture, Refusal, Signed, Started, Text, Thought, ToolCall, Used

_ID_PREFIX = re.compile(r".*[-_]")
_MAX_ID_CHARACTERS = 28  # OpenAI accepts ids of up to 40 characters, and a conversation may move there

_FINISH_REASONS = {"stop": "stop", "max_tokens": "length", "continuation": "length"}
_WITHHELD = "content_filter"
"""Stands for every other reason (SAFETY, RECITATION, SPII, OTHER …): the answer is incomplete, and not because of its
length."""


class GeminiReader:
    """Reads one answer. A whole answer has the same shape as one event of a stream."""

    __slots__ = ("_called", "_calls", "_id_stem", "fold")

    def __init__(self, info: AnswerInfo) -> None:
        self.fold = GeminiFold()
        self._id_stem = _ID_PREFIX.sub("", info.response_id)[-_MAX_ID_CHARACTERS:]
        self._calls = 0
        self._called: dict[int, int] = {}  # tool calls so far, by candidate

    def event(self, event: GeminiAnswer) -> list[Part]:
        parts: list[Part] = []
        for candidate in event.candidates or ():
            self._add_content(candidate, parts)
        if not event.candidates and event.block_reason is not None:
            parts.append(Refusal(f"The provider did not accept the prompt ({event.block_reason})."))
        return parts

    def reply(self, whole: GeminiAnswer) -> list[Part]:
        choices = [candidate.index for candidate in whole.candidates or ()]
        begun = [Started(choice) for choice in choices]
        cut = [Finished(_WITHHELD, choice) for choice in choices if choice not in self.fold.reasons]
        return [*begun, *self.event(whole), *cut, *self.end()]

    def end(self) -> list[Part]:
        """The finish reasons are held back until the end: some models send one with every event."""
        reasons = sorted(self.fold.reasons.items())
        parts: list[Part] = [Finished(self._finish_reason(choice, reason), choice) for choice, reason in reasons]
        usage = self.fold.usage
        return parts if usage.source == "none" else [*parts, Used(usage)]

    def _finish_reason(self, choice: int, reason: str) -> str:
        if reason == "stop" and choice in self._called:
            return "tool_calls"
        return _FINISH_REASONS.get(reason, _WITHHELD)

    def _add_content(self, candidate: AnswerCandidate, parts: list[Part]) -> None:
        """Add the candidate's parts to its message, in their order. The log probabilities go with its first text."""
        choice = candidate.index
        tokens = None if candidate.logprobs_result is None else _tokens(candidate.logprobs_result)
        for part in candidate.parts:
            if part.function_call is not None:
                parts.append(self._call(choice, part.function_call, part.thought_signature))
                continue
            if part.text:
                if part.thought:
                    parts.append(Thought(part.text, choice))
                else:
                    parts.append(Text(part.text, choice, tokens))
                    tokens = None
            if part.inline_data is not None and not part.thought:
                url = f"data:{part.inline_data.mime_type};base64,{part.inline_data.data}"
                parts.append(Picture(url, choice))
            if part.thought_signature and not part.thought:
                parts.append(Signed(_signed(part.thought_signature), choice))
        if tokens is not None:
            parts.append(Text("", choice, tokens))

    def _call(self, choice: int, call: FunctionCall, signature: str | None) -> ToolCall:
        """A complete call: Gemini does not stream arguments. Google's own chat endpoint puts the signature that must come
        back with the call into ``extra_content``, too."""
        index = self._called.get(choice, 0)
        self._called[choice] = index + 1
        call_id = call.id or f"call_{self._id_stem}_{self._calls}"
        self._calls += 1
        extra = _signed(signature) if signature else None
        return ToolCall(index, call_id, call.name, _arguments(bytes(call.args)), choice, extra_content=extra)


def _arguments(args: bytes) -> str:
    """The arguments as Gemini wrote them, numbers unchanged, without the white space between tokens."""
    if args in (b"", b"null"):
        return "{}"
    try:
        return msgspec.json.format(args, indent=-1).decode()
    except UNREADABLE:
        raise ProviderMalformedResponse(
            "The provider's answer has a tool call with arguments that are not JSON."
        ) from None


def _signed(signature: str) -> Object:
    return {"google": {"thought_signature": signature}}


def _tokens(result: LogprobsResult) -> list[Any] | None:
    if not result.chosen_candidates:
        return None
    others = result.top_candidates or []
    content: list[Object] = []
    for index, chosen in enumerate(result.chosen_candidates):
        top = (others[index].candidates or []) if index < len(others) else []
        content.append({**_token(chosen), "top_logprobs": [_token(one) for one in top]})
    return content


def _token(one: TokenLogprob) -> Object:
    return {"token": one.token, "logprob": one.log_probability, "bytes": list(one.token.encode())}
