"""How much thinking a chat request asks for: OpenAI's ``reasoning_effort``, OpenRouter's ``reasoning``, Anthropic's
``thinking``.

Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatewayz.wires.json_values import object_at, text_at, wrong_type

MEMBERS = ("reasoning_effort", "reasoning", "thinking")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

_BY_BUDGET = ((4_096, "low"), (16_384, "medium"))
"""The largest budget of each effort, from Anthropic's recommendations for light, ordinary and hard work."""


@dataclass(frozen=True, slots=True)
class ThinkingOptions:
    """What the caller asked for. With neither effort nor budget the model decides how much it thinks."""

    effort: str | None = None
    """One of EFFORTS; ``none`` forbids thinking."""
    budget: int | None = None
    """Tokens; at least 1."""
    shown: bool | None = None
    """Whether the caller wants to see the thoughts; None where it does not say."""

    @property
    def word(self) -> str | None:
        """The effort; derived from the budget where only that is given."""
        if self.effort is not None or self.budget is None:
            return self.effort
        budget = self.budget
        return next((word for limit, word in _BY_BUDGET if budget <= limit), "high")


def thinking_options(chat: Mapping[str, Any]) -> ThinkingOptions | None:
    """The options, or None where the request has none of the members. The more specific member counts: ``thinking``, then
    ``reasoning``, then ``reasoning_effort``. Raises InvalidRequest naming the member that has the wrong type."""
    effort: str | None = None
    budget: int | None = None
    shown: bool | None = None
    asked = False
    if (word := chat.get("reasoning_effort")) is not None:
        effort, asked = _effort(word, "reasoning_effort"), True
    if (given := chat.get("reasoning")) is not None:
        reasoning = object_at(given, "reasoning")
        if (word := reasoning.get("effort")) is not None:
            effort, asked = _effort(word, "reasoning.effort"), True
        if reasoning.get("max_tokens") is not None:
            budget, asked = _budget(reasoning["max_tokens"], "reasoning.max_tokens"), True
        if reasoning.get("enabled") is False:
            effort, budget, asked = "none", None, True
        elif reasoning.get("enabled"):
            asked = True
        if reasoning.get("exclude") is not None:
            shown = not reasoning["exclude"]
    if (given := chat.get("thinking")) is not None:
        thinking = object_at(given, "thinking")
        asked = True
        match thinking.get("type"):
            case "disabled":
                effort, budget = "none", None
            case "enabled":
                if thinking.get("budget_tokens") is not None:
                    budget = _budget(thinking["budget_tokens"], "thinking.budget_tokens")
            case "adaptive":
                budget = None
            case _:
                raise wrong_type("thinking.type", "'enabled', 'adaptive' or 'disabled'")
        if (display := thinking.get("display")) is not None:
            shown = display != "omitted"
    return ThinkingOptions(effort, budget, shown) if asked else None


def _effort(value: Any, path: str) -> str:
    if text_at(value, path) not in EFFORTS:
        raise wrong_type(path, "none, minimal, low, medium, high, xhigh or max")
    return value


def _budget(value: Any, path: str) -> int:
    if not isinstance(value, int) or value is True or value < 1:
        raise wrong_type(path, "a number of tokens, at least 1")
    return value
