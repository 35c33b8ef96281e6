"""What a Claude model supports, by its name: how thinking is requested, how long an answer may be, forced tool calls,
schemas, sampling.

From Anthropic's pages "Thinking", "Structured outputs" and "What's new" of each model. Each generation supports fewer
settings than the one before, so a model newer than these rules is assumed to refuse whatever the newest known model refuses.
A name without "claude" is another maker's model behind the same API. Nothing is known of it, and it is sent what the caller
set.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from gatewayz.wires.json_values import Object
from gatewayz.wires.openai_chat.reasoning_effort import ThinkingOptions

_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_FAMILY = re.compile(r"opus|sonnet|haiku|fable|mythos")
_UNKNOWN = (99, 0)

_BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 24_576, "max": 24_576}
_MIN_BUDGET = 1_024  # Anthropic refuses smaller ones

_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}


@dataclass(frozen=True, slots=True)
class Traits:
    """What one model supports."""

    default_max_tokens: int
    """Used for ``max_tokens`` where a chat caller set none: what every model of the generation can produce."""
    thinks: Literal["never", "within a budget", "by its own measure"]
    without_thinking: Literal["silence", "disabled", "between_tools", "low effort"]
    """How thinking is switched off. The newest models have no switch; low effort is the nearest."""
    highest_but_one: Literal["xhigh", "max"]
    """Its name for the effort between high and max."""
    hides_thoughts: bool
    """Shows thoughts only on request."""
    forced_calls: bool
    """Supports forced tool calls."""
    schemas: bool
    """Supports a JSON schema for its answer and its calls."""
    sampling: Literal["any", "one", "none"]
    """Which of temperature and top_p it accepts: both, only one of them, or neither (nor top_k)."""


_ANOTHERS = Traits(32_000, "by its own measure", "disabled", "xhigh", False, True, True, "any")


def version_of(model: str) -> tuple[int, int]:
    """``claude-sonnet-4-5-20250929`` → (4, 5)."""
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else _UNKNOWN


@lru_cache(maxsize=256)
def traits_of(model: str) -> Traits:
    if "claude" not in model:
        return _ANOTHERS
    version = version_of(model)
    found = _FAMILY.search(model)
    family = found[0] if found else ""
    return Traits(
        default_max_tokens=4_096 if version < (3, 5) else 8_192 if version < (3, 7) else 32_000,
        thinks="never" if version < (3, 7) else "within a budget" if version < (4, 6) else "by its own measure",
        without_thinking=_without_thinking(family, version),
        highest_but_one="max" if version < (4, 7) else "xhigh",
        hides_thoughts=version >= (4, 7),
        forced_calls=(version < (5, 5) and family not in ("fable", "mythos")) or (family, version) == ("haiku", (5, 5)),
        schemas=version >= (4, 5) or (family, version) == ("opus", (4, 1)),
        sampling="any" if version < (4, 1) else "one" if version < (4, 7) else "none",
    )


def _without_thinking(
    family: str, version: tuple[int, int]
) -> Literal["silence", "disabled", "between_tools", "low effort"]:
    if version < (5, 0):
        return "silence"  # it thinks only on request
    if family in ("opus", "sonnet", "haiku") and version == (5, 0):
        return "disabled"
    if (family, version) == ("haiku", (5, 5)):
        return "disabled"
    if (family, version) == ("sonnet", (5, 5)):
        return "between_tools"
    return "low effort"


def thinking_of(
    asked: ThinkingOptions, model: str, max_tokens: int, *, free: bool, signed: bool
) -> tuple[Object | None, str | None]:
    """The values of ``thinking`` and ``output_config.effort`` for what a chat asks.

    ``free``: no tool call is forced. ``signed``: a model that thinks within a budget may begin to think at this point of the
    conversation. A budget leaves room for the answer: one derived from an effort takes at most half of ``max_tokens``. Where
    less than the smallest budget remains, there is no thinking.
    """
    traits = traits_of(model)
    if traits.thinks == "never":
        return None, None
    if asked.effort == "none":
        return _none(traits)
    if traits.thinks == "by its own measure":
        effort = None if asked.word is None else _EFFORTS[asked.word]
        if effort == "xhigh":
            effort = traits.highest_but_one
        # A forced call and thinking are refused together. A model that thinks by default does so anyway.
        return _adaptive(asked, traits) if free else None, effort
    if asked.budget is not None:
        budget = min(asked.budget, max_tokens - 1)
    else:
        budget = min(_BUDGETS[asked.effort or "medium"], max_tokens // 2)
    if budget < _MIN_BUDGET or not signed or not free:
        return None, None
    return {"type": "enabled", "budget_tokens": budget}, None


def _none(traits: Traits) -> tuple[Object | None, str | None]:
    match traits.without_thinking:
        case "silence":
            return None, None
        case "low effort":
            return None, "low"
        case kind:
            return {"type": kind}, None


def _adaptive(asked: ThinkingOptions, traits: Traits) -> Object:
    thinking: Object = {"type": "adaptive"}
    if asked.shown is False:
        thinking["display"] = "omitted"
    elif traits.hides_thoughts:
        thinking["display"] = "summarized"  # a chat caller that asks for thinking is shown it, as on every wire
    return thinking


def sampling_of(given: Object, model: str, *, thinks: bool) -> Object:
    """The settings among temperature, top_p and top_k that this model accepts and that go with thinking; the others are left
    out. Anthropic's temperatures end at 1. Larger ones count as 1, as on its own chat endpoint."""
    traits = traits_of(model)
    if traits.sampling == "none":
        return {}
    made = dict(given)
    if "temperature" in made:
        made["temperature"] = min(made["temperature"], 1)
    if thinks:
        if made.get("temperature", 1) != 1:
            del made["temperature"]
        if not 0.95 <= made.get("top_p", 1) <= 1:
            del made["top_p"]
        made.pop("top_k", None)
    if traits.sampling == "one" and "temperature" in made and "top_p" in made:
        # Only one may stay. The temperature goes if it has its default value.
        del made["temperature" if made["temperature"] == 1 and made["top_p"] != 1 else "top_p"]
    return made
