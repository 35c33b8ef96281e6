"""Gemini's ``thinkingConfig``: how much a model thinks, and whether the caller sees the thoughts."""

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
    """The ways in which chat requests ask for thinking: OpenAI's ``reasoning_effort``, OpenRouter's ``reasoning``,
    Anthropic's ``thinking``, and what Google's own chat endpoint accepts under ``extra_body.google``."""

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
"""Google's own mapping of OpenAI's efforts (ai.google.dev, "OpenAI compatibility"). Gemini has nothing above "high"."""

_VERSION = re.compile(r"gemini-(\d+)")
_REFUSES_THINKING = re.compile(r"gemini-(?:1|2\.0|2\.5-[\w-]*(?:image|tts))|gemma-[123]\b")
"""Models that refuse any thinking setting. Newer models, and models of unknown names, are taken to think."""
_MIN_PRO = 128
_MAX_PRO = 32_768
_MAX_OTHERS = 24_576
_MIN_LITE = 512
_LATEST = re.compile(r"gemini-(?:pro|flash|flash-lite)-latest")


def thinking_config(asked: ThinkingMembers, model: str) -> dict[str, Any]:
    """Gemini's ``thinkingConfig`` for what the chat request asks in one of several ways; empty where it asks for nothing.

    A caller that asks for thinking is shown the thoughts, unless it excludes them.
    """
    if asked.google is not None and (config := asked.google.thinking_config) is not None:
        return _config_as_given(config)
    effort: str | None = asked.effort
    budget: int | None = None
    shown = True
    if (reasoning := asked.reasoning) is not None:
        effort = "none" if reasoning.enabled is False else reasoning.effort or effort
        budget = reasoning.max_tokens
        shown = not reasoning.exclude
        if effort is None and budget is None:
            asked_to_see = reasoning.enabled and shown and not _REFUSES_THINKING.search(model)
            return {"includeThoughts": True} if asked_to_see else {}
    if (thinking := asked.thinking) is not None:
        if thinking.type == "disabled":
            effort, budget = "none", None
        elif thinking.budget_tokens is not None:
            budget = thinking.budget_tokens
        elif effort is None:
            return {} if _REFUSES_THINKING.search(model) else {"includeThoughts": True}
    return _config_for(effort, budget, shown, model)


def _config_as_given(config: ThinkingConfig) -> dict[str, Any]:
    """The configuration that the caller wrote for Google's own chat endpoint."""
    own = {
        "thinkingBudget": config.thinking_budget,
        "thinkingLevel": config.thinking_level.upper() if config.thinking_level else None,
        "includeThoughts": config.include_thoughts,
    }
    return {name: value for name, value in own.items() if value is not None}


def _config_for(effort: str | None, budget: int | None, shown: bool, model: str) -> dict[str, Any]:
    """The configuration for an effort or a budget, in what this model understands. A budget counts before an effort."""
    if _REFUSES_THINKING.search(model):
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
    """The budget within the limits of the 2.5 models (ai.google.dev, "Thinking budgets"). Pro always thinks; Flash-Lite has a
    minimum unless thinking is off. A negative budget leaves the amount to the model. Limits of other models are not known."""
    if budget < 0 or "2.5" not in model:
        return budget
    if "pro" in model:
        return min(max(budget, _MIN_PRO), _MAX_PRO)
    if "lite" in model and budget:
        budget = max(budget, _MIN_LITE)
    return min(budget, _MAX_OTHERS)


def thinks_in_levels(model: str) -> bool:
    """Gemini 3 has thinking levels and requires signed tool calls; earlier versions have budgets and no signatures."""
    version = _VERSION.search(model)
    return int(version.group(1)) >= 3 if version else _LATEST.search(model) is not None
