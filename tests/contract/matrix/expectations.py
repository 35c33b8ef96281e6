"""What must come of each cell. The rule is that a caller sees what the provider said; here are the exceptions, and why."""

from __future__ import annotations

from dataclasses import dataclass

from gatewayz.wires.base import Wire
from tests.contract.matrix.scenario import (
    CUT_AFTER,
    MAX_TOKENS,
    REFUSED_MESSAGE,
    RESULTS,
    RETRY_AFTER_S,
    SCHEMA,
    STOP,
    SYSTEM,
    TEMPERATURE,
    TOOLS,
    USER,
    Cell,
    Failure,
    Seen,
    Task,
    Tokens,
)
from tests.contract.matrix.vendor import Asked, Vendor

COMPLETIONS: Wire = "openai_completions"
_MEMBERS: dict[tuple[Task, Wire, Wire], str] = {
    # The Responses API has no stop sequences.
    ("stop", "openai_chat", "openai_responses"): "stop",
    ("stop", COMPLETIONS, "openai_responses"): "stop",
    ("stop", "anthropic_messages", "openai_responses"): "stop_sequences",
    # Anthropic tells no probabilities.
    ("logprobs", "openai_chat", "anthropic_messages"): "logprobs",
    ("logprobs", COMPLETIONS, "anthropic_messages"): "logprobs",
    ("logprobs", "openai_responses", "anthropic_messages"): "top_logprobs",
    # Gemini cannot be kept from calling several tools at once.
    ("one tool", "openai_chat", "gemini"): "parallel_tool_calls",
    ("one tool", "openai_responses", "gemini"): "parallel_tool_calls",
    ("one tool", "anthropic_messages", "gemini"): "tool_choice.disable_parallel_tool_use",
    # Audio: chat and Gemini have it.
    ("audio", "openai_chat", "openai_responses"): "messages[1].content[1].type",
    ("audio", "openai_chat", "anthropic_messages"): "messages[1].content[1].type",
    ("audio", "openai_responses", "anthropic_messages"): "input",
}
_CONVERSATION: dict[Wire, str] = {
    "openai_chat": "messages",
    "openai_responses": "input",
    "anthropic_messages": "messages",
}


def refused_member(cell: Cell) -> str | None:
    """What the gateway's own 400 names, where the provider's wire has no word for what the caller says; None: it has."""
    task, caller, provider = cell.scenario.task, cell.caller, cell.provider
    if caller == COMPLETIONS:
        if cell.scenario.medium:
            return "prompt[0]"  # it takes text, whoever the provider is
        if cell.scenario.choice and not cell.native:
            return "tools"  # an answer has no place for a call
    if cell.native:
        return None
    if caller == "anthropic_messages" and task == "logprobs":
        return "logprobs"
    if caller == "anthropic_messages" and task == "audio":
        return "messages[0].content[1]"  # that wire has no such block
    return _MEMBERS.get((task, caller, provider)) or (_CONVERSATION.get(caller) if provider == COMPLETIONS else None)


def expected_request(cell: Cell, vendor: Vendor, *, after_tools: bool) -> Asked:
    """What the provider must understand."""
    scenario = cell.scenario
    asked = Asked(stream=cell.streamed and cell.provider != "gemini", prompt=scenario.prompt, max_tokens=MAX_TOKENS)
    asked.system = SYSTEM if cell.caller != COMPLETIONS else None
    asked.temperature = None if scenario.thinks else TEMPERATURE
    asked.user = USER if cell.provider != "gemini" else None  # it does not ask for whom it works
    if scenario.medium:
        asked.medium = vendor.media[scenario.medium]
    if scenario.choice:
        asked.tools = [(tool.name, dict(tool.schema)) for tool in TOOLS]
        asked.choice = None if after_tools else scenario.choice
    asked.schema = SCHEMA if scenario.schema else None
    asked.stop = [STOP] if scenario.stops else []
    asked.thinks = scenario.thinks
    asked.logprobs = bool(scenario.answer.logprobs) and cell.caller != "anthropic_messages"
    if after_tools:
        asked.said = scenario.answer.whole
        asked.calls = [("", call.name, dict(call.arguments)) for call in scenario.answer.calls]
        asked.results = [("", RESULTS[call.name]) for call in scenario.answer.calls]
        asked.signed = bool(scenario.answer.thought) and keeps_the_seal(cell)
    return asked


