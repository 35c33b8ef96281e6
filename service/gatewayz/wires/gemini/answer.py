"""Gemini's answer as records: one GenerateContentResponse, whole or as one event of a stream.

Names are Gemini's. Only what a chat answer or metering needs is read; other members may have any shape.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct

from gatewayz.records import Usage
from gatewayz.wires.fold import token_count

MAX_CANDIDATES = 1_000  # far more than any request may ask for


class Blob(Struct, rename="camel"):
    mime_type: str = "application/octet-stream"
    data: str = ""


class FunctionCall(Struct):
    name: str
    id: str | None = None
    args: Raw = Raw(b"{}")


class Part(Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None
    inline_data: Blob | None = None


class Content(Struct):
    parts: list[Part] | None = None


class TokenLogprob(Struct, rename="camel"):
    token: str = ""
    log_probability: float = -9999.0  # OpenAI's value where it has no number


class TopLogprobs(Struct):
    candidates: list[TokenLogprob] | None = None


class LogprobsResult(Struct, rename="camel"):
    chosen_candidates: list[TokenLogprob] | None = None
    top_candidates: list[TopLogprobs] | None = None


class AnswerCandidate(Struct, rename="camel"):
    index: Annotated[int, Meta(ge=0, le=MAX_CANDIDATES)] = 0
    content: Content | None = None
    finish_reason: str | None = None
    logprobs_result: LogprobsResult | None = None

    @property
    def parts(self) -> list[Part]:
        return (self.content.parts or []) if self.content is not None else []


class PromptFeedback(Struct, rename="camel"):
    block_reason: str | None = None


class UsageMetadata(Struct, rename="camel"):
    prompt_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None


class GeminiAnswer(Struct, rename="camel"):
    candidates: list[AnswerCandidate] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: UsageMetadata | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Raw = Raw()

    @property
    def block_reason(self) -> str | None:
        """Why the prompt was blocked; None where it was not."""
        return self.prompt_feedback.block_reason if self.prompt_feedback is not None else None


_EMPTY = (b"", b"null", b"{}")


def error_of(answer: GeminiAnswer) -> bytes | None:
    """The error object in place of an answer."""
    error = bytes(answer.error)
    return None if error in _EMPTY else error


BROKEN = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
    }
)
"""Finish reasons of a failed answer: no caller may take it for a complete one."""


def broken_reason(answer: GeminiAnswer) -> str | None:
    for candidate in answer.candidates or ():
        if candidate.finish_reason in BROKEN:
            return candidate.finish_reason
    return None


def usage_of(metadata: UsageMetadata, earlier: UsageMetadata | None = None) -> Usage:
    """The counts as our Usage. Each event of a stream counts from its start, but a later event may omit a count that an
    earlier one had: pass that one as ``earlier``."""
    if earlier is not None:
        for name in UsageMetadata.__struct_fields__:
            if getattr(metadata, name) is None:
                setattr(metadata, name, getattr(earlier, name))
    thoughts = token_count(metadata.thoughts_token_count)
    return Usage(
        input_tokens=token_count(metadata.prompt_token_count) + token_count(metadata.tool_use_prompt_token_count),
        # Gemini counts thoughts apart from the answer; all other wires, and our Usage, count them within it.
        output_tokens=token_count(metadata.candidates_token_count) + thoughts,
        cache_read_tokens=token_count(metadata.cached_content_token_count),
        reasoning_tokens=thoughts,
        source="provider",
    )
