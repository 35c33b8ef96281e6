"""Gemini's answers as chat answers, whole or event by event."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import orjson

from gatewayz.errors import ProviderMalformedResponse
from gatewayz.records import Usage
from gatewayz.wires.base import Shape
from gatewayz.wires.gemini.answer import (
    UNREADABLE,
    AnswerCandidate,
    FunctionCall,
    GeminiAnswer,
    LogprobsResult,
    TokenLogprob,
    UsageMetadata,
    broken_reason,
    error_of,
    read_answer,
    usage_of,
)
from gatewayz.wires.gemini.errors import gemini_error_in_band
from gatewayz.wires.sse import DONE, data_of, event_of

JsonObject = dict[str, Any]

_ID_PREFIX = re.compile(r".*[-_]")
_MAX_ID_CHARACTERS = 28  # OpenAI takes ids of 40 characters at the most, and a conversation may move there

_FINISH_REASONS = {"STOP": "stop", "MAX_TOKENS": "length", "CONTINUATION": "length"}
_WITHHELD = "content_filter"
"""What every other reason comes to (SAFETY, RECITATION, SPII, OTHER …): the answer is not whole, and not for its length."""


class GeminiToChat:
    """One answer on its way to a caller of the chat wire."""

    __slots__ = ("_called", "_calls", "_id_stem", "_metadata", "_reasons", "_shape", "_started", "_usage")

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._id_stem = _ID_PREFIX.sub("", shape.response_id)[-_MAX_ID_CHARACTERS:]
        self._calls = 0
        self._called: dict[int, int] = {}  # tool calls so far, by candidate
        self._started: set[int] = set()
        self._reasons: dict[int, str] = {}
        self._usage: Usage | None = None
        self._metadata: UsageMetadata | None = None

    def reply(self, body: bytes) -> bytes:
        """A whole answer. Raises ProviderMalformedResponse when it is not one, ProviderError when it is an error."""
        answer = self._read(body)
        choices: list[JsonObject] = []
        for candidate in answer.candidates or ():
            message: JsonObject = {"role": "assistant", "content": None, "refusal": None}
            for delta in self._deltas(candidate):
                _put(message, delta)
            choice: JsonObject = {
                "index": candidate.index,
                "message": message,
                "finish_reason": self._finish_reason(candidate.index, candidate.finish_reason or ""),
                "logprobs": _logprobs(candidate.logprobs_result),
            }
            choices.append(choice)
        if not choices and answer.block_reason is not None:
            message = {"role": "assistant", "content": None, "refusal": _refusal(answer.block_reason)}
            choices.append({"index": 0, "message": message, "finish_reason": _WITHHELD, "logprobs": None})
        if not choices:
            raise ProviderMalformedResponse("The provider's answer has no candidates.")
        whole = {**self._head("chat.completion"), "choices": choices}
        if self._usage is not None:
            whole["usage"] = chat_usage(self._usage)
        return orjson.dumps(whole)

    def event(self, event: bytes) -> bytes:
        """The chunks for one event. The reason for stopping waits for the end: some models give it with every event."""
        data = data_of(event)
        if not data:
            return b""
        answer = self._read(data)
        chunks: list[bytes] = []
        for candidate in answer.candidates or ():
            deltas = self._deltas(candidate)
            logprobs = _logprobs(candidate.logprobs_result)
            if logprobs is not None and not any("content" in delta for delta in deltas):
                deltas.append({"content": ""})
            for delta in deltas:
                # The tokens' probabilities go with the text that they are of.
                said = logprobs if "content" in delta else None
                chunks.append(self._chunk(candidate.index, delta, None, said))
                logprobs = logprobs if said is None else None
            if candidate.finish_reason:
                self._reasons[candidate.index] = candidate.finish_reason
        if not answer.candidates and answer.block_reason is not None:
            chunks.append(self._chunk(0, {"refusal": _refusal(answer.block_reason)}))
            self._reasons[0] = answer.block_reason
        return b"".join(chunks)

    def end(self) -> bytes:
        """The reasons for stopping, the usage if it is wanted, and the last word."""
        chunks = [
            self._chunk(index, {}, self._finish_reason(index, reason))
            for index, reason in sorted(self._reasons.items())
        ]
        if self._shape.include_usage and self._usage is not None:
            head = self._head("chat.completion.chunk")
            chunks.append(event_of(orjson.dumps({**head, "choices": [], "usage": chat_usage(self._usage)})))
        return b"".join(chunks) + event_of(DONE)

    def _read(self, data: bytes) -> GeminiAnswer:
        answer = read_answer(data)
        if (error := error_of(answer)) is not None:
            raise gemini_error_in_band(error)
        if (reason := broken_reason(answer)) is not None:
            raise ProviderMalformedResponse(f"The provider's model did not bring off an answer ({reason}).")
        if answer.usage_metadata is not None:
            self._usage = usage_of(answer.usage_metadata, self._metadata)
            self._metadata = answer.usage_metadata
        return answer

    def _head(self, kind: str) -> JsonObject:
        shape = self._shape
        return {"id": shape.response_id, "object": kind, "created": shape.created_s, "model": shape.model}

    def _chunk(
        self, index: int, delta: JsonObject, finish_reason: str | None = None, logprobs: JsonObject | None = None
    ) -> bytes:
        if index not in self._started:
            self._started.add(index)
            delta = {"role": "assistant", **delta}
        choice = {"index": index, "delta": delta, "finish_reason": finish_reason, "logprobs": logprobs}
        return event_of(orjson.dumps({**self._head("chat.completion.chunk"), "choices": [choice]}))

    def _deltas(self, candidate: AnswerCandidate) -> list[JsonObject]:
        """What the candidate's parts add to its message, in their order."""
        deltas: list[JsonObject] = []
        for part in candidate.parts:
            if part.function_call is not None:
                deltas.append(
                    {"tool_calls": [self._tool_call(candidate.index, part.function_call, part.thought_signature)]}
                )
                continue
            if part.text:
                deltas.append({"reasoning_content" if part.thought else "content": part.text})
            if part.inline_data is not None and not part.thought:
                url = f"data:{part.inline_data.mime_type};base64,{part.inline_data.data}"
                deltas.append({"images": [{"type": "image_url", "image_url": {"url": url}}]})
            if part.thought_signature and not part.thought:
                deltas.append({"extra_content": _signed(part.thought_signature)})
        return deltas

    def _tool_call(self, choice: int, call: FunctionCall, signature: str | None) -> JsonObject:
        """A whole call: Gemini does not stream their arguments. ``extra_content`` is where Google's own chat endpoint puts the
        signature that must come back with the call."""
        index = self._called.get(choice, 0)
        self._called[choice] = index + 1
        made: JsonObject = {
            "index": index,
            "id": call.id or f"call_{self._id_stem}_{self._calls}",
            "type": "function",
            "function": {"name": call.name, "arguments": _arguments(bytes(call.args))},
        }
        self._calls += 1
        if signature:
            made["extra_content"] = _signed(signature)
        return made

    def _finish_reason(self, index: int, reason: str) -> str:
        if reason == "STOP" and index in self._called:
            return "tool_calls"
        return _FINISH_REASONS.get(reason, _WITHHELD)