def keeps_the_seal(cell: Cell) -> bool:
    """Whether what a provider sealed of its thought comes back to it with the next turn."""
    if cell.caller == "anthropic_messages" and cell.provider == "gemini":
        return False  # Gemini signs its calls, and a block of tool_use has no place for that
    return cell.provider != "openai_chat"  # DeepSeek's wire seals nothing


def expected_seen(cell: Cell) -> Seen:
    scenario, answer = cell.scenario, cell.scenario.answer
    if scenario.fault is not None:
        return Seen(text="".join(answer.text[:CUT_AFTER]) if cell.streamed else "", failure=_failure(cell))
    seen = Seen(answer.whole, ending=answer.ending)
    seen.calls = [(call.name, dict(call.arguments)) for call in answer.calls]
    if cell.caller not in (COMPLETIONS,) and shows_thought(cell):
        seen.thought = "".join(answer.thought)
    if cell.caller != "anthropic_messages":
        seen.logprobs = [*zip(answer.text, answer.logprobs, strict=False)]
    if scenario.after_tools is not None:
        seen.after_tools = scenario.after_tools.whole
    # Which of the sequences it was, or that it was one, nobody but Anthropic says.
    if answer.ending == "stop sequence" and not (cell.native and cell.caller == "anthropic_messages"):
        seen.ending = "end"
    # OpenAI's chat and Responses say a refusal in place of the text and then stop; completions have no such place.
    if (
        answer.ending == "refused"
        and cell.caller == COMPLETIONS
        and cell.provider in ("openai_chat", "openai_responses")
    ):
        seen.ending = "end"
    # Who streams chats or completions has to ask for it.
    asks_usage = cell.delivery != "stream" or cell.caller in ("openai_responses", "anthropic_messages")
    seen.usage = Tokens() if asks_usage else None
    return seen


def shows_thought(cell: Cell) -> bool:
    """OpenAI shows summaries to who asks for them, which in a chat cannot be said."""
    return not (cell.caller == "openai_chat" and cell.provider == "openai_responses")


@dataclass(frozen=True, slots=True)
class Ended:
    """How the spans tell it: the attempts' error type, and their finish reasons in the provider's words."""

    error_type: str | None
    finish_reasons: list[str] | None


def _failure(cell: Cell) -> Failure:
    claude = cell.caller == "anthropic_messages"
    match cell.scenario.fault:
        case "error":
            word, param = "invalid_request_error", None
            if not claude:
                word = {"anthropic_messages": word, "gemini": "invalid_argument"}.get(cell.provider, "too_dull")
                param = "messages" if word == "too_dull" else None
            return Failure(400, word, param, REFUSED_MESSAGE)
        case "busy":
            word = "rate_limit_error" if claude else "provider_rate_limited"
            return Failure(429, word, retry_after=str(RETRY_AFTER_S))
        case "cut":
            kind = "provider_stream_cut"
        case _:
            kind = "provider_server_error"
    return Failure(None if cell.streamed else 502, "api_error" if claude else kind)


_REASONS: dict[Wire, dict[str, str]] = {
    "openai_chat": {
        "end": "stop",
        "stop sequence": "stop",
        "calls": "tool_calls",
        "limit": "length",
        "refused": "stop",
    },
    COMPLETIONS: {"end": "stop", "stop sequence": "stop", "limit": "length", "refused": "content_filter"},
    "openai_responses": {
        "end": "stop",
        "stop sequence": "stop",
        "calls": "tool_calls",
        "limit": "length",
        "refused": "stop",
    },
    "anthropic_messages": {
        "end": "end_turn",
        "stop sequence": "stop_sequence",
        "calls": "tool_use",
        "limit": "max_tokens",
        "refused": "refusal",
    },
    "gemini": {"end": "stop", "stop sequence": "stop", "calls": "stop", "limit": "max_tokens", "refused": "safety"},
}


def expected_end(cell: Cell, *, after_tools: bool) -> Ended:
    scenario = cell.scenario
    match scenario.fault:
        case None:
            ending = "end" if after_tools else scenario.answer.ending
            return Ended(None, [_REASONS[cell.provider][ending]])
        case "error":
            return Ended("provider_bad_request", None)
        case "busy":
            return Ended("provider_rate_limited", None)
        case "cut":
            return Ended("provider_stream_cut", None)
        case "broken":
            return Ended("provider_server_error", None)
