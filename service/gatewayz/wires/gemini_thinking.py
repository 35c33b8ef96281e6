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


class Asked(Struct):
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
_LATEST = re.compile(r"gemini-(?:pro|flash|flash-lite)-latest")


def thinking_config(asked: Asked, model: str) -> dict[str, Any]:
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
            return {"includeThoughts": True} if reasoning.enabled and shown else {}
    if (thinking := asked.thinking) is not None:
        if thinking.type == "disabled":
            effort, budget = "none", None
        elif thinking.budget_tokens is not None:
            budget = thinking.budget_tokens
        elif effort is None:
            return {"includeThoughts": True}
    if budget is not None:
        return {"thinkingBudget": budget, "includeThoughts": shown}
    if effort is None:
        return {}
    if not thinks_in_levels(model):
        made: dict[str, Any] = {"thinkingBudget": _BUDGETS[effort]}
    elif "pro" in model and effort in ("none", "minimal"):
        made = {"thinkingLevel": "LOW"}  # the least that a Pro model can think
    else:
        made = {"thinkingLevel": _LEVELS[effort]}
    if shown and effort != "none":
        made["includeThoughts"] = True
    return made


def thinks_in_levels(model: str) -> bool:
    """Gemini 3 measures thinking in levels and wants tool calls signed; before it there were budgets and no signatures."""
    version = _VERSION.search(model)
    return int(version.group(1)) >= 3 if version else _LATEST.search(model) is not None