def chat_usage(usage: Usage) -> JsonObject:
    """The count as chat answers tell it."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _put(message: JsonObject, delta: JsonObject) -> None:
    """Adds a delta to a whole message; there a tool call has no index."""
    for name, value in delta.items():
        if name == "tool_calls":
            calls = [{key: item for key, item in call.items() if key != "index"} for call in value]
            message.setdefault(name, []).extend(calls)
        elif isinstance(value, str):
            message[name] = (message.get(name) or "") + value
        elif isinstance(value, list):
            message.setdefault(name, []).extend(value)
        else:
            message[name] = value


def _arguments(args: bytes) -> str:
    """As Gemini wrote them, number for number, without the space that it prints between."""
    if args in (b"", b"null"):
        return "{}"
    try:
        return msgspec.json.format(args, indent=-1).decode()
    except UNREADABLE:
        raise ProviderMalformedResponse(
            "The provider's answer has a tool call with arguments that are not JSON."
        ) from None


def _signed(signature: str) -> JsonObject:
    return {"google": {"thought_signature": signature}}


def _refusal(reason: str) -> str:
    return f"The provider did not accept the prompt ({reason})."


def _logprobs(result: LogprobsResult | None) -> JsonObject | None:
    if result is None or not result.chosen_candidates:
        return None
    others = result.top_candidates or []
    content: list[JsonObject] = []
    for index, chosen in enumerate(result.chosen_candidates):
        top = (others[index].candidates or []) if index < len(others) else []
        content.append({**_token(chosen), "top_logprobs": [_token(one) for one in top]})
    return {"content": content, "refusal": None}


def _token(one: TokenLogprob) -> JsonObject:
    return {"token": one.token, "logprob": one.log_probability, "bytes": list(one.token.encode())}
