"""How much a Gemini model is to think, and whether the caller sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class ThinkingConfig(Struct):
    thinking_budget: int | None = None
    thinking_level: str | None = None
    include_thoughts: bool | None = None


class Google(Struct):
    thinking_config: ThinkingConfig | None = None
    cached_content: str | None = None


class Reasoning(Struct):
    effort: Effort | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    exclude: bool | None = None


class Thinking(Struct):
    type: str = "enabled"
    budget_tokens: int | None = None


class ThinkingMembers(Struct):
    """The ways in which chat requests ask for thinking: OpenAI's word, OpenRouter's object, Anthropic's object, and what
    Google's own chat endpoint takes under ``extra_body.google``."""

    effort: Effort | None = None
    reasoning: Reasoning | None = None
    thinking: Thinking | None = None
    google: Google | None = None


_BUDGETS: Mapping[str, int] = {
    "none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576,
}  # fmt: skip
_LEVELS: Mapping[str, str] = {
    "none": "MINIMAL", "minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH",
}  # fmt: skip
"""Google's own table for OpenAI's words (ai.google.dev, "OpenAI compatibility"); above "high" Gemini has nothing."""

_VERSION = re.compile(r"gemini-(\d+)")
_THOUGHTLESS = re.compile(r"gemini-(?:1|2\.0|2\.5-[\w-]*(?:image|tts))|gemma-[123]\b")
"""Models that refuse a request with a word about thinking in it; newer ones, and those of names unknown, think."""
_LEAST_OF_PRO = 128
_MOST_OF_PRO = 32_768
_MOST = 24_576
_LEAST_OF_LITE = 512
_LATEST = re.compile(r"gemini-(?:pro|flash|flash-lite)-latest")


def thinking_config(asked: ThinkingMembers, model: str) -> dict[str, Any]:
    """How much to think, from the several ways in which chat requests say so; and whoever asks for thinking sees it."""
    if asked.google is not None and (config := asked.google.thinking_config) is not None:
        own = {
            "thinkingBudget": config.thinking_budget,
            "thinkingLevel": config.thinking_level.upper() if config.thinking_level else None,
            "includeThoughts": config.include_thoughts,
        }
        return {name: value for name, value in own.items() if value is not None}
    effort: str | None = asked.effort
    budget: int | None = None
    shown = True
    if (reasoning := asked.reasoning) is not None:
        effort = "none" if reasoning.enabled is False else reasoning.effort or effort
        budget = reasoning.max_tokens
        shown = not reasoning.exclude
        if effort is None and budget is None:
            asked_to_see = reasoning.enabled and shown and not _THOUGHTLESS.search(model)
            return {"includeThoughts": True} if asked_to_see else {}
    if (thinking := asked.thinking) is not None:
        if thinking.type == "disabled":
            effort, budget = "none", None
        elif thinking.budget_tokens is not None:
            budget = thinking.budget_tokens
        elif effort is None:
            return {} if _THOUGHTLESS.search(model) else {"includeThoughts": True}
    if _THOUGHTLESS.search(model):
        return {}
    if budget is not None:
        return {"thinkingBudget": _within(budget, model), "includeThoughts": shown}
    if effort is None:
        return {}
    if not thinks_in_levels(model):
        made: dict[str, Any] = {"thinkingBudget": _within(_BUDGETS[effort], model)}
    elif "pro" in model and effort in ("none", "minimal"):
        made = {"thinkingLevel": "LOW"}  # the least that a Pro model can think
    else:
        made = {"thinkingLevel": _LEVELS[effort]}
    if shown and effort != "none":
        made["includeThoughts"] = True
    return made


def _within(budget: int, model: str) -> int:
    """The budget within what the 2.5 models take (ai.google.dev, "Thinking budgets"): Pro cannot but think, and Flash-Lite not
    think just a little. Below nothing is "as much as you like"; of other models nothing is known."""
    if budget < 0 or "2.5" not in model:
        return budget
    if "pro" in model:
        return min(max(budget, _LEAST_OF_PRO), _MOST_OF_PRO)
    if "lite" in model and budget:
        budget = max(budget, _LEAST_OF_LITE)
    return min(budget, _MOST)


def thinks_in_levels(model: str) -> bool:
    """Gemini 3 measures thinking in levels and wants tool calls signed; before it there were budgets and no signatures."""
    version = _VERSION.search(model)
    return int(version.group(1)) >= 3 if version else _LATEST.search(model) is not None
